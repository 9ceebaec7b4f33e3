package netflix;

import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo.InstanceStatus;
import com.netflix.appinfo.MyDataCenterInstanceConfig;
import com.netflix.appinfo.providers.EurekaConfigBasedInstanceInfoProvider;
import com.netflix.discovery.DefaultEurekaClientConfig;
import com.netflix.discovery.EurekaClient;

/**
 * A service on Netflix's own Eureka client (Maven Central), as it is released and without a framework around it.
 *
 * <p>It registers as STARTING, as Netflix's example does, and says UP once its routes answer; see {@link Control} for these
 * and eureka-client.properties for its environment. Both SIGTERM and {@code POST /stop} end it in the client's orderly way.
 */
public final class Application {

    private Application() {}

    public static void main(String[] args) throws Exception {
        System.setProperty("eureka.serviceUrl.default", System.getenv("EUREKA_URLS"));
        MyDataCenterInstanceConfig instance = new OnLoopback();
        ApplicationInfoManager self =
                new ApplicationInfoManager(instance, new EurekaConfigBasedInstanceInfoProvider(instance).get());
        EurekaClient client = Transport.connect(self, new DefaultEurekaClientConfig());
        Runtime.getRuntime().addShutdownHook(new Thread(client::shutdown, "shutdown"));
        new Control(client, self).listen(OnLoopback.ADDRESS, instance.getNonSecurePort());
        self.setInstanceStatus(InstanceStatus.UP);
    }

    /** What properties cannot say: this machine's address as tests want it, and the id that a test expects of every client. */
    private static final class OnLoopback extends MyDataCenterInstanceConfig {

        static final String ADDRESS = "127.0.0.1";

        @Override
        public String getHostName(boolean refresh) {
            return ADDRESS;
        }

        @Override
        public String getIpAddress() {
            return ADDRESS;
        }

        @Override
        public String getInstanceId() {
            return ADDRESS + ":" + getAppname().toLowerCase() + ":" + getNonSecurePort();
        }
    }
}
