package resin.differential;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Notes each request in the journal and answers with the note. Compiled for Tomcat as it is, and for
 * Jetty 9 with the older name of the packages.
 */
public final class EchoServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        String query = request.getQueryString();
        String target = request.getRequestURI() + (query == null ? "" : "?" + query);
        Entry entry = Journal.begin(request.getMethod(), target, request.getProtocol(),
                request.getRemotePort());
        Set<String> names = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
        names.addAll(Collections.list(request.getHeaderNames()));
        for (String name : names) {
            for (String value : Collections.list(request.getHeaders(name))) {
                entry.field(name, value);
            }
        }
        read(request, entry);
        byte[] text = (entry.json() + "\n").getBytes(StandardCharsets.ISO_8859_1);
        response.setHeader("X-Echo", String.valueOf(entry.number()));
        response.setContentType("application/json");
        response.setContentLength(text.length);
        response.getOutputStream().write(text);
    }

    private static void read(HttpServletRequest request, Entry entry) throws IOException {
        InputStream in = request.getInputStream();
        byte[] buffer = new byte[8192];
        int length;
        while ((length = in.read(buffer)) > 0) {
            entry.body(buffer, length);
        }
        if (request.isTrailerFieldsReady()) {
            for (Map.Entry<String, String> field : request.getTrailerFields().entrySet()) {
                entry.trailer(field.getKey(), field.getValue());
            }
        }
        entry.end();
    }
}
