<%@ page contentType="text/html;charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true"
         import="resin.demo.Html" %>
<% final String title = "Counter";
   final int count = (Integer) request.getAttribute("count"); %>
<%@ include file="top.jspf" %>
  <h1>Session counter</h1>
  <p class="lead">The JVM knows you by a cookie, and counts how often you came here with it.</p>
  <section class="counter">
    <output id="count"><%= count %></output>
    <p><%= count == 1 ? "visit" : "visits" %> in session
       <code><%= Html.escape(session.getId().substring(0, 8)) %>…</code></p>
    <p class="buttons"><a class="button" href="counter">Count again</a>
       <a class="button quiet" href="counter?reset">Start over</a></p>
  </section>
<%@ include file="bottom.jspf" %>
