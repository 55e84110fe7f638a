package resin.differential;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What the backend saw. It is read past the gateway: a connection gets all entries, and empties it. */
final class Journal {
    private static final List<Entry> ENTRIES = new ArrayList<>();
    private static int number;

    private Journal() {}

    static synchronized Entry begin(String method, String target, String protocol, int connection) {
        Entry entry = new Entry(++number, method, target, protocol, connection);
        ENTRIES.add(entry);
        return entry;
    }

    private static synchronized String take() {
        StringBuilder out = new StringBuilder();
        for (Entry entry : ENTRIES) {
            out.append(entry.json()).append('\n');
        }
        ENTRIES.clear();
        return out.toString();
    }

    /** Serves the journal on a free port, which it returns. */
    static int serve() throws IOException {
        ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread thread = new Thread(() -> {
            while (true) {
                try (Socket socket = server.accept(); OutputStream out = socket.getOutputStream()) {
                    out.write(take().getBytes(StandardCharsets.ISO_8859_1));
                } catch (IOException e) {
                    System.err.println("journal: " + e);
                }
            }
        }, "journal");
        thread.setDaemon(true);
        thread.start();
        return server.getLocalPort();
    }
}
