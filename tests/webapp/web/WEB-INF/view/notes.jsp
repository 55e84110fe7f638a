<%@ page contentType="text/html;charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true"
         import="resin.demo.Html, resin.demo.NotesServlet" %>
<% final String title = "Notes";
   final NotesServlet.Note[] notes = (NotesServlet.Note[]) request.getAttribute("notes"); %>
<%@ include file="top.jspf" %>
  <h1>Notes</h1>
  <p class="lead">What you write here is kept in your session, until it ends.</p>
  <form action="notes" method="get" accept-charset="utf-8">
    <label for="text">A note</label>
    <div class="row">
      <input id="text" name="text" maxlength="200" placeholder="Remember the milk" autocomplete="off" required autofocus>
      <button class="button" type="submit">Keep it</button>
    </div>
  </form>
  <section>
<% if (notes.length == 0) { %>
    <p class="empty">No notes yet.</p>
<% } else { %>
    <ul class="notes">
<%   for (NotesServlet.Note note : notes) { %>
      <li><time><%= note.time() %></time><span><%= Html.escape(note.text()) %></span></li>
<%   } %>
    </ul>
<% } %>
  </section>
<%@ include file="bottom.jspf" %>
