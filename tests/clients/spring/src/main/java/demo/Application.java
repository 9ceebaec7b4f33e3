package demo;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import com.netflix.appinfo.InstanceInfo;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.netflix.eureka.EurekaServiceInstance;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/**
 * A Spring Boot service that registers with Spring Cloud's Eureka client (Maven Central), as it is released.
 *
 * <p>Shows that it registers, renews, finds the other services and calls them by name, and cancels itself when it is stopped.
 *
 * <pre>
 * GET /hello        says who answers
 * GET /seen         what this client's own cache holds: {"APPLICATION": [{"id", "status", "language"}]}
 * GET /ask/NAME     finds NAME through the DiscoveryClient, calls its /hello and passes the answer on
 * GET /metrics      how many instances it sees, for Prometheus
 * </pre>
 *
 * <p>Environment: PORT, EUREKA_URLS (comma-separated), RENEWAL_SECONDS, LEASE_SECONDS; see application.yml.
 */
@SpringBootApplication
@RestController
public class Application {

    private final DiscoveryClient discovery;
    private final RestClient http = RestClient.create();

    public Application(DiscoveryClient discovery) {
        this.discovery = discovery;
    }

    public static void main(String[] args) {
        SpringApplication.run(Application.class, args);
    }

    @GetMapping("/hello")
    public String hello() {
        return "hello from java";
    }

    @GetMapping("/seen")
    public Map<String, List<Map<String, String>>> seen() {
        Map<String, List<Map<String, String>>> view = new TreeMap<>();
        for (String name : discovery.getServices()) {
            view.put(name.toUpperCase(), discovery.getInstances(name).stream().map(Application::describe).toList());
        }
        return view;
    }

    @GetMapping("/ask/{name}")
    public String ask(@PathVariable String name) {
        ServiceInstance instance = discovery.getInstances(name).stream().findFirst()
                .orElseThrow(() -> new IllegalStateException("no instance of " + name + " is known here"));
        return http.get().uri(instance.getUri() + "/hello").retrieve().body(String.class);
    }

    @GetMapping(path = "/metrics", produces = "text/plain")
    public String metrics() {
        return "demo_instances_seen " + seen().values().stream().mapToInt(List::size).sum() + "\n";
    }

    private static Map<String, String> describe(ServiceInstance instance) {
        InstanceInfo.InstanceStatus status = ((EurekaServiceInstance) instance).getInstanceInfo().getStatus();
        return Map.of(
                "id", instance.getInstanceId(),
                "status", status.name(),
                "language", instance.getMetadata().getOrDefault("language", ""));
    }
}
