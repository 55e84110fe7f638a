package resin.demo;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.time.LocalTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A form: notes that a session keeps. A note sent is answered with a redirect, so that reloading the
 * page does not send it again. GET and POST do the same.
 */
public class NotesServlet extends HttpServlet {
    private static final long serialVersionUID = 1;
    private static final int MAX_NOTES = 8;
    private static final int MAX_LENGTH = 200;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss");

    /** One note and when it was written. */
    public record Note(String time, String text) {}

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws ServletException, IOException {
        request.setCharacterEncoding("UTF-8");
        Deque<Note> notes = notes(request.getSession());
        String text = request.getParameter("text");
        if (text != null) {
            add(notes, text.strip());
            response.sendRedirect("notes");
            return;
        }
        synchronized (notes) {
            request.setAttribute("notes", notes.toArray(new Note[0]));
        }
        response.setHeader("Cache-Control", "private, no-cache");
        request.getRequestDispatcher("/WEB-INF/view/notes.jsp").forward(request, response);
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
            throws ServletException, IOException {
        doGet(request, response);
    }

    private static void add(Deque<Note> notes, String text) {
        if (text.isEmpty()) {
            return;
        }
        String kept = text.substring(0, Math.min(text.length(), MAX_LENGTH));
        synchronized (notes) {
            notes.addFirst(new Note(LocalTime.now().format(TIME), kept));
            while (notes.size() > MAX_NOTES) {
                notes.removeLast();
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static Deque<Note> notes(HttpSession session) {
        synchronized (session) {
            Deque<Note> notes = (Deque<Note>) session.getAttribute("notes");
            if (notes == null) {
                notes = new ArrayDeque<>();
                session.setAttribute("notes", notes);
            }
            return notes;
        }
    }
}
