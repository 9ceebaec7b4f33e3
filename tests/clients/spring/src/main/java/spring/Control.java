package spring;

import java.time.Duration;
import java.util.List;
import java.util.Map;

import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.InstanceInfo.InstanceStatus;
import com.netflix.discovery.EurekaClient;
import org.springframework.boot.SpringApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.netflix.eureka.serviceregistry.EurekaRegistration;
import org.springframework.cloud.netflix.eureka.serviceregistry.EurekaServiceRegistry;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.http.HttpStatus;
import org.springframework.http.client.SimpleClientHttpRequestFactory;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/**
 * The routes by which a test sees what the client sees and has it do what its user could do.
 *
 * <pre>
 * GET  /hello                   says who answers
 * GET  /seen                    the client's own cache: [{"app", "id", "status", "metadata"}]
 * GET  /ask/NAME                finds NAME through Spring's DiscoveryClient, calls its /hello, passes the answer on
 * GET  /metrics                 how many instances it sees, for Prometheus
 * GET  /vip/VIP, /svip/VIP      getInstancesByVipAddress(VIP, false or true)
 * GET  /id/ID                   getInstancesById(ID): the cache, whatever the application
 * PUT  /status?value=STATUS     what Actuator's "serviceregistry" does: an override, set on the server
 * PUT  /state?value=STATUS      setInstanceStatus(STATUS): the client registers again with it
 * PUT  /health?value=STATUS     what a health check handler answers from now on
 * PUT  /metadata?key=value      registerAppMetadata: registers again with it
 * POST /stop                    ends, as after SIGTERM
 * </pre>
 */
@RestController
public class Control {

    private static final Duration ASK_MAX = Duration.ofSeconds(5);

    private final EurekaClient client;
    private final EurekaServiceRegistry registry;
    private final EurekaRegistration self;
    private final DiscoveryClient discovery;
    private final ConfigurableApplicationContext context;
    private final RestClient http;

    public Control(EurekaClient client, EurekaServiceRegistry registry, EurekaRegistration self, DiscoveryClient discovery,
            ConfigurableApplicationContext context) {
        this.client = client;
        this.registry = registry;
        this.self = self;
        this.discovery = discovery;
        this.context = context;
        SimpleClientHttpRequestFactory bounded = new SimpleClientHttpRequestFactory();
        bounded.setConnectTimeout(ASK_MAX);
        bounded.setReadTimeout(ASK_MAX);
        this.http = RestClient.builder().requestFactory(bounded).build();
    }

    @GetMapping("/hello")
    public String hello() {
        return "hello from java";
    }

    @GetMapping("/seen")
    public List<Map<String, Object>> seen() {
        return described(cached());
    }

    @GetMapping("/ask/{name}")
    public String ask(@PathVariable String name) {
        ServiceInstance instance = discovery.getInstances(name).stream().findFirst()
                .orElseThrow(() -> new IllegalStateException("no instance of " + name + " is known here"));
        return http.get().uri(instance.getUri() + "/hello").retrieve().body(String.class);
    }

    @GetMapping(path = "/metrics", produces = "text/plain")
    public String metrics() {
        return "demo_instances_seen " + cached().size() + "\n";
    }

    @GetMapping("/vip/{vip}")
    public List<Map<String, Object>> byVip(@PathVariable String vip) {
        return described(client.getInstancesByVipAddress(vip, false));
    }

    @GetMapping("/svip/{vip}")
    public List<Map<String, Object>> bySecureVip(@PathVariable String vip) {
        return described(client.getInstancesByVipAddress(vip, true));
    }

    @GetMapping("/id/{id}")
    @SuppressWarnings("unchecked") // LookupService is a raw type in Netflix's interface
    public List<Map<String, Object>> byId(@PathVariable String id) {
        return described(client.getInstancesById(id));
    }

    @PutMapping("/status")
    public void setStatus(@RequestParam InstanceStatus value) {
        registry.setStatus(self, value.name());
    }

    @PutMapping("/state")
    public void setState(@RequestParam InstanceStatus value) {
        self.getApplicationInfoManager().setInstanceStatus(value);
    }

    @PutMapping("/health")
    public void setHealth(@RequestParam InstanceStatus value) {
        client.registerHealthCheck(current -> value);
    }

    @PutMapping("/metadata")
    public void setMetadata(@RequestParam Map<String, String> entries) {
        self.getApplicationInfoManager().registerAppMetadata(entries);
    }

    @PostMapping("/stop")
    public void stop() {
        // In a thread of its own: the web server waits for its requests before it ends.
        new Thread(() -> System.exit(SpringApplication.exit(context)), "stop").start();
    }

    /** Answered, and not logged: what stands in the log is to come from the client. */
    @ExceptionHandler
    @ResponseStatus(HttpStatus.INTERNAL_SERVER_ERROR)
    public String failed(Exception problem) {
        return problem.toString();
    }

    private List<InstanceInfo> cached() {
        return client.getApplications().getRegisteredApplications().stream()
                .flatMap(application -> application.getInstances().stream()).toList();
    }

    private static List<Map<String, Object>> described(List<InstanceInfo> instances) {
        return instances.stream().map(instance -> Map.<String, Object>of(
                "app", instance.getAppName(),
                "id", instance.getId(),
                "status", instance.getStatus().name(),
                "metadata", instance.getMetadata())).toList();
    }
}
