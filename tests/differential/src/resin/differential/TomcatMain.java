package resin.differential;

import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Tomcat with nothing but the echo: {@code TomcatMain PORT BASE}. It takes whatever it can be told to take. */
public final class TomcatMain {
    private TomcatMain() {}

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[1]);
        Connector connector = new Connector("HTTP/1.1");
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(port);
        connector.setProperty("server", "tomcat");
        connector.setAllowTrace(true);
        connector.setURIEncoding("ISO-8859-1");
        connector.setProperty("relaxedPathChars", "\"<>[\\]^`{|}");
        connector.setProperty("relaxedQueryChars", "\"<>[\\]^`{|}");
        connector.setProperty("encodedSolidusHandling", "passthrough");
        connector.setProperty("encodedReverseSolidusHandling", "passthrough");
        connector.setProperty("maxKeepAliveRequests", "-1");
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        // All trailer fields there are: Tomcat wants them named.
        connector.setProperty("allowedTrailerHeaders", "x-sum,x-late,content-length,transfer-encoding,"
                + "host,authorization,content-type,x-case,cookie,connection,te,trailer");
        Tomcat.addServlet(context, "echo", new EchoServlet()).addMapping("/*");
        tomcat.start();
        System.out.println("ready " + connector.getLocalPort() + " " + Journal.serve());
        System.out.flush();
        tomcat.getServer().await();
    }
}
