package netflix;

import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.discovery.DiscoveryClient;
import com.netflix.discovery.EurekaClient;
import com.netflix.discovery.EurekaClientConfig;
import com.netflix.discovery.Jersey3DiscoveryClientOptionalArgs;
import com.netflix.discovery.shared.transport.jersey3.Jersey3TransportClientFactories;

/** How a client of 2.x is made: it has to be given its transport. */
final class Transport {

    private Transport() {}

    static EurekaClient connect(ApplicationInfoManager self, EurekaClientConfig settings) {
        return new DiscoveryClient(
                self, settings, Jersey3TransportClientFactories.getInstance(), new Jersey3DiscoveryClientOptionalArgs());
    }
}
