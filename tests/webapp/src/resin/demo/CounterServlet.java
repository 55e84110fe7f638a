package resin.demo;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts the visits of one session: it only counts up if the session's cookie survives the way through the gateway. */
public class CounterServlet extends HttpServlet {
    private static final long serialVersionUID = 1;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws ServletException, IOException {
        HttpSession session = request.getSession();
        if (request.getParameter("reset") != null) {
            session.invalidate();
            response.sendRedirect("counter");
            return;
        }
        request.setAttribute("count", visits(session).incrementAndGet());
        response.setHeader("Cache-Control", "private, no-cache");
        request.getRequestDispatcher("/WEB-INF/view/counter.jsp").forward(request, response);
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
