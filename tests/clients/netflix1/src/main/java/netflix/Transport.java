package netflix;

import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.discovery.DiscoveryClient;
import com.netflix.discovery.EurekaClient;
import com.netflix.discovery.EurekaClientConfig;

/** How a client of 1.x is made: Jersey 1 is built in. */
final class Transport {

    private Transport() {}

    static EurekaClient connect(ApplicationInfoManager self, EurekaClientConfig settings) {
        return new DiscoveryClient(self, settings);
    }
}
