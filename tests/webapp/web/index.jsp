<%@ page contentType="text/html;charset=UTF-8" pageEncoding="UTF-8" session="false" trimDirectiveWhitespaces="true"
         import="java.util.Collections, resin.demo.Html" %>
<% final String title = "Hello";
   final String host = request.getHeader("Host");
   // A browser that asks for Tomcat's own port did not come through the gateway.
   final boolean direct = host != null && host.endsWith(":" + request.getLocalPort()); %>
<%@ include file="WEB-INF/view/top.jspf" %>
<% if (direct) { %>
  <h1>Hello from a JVM</h1>
  <p class="lead">
    You asked Tomcat itself for this page. Ask for it on the gateway's port, and it comes to you
    through <code>resin.ko</code>, a kernel module.
  </p>
<% } else { %>
  <h1>Hello from a JVM, through the kernel</h1>
  <p class="lead">
    A servlet container made this page. No other program stood between it and you: the proxy is
    <code>resin.ko</code>, a kernel module.
  </p>
<% } %>
  <ol class="path" aria-label="The way of this request">
    <li><b>Your browser</b><span>asks <%= Html.escape(host) %></span></li>
<% if (!direct) { %>
    <li class="here"><b>resin.ko</b><span>in the Linux kernel</span></li>
<% } %>
    <li><b>Tomcat</b><span>port <%= request.getLocalPort() %></span></li>
  </ol>

  <section class="cards">
    <a class="card" href="counter"><b>Counter</b><span>A session that counts your visits.</span></a>
    <a class="card" href="notes"><b>Notes</b><span>A form, and what you sent with it.</span></a>
  </section>

  <section>
    <h2>The request, as the JVM saw it</h2>
    <table>
      <tr><th>Request line</th><td><code><%= Html.escape(request.getMethod() + " " + request.getRequestURI()
          + (request.getQueryString() == null ? "" : "?" + request.getQueryString())
          + " " + request.getProtocol()) %></code></td></tr>
      <tr><th>From</th><td><code><%= Html.escape(request.getRemoteAddr()) %></code>
        port <code><%= request.getRemotePort() %></code></td></tr>
<% for (String name : Collections.list(request.getHeaderNames())) {
     for (String value : Collections.list(request.getHeaders(name))) { %>
      <tr><th><%= Html.escape(name) %></th><td><code><%= Html.escape(value) %></code></td></tr>
<%   }
   } %>
    </table>
  </section>
<%@ include file="WEB-INF/view/bottom.jspf" %>
