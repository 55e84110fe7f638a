package resin.sessions;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/** Says who it is and how often a session has been here, after {@code ms} milliseconds. */
public final class CounterServlet extends HttpServlet {
    private static final long serialVersionUID = 1;

    private final String name;

    CounterServlet(String name) {
        this.name = name;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String pause = request.getParameter("ms");
        if (pause != null) {
            try {
                Thread.sleep(Long.parseLong(pause));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        HttpSession session = request.getSession();
        response.setContentType("text/plain");
        response.getWriter().write(name + " " + visits(session).incrementAndGet() + "\n");
    }

    private static AtomicInteger visits(HttpSession session) {
        synchronized (session) {
            AtomicInteger visits = (AtomicInteger) session.getAttribute("visits");
            if (visits == null) {
                visits = new AtomicInteger();
                session.setAttribute("visits", visits);
            }
            return visits;
        }
    }
}
