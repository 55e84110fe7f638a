package resin.sessions;

import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.session.DefaultSessionIdManager;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

/** Jetty with sessions of that worker: {@code JettyMain PORT BASE NAME}. */
public final class JettyMain {
    private JettyMain() {}

    public static void main(String[] args) throws Exception {
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.parseInt(args[0]));
        connector.setIdleTimeout(60_000);
        server.addConnector(connector);
        DefaultSessionIdManager names = new DefaultSessionIdManager(server);
        names.setWorkerName(args[2]);
        server.setSessionIdManager(names);
        ServletContextHandler handler = new ServletContextHandler(ServletContextHandler.SESSIONS);
        handler.setContextPath("/");
        handler.addServlet(new ServletHolder(new CounterServlet(args[2])), "/*");
        server.setHandler(handler);
        server.start();
        System.out.println("ready " + connector.getLocalPort());
        System.out.flush();
        server.join();
    }
}
