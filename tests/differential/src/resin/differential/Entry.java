package resin.differential;

import java.util.ArrayList;
import java.util.List;

/** One request as the servlet container understood it. Strings hold octets: ISO-8859-1. */
final class Entry {
    private final int number;
    private final String method;
    private final String target;
    private final String protocol;
    /** The peer's port: the same for all requests of a connection. */
    private final int connection;
    private final List<String[]> fields = new ArrayList<>();
    private final List<String[]> trailers = new ArrayList<>();
    private final StringBuilder body = new StringBuilder();
    private boolean complete;

    Entry(int number, String method, String target, String protocol, int connection) {
        this.number = number;
        this.method = method;
        this.target = target;
        this.protocol = protocol;
        this.connection = connection;
    }

    int number() {
        return number;
    }

    synchronized void field(String name, String value) {
        fields.add(new String[] {name, value});
    }

    synchronized void trailer(String name, String value) {
        trailers.add(new String[] {name, value});
    }

    synchronized void body(byte[] octets, int length) {
        for (int i = 0; i < length; i++) {
            body.append(String.format("%02x", octets[i] & 0xff));
        }
    }

    synchronized void end() {
        complete = true;
    }

    synchronized String json() {
        return "{\"number\":" + number
                + ",\"method\":" + quote(method)
                + ",\"target\":" + quote(target)
                + ",\"protocol\":" + quote(protocol)
                + ",\"connection\":" + connection
                + ",\"fields\":" + pairs(fields)
                + ",\"body\":\"" + body + "\""
                + ",\"trailers\":" + pairs(trailers)
                + ",\"complete\":" + complete + "}";
    }

    private static String pairs(List<String[]> list) {
        StringBuilder out = new StringBuilder("[");
        for (String[] pair : list) {
            out.append(out.length() > 1 ? "," : "");
            out.append('[').append(quote(pair[0])).append(',').append(quote(pair[1])).append(']');
        }
        return out.append(']').toString();
    }

    private static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
                out.append(c);
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        return out.append('"').toString();
    }
}
