package spring;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/**
 * A Spring Boot service on Spring Cloud's Eureka client (Maven Central), as it is released.
 *
 * <p>Registering, renewing, fetching and cancelling are Spring's; {@link Control} has the routes by which a test watches
 * them, and application.yml the environment.
 */
@SpringBootApplication
public class Application {

    public static void main(String[] args) {
        SpringApplication.run(Application.class, args);
    }
}
