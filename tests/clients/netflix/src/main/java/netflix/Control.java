package netflix;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.function.Predicate;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.InstanceInfo.InstanceStatus;
import com.netflix.discovery.EurekaClient;
import com.netflix.discovery.shared.Application;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

/**
 * The routes by which a test sees what the client sees and has it do what its user could do.
 *
 * <pre>
 * GET  /hello                   says who answers
 * GET  /seen                    the client's own cache: [{"app", "id", "status", "metadata"}]
 * GET  /ask/NAME                finds an instance of NAME in the cache, calls its /hello, passes the answer on
 * GET  /metrics                 how many instances it sees, for Prometheus
 * GET  /vip/VIP, /svip/VIP      getInstancesByVipAddress(VIP, false or true)
 * GET  /id/ID                   getInstancesById(ID): the cache, whatever the application
 * PUT  /status?value=STATUS     setInstanceStatus(STATUS): registers again with it
 * PUT  /health?value=STATUS     what a health check handler answers from now on
 * PUT  /metadata?key=value      registerAppMetadata: registers again with it
 * POST /stop                    ends, as after SIGTERM
 * </pre>
 */
final class Control {

    private static final Duration ASK_MAX = Duration.ofSeconds(5);

    private final EurekaClient client;
    private final ApplicationInfoManager self;
    private final HttpClient http = HttpClient.newHttpClient();
    private final ObjectMapper json = new ObjectMapper();

    Control(EurekaClient client, ApplicationInfoManager self) {
        this.client = client;
        this.self = self;
    }

    void listen(String address, int port) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getByName(address), port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", this::answer);
        server.start();
    }

    private void answer(HttpExchange exchange) throws IOException {
        Answer answer;
        try {
            answer = route(exchange.getRequestMethod(), exchange.getRequestURI());
        } catch (Exception problem) {
            answer = new Answer(500, problem.toString());
        }
        byte[] body = answer.body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(answer.status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
        // Only now, so that whoever asked for the end has heard that it comes.
        if (answer == Answer.ENDS) System.exit(0);
    }

    private Answer route(String method, URI uri) throws Exception {
        String[] path = uri.getPath().substring(1).split("/", 2);
        String argument = path.length > 1 ? path[1] : "";
        return switch (method + " " + path[0]) {
            case "GET hello" -> Answer.of("hello from java");
            case "GET seen" -> Answer.of(json.writeValueAsString(described(cached())));
            case "GET ask" -> Answer.of(ask(argument));
            case "GET metrics" -> Answer.of("demo_instances_seen " + cached().size() + "\n");
            case "GET vip" -> Answer.of(json.writeValueAsString(described(client.getInstancesByVipAddress(argument, false))));
            case "GET svip" -> Answer.of(json.writeValueAsString(described(client.getInstancesByVipAddress(argument, true))));
            case "GET id" -> Answer.of(json.writeValueAsString(described(byId(argument))));
            case "PUT status" -> setStatus(InstanceStatus.valueOf(parameter(uri)[1]));
            case "PUT health" -> setHealth(InstanceStatus.valueOf(parameter(uri)[1]));
            case "PUT metadata" -> setMetadata(parameter(uri));
            case "POST stop" -> Answer.ENDS;
            default -> new Answer(404, "no such route here");
        };
    }

    /** The one {@code key=value} of a query, decoded. */
    private static String[] parameter(URI uri) {
        String[] parts = String.valueOf(uri.getQuery()).split("=", 2);
        if (parts.length < 2) throw new IllegalArgumentException("a query key=value is needed");
        return parts;
    }

    private List<InstanceInfo> cached() {
        return client.getApplications().getRegisteredApplications().stream()
                .flatMap(application -> application.getInstances().stream()).toList();
    }

    @SuppressWarnings("unchecked") // LookupService is a raw type in Netflix's interface
    private List<InstanceInfo> byId(String id) {
        return client.getInstancesById(id);
    }

    private static List<Map<String, Object>> described(List<InstanceInfo> instances) {
        return instances.stream().map(instance -> Map.<String, Object>of(
                "app", instance.getAppName(),
                "id", instance.getId(),
                "status", instance.getStatus().name(),
                "metadata", instance.getMetadata())).toList();
    }

    private String ask(String name) throws Exception {
        Application application = client.getApplication(name);
        Predicate<InstanceInfo> isUp = instance -> instance.getStatus() == InstanceStatus.UP;
        InstanceInfo other = (application == null ? List.<InstanceInfo>of() : application.getInstances()).stream()
                .filter(isUp).findFirst()
                .orElseThrow(() -> new IllegalStateException("no instance of " + name + " is known here"));
        URI hello = URI.create("http://" + other.getIPAddr() + ":" + other.getPort() + "/hello");
        return http.send(HttpRequest.newBuilder(hello).timeout(ASK_MAX).build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    private Answer setStatus(InstanceStatus status) {
        if (status == InstanceStatus.OUT_OF_SERVICE) {
            // Eureka's rule: a server that has an instance UP keeps it UP when the instance itself says this.
            return new Answer(501, "a Netflix client cannot take itself out of service: its server keeps the UP it has");
        }
        self.setInstanceStatus(status);
        return Answer.of("");
    }

    private Answer setHealth(InstanceStatus status) {
        client.registerHealthCheck(current -> status);
        return Answer.of("");
    }

    private Answer setMetadata(String[] entry) {
        self.registerAppMetadata(Map.of(entry[0], entry[1]));
        return Answer.of("");
    }

    private record Answer(int status, String body) {
        static final Answer ENDS = new Answer(200, "");

        static Answer of(String body) {
            return new Answer(200, body);
        }
    }
}
