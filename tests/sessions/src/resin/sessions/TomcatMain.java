package resin.sessions;

import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Tomcat with sessions of that route: {@code TomcatMain PORT BASE ROUTE}. */
public final class TomcatMain {
    private TomcatMain() {}

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[1]);
        Connector connector = new Connector("HTTP/1.1");
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(Integer.parseInt(args[0]));
        connector.setProperty("maxKeepAliveRequests", "-1");
        tomcat.setConnector(connector);
        tomcat.getEngine().setJvmRoute(args[2]);
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "counter", new CounterServlet(args[2])).addMapping("/*");
        tomcat.start();
        System.out.println("ready " + connector.getLocalPort());
        System.out.flush();
        tomcat.getServer().await();
    }
}
