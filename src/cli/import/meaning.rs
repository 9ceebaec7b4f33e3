//! What each key of a Eureka server's configuration means here.
//!
//! Owns the table of known keys, under their canonical names, with the reason of each that has no
//! meaning here. It may not read a value.

/// What becomes of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// `server.port`.
    Port,
    /// `server.address`.
    Address,
    /// `eureka.instance.hostname`.
    HostName,
    /// `eureka.client.service-url.*`: the other servers.
    Peers,
    /// A flag of this key.
    Flag(&'static str),
    /// A fraction of this key.
    Fraction(&'static str),
    /// Milliseconds there, a duration of this key here.
    Millis(&'static str),
    /// Known, and why there is nothing for it here.
    Without(&'static str),
    /// As [`Meaning::Without`]; its value is a secret and not repeated.
    Secret(&'static str),
    /// Begins like a key of Eureka's and is none that is known here.
    Unknown,
    /// Not about a registry.
    Foreign,
}

use Meaning::{
    Address, Flag, Foreign, Fraction, HostName, Millis, Peers, Port, Secret, Unknown, Without,
};

const NO_CACHE: &str = "there is no such cache: an answer shows every write before it";
const DURABLE: &str = "the registry is on disk: a node never starts with an empty one";
const LOG_REPLICATES: &str =
    "the Raft log replicates, and a write is on a majority before it is acknowledged";
const OWN_INTERVALS: &str = "each lease's own interval counts, and the threshold follows at once";
const NO_AMAZON: &str = "nothing here asks Amazon";
const NO_REGIONS: &str =
    "there are no remote regions: ?regions= is answered with the local registry";
const NO_RATE_LIMITER: &str = "there is no rate limiter; [limits] bounds what waits";
const NO_CLIENT: &str =
    "a node is no client of itself; clients keep this in their own files, unchanged";
const NO_TLS: &str = "there is no TLS yet: put a proxy in front, or keep it on a private network";
const NO_LOGIN: &str = "there is no authentication yet: put a proxy in front";
const ONE_PAGE: &str = "the page is always at /";
const ONE_CODEC: &str = "there is one codec for each format, with Eureka's bytes";
const ONLY_SHOWN: &str = "was only shown on Eureka's page";

/// Whole keys. Those of `eureka.server.*` also stand for Netflix's `eureka.*`.
const KEYS: &[(&str, Meaning)] = &[
    ("server.port", Port),
    ("server.address", Address),
    ("eureka.instance.hostname", HostName),
    (
        "eureka.server.enableselfpreservation",
        Flag("protection.enabled"),
    ),
    (
        "eureka.server.renewalpercentthreshold",
        Fraction("protection.renewal_percent_threshold"),
    ),
    (
        "eureka.server.evictionintervaltimerinms",
        Millis("lease.sweep"),
    ),
    (
        "eureka.server.retentiontimeinmsindeltaqueue",
        Millis("delta.retention"),
    ),
    (
        "eureka.server.deltaretentiontimerintervalinms",
        Without("old changes go as newer ones come"),
    ),
    (
        "eureka.server.disabledelta",
        Without("deltas are always served"),
    ),
    (
        "eureka.server.disabledeltaforremoteregions",
        Without(NO_REGIONS),
    ),
    (
        "eureka.server.expectedclientrenewalintervalseconds",
        Without(OWN_INTERVALS),
    ),
    (
        "eureka.server.renewalthresholdupdateintervalms",
        Without(OWN_INTERVALS),
    ),
    ("eureka.server.usereadonlyresponsecache", Without(NO_CACHE)),
    (
        "eureka.server.shouldusereadonlyresponsecache",
        Without(NO_CACHE),
    ),
    ("eureka.server.waittimeinmswhensyncempty", Without(DURABLE)),
    ("eureka.server.registrysyncretries", Without(DURABLE)),
    ("eureka.server.numberregistrysyncretries", Without(DURABLE)),
    ("eureka.server.registrysyncretrywaitms", Without(DURABLE)),
    (
        "eureka.server.numberofreplicationretries",
        Without(LOG_REPLICATES),
    ),
    ("eureka.server.batchreplication", Without(LOG_REPLICATES)),
    (
        "eureka.server.enablereplicatedrequestcompression",
        Without(LOG_REPLICATES),
    ),
    (
        "eureka.server.syncwhentimestampdiffers",
        Without("timestamps are always compared"),
    ),
    (
        "eureka.server.minavailableinstancesforpeerreplication",
        Without("/eureka/status says it by quorum"),
    ),
    ("eureka.server.useawsasgapi", Without(NO_AMAZON)),
    ("eureka.server.bindingstrategy", Without(NO_AMAZON)),
    ("eureka.server.jsoncodecname", Without(ONE_CODEC)),
    ("eureka.server.xmlcodecname", Without(ONE_CODEC)),
    (
        "eureka.server.logidentityheaders",
        Without("requests are counted in /metrics"),
    ),
    ("eureka.server.homeregion", Without(NO_REGIONS)),
    (
        "eureka.server.disabletransparentfallbacktootherregion",
        Without(NO_REGIONS),
    ),
    (
        "eureka.server.myurl",
        Without("nodes know each other by name, not by URL"),
    ),
    (
        "eureka.server.primeawsreplicaconnections",
        Without(NO_AMAZON),
    ),
    ("eureka.environment", Without(ONLY_SHOWN)),
    ("eureka.datacenter", Without(ONLY_SHOWN)),
    (
        "server.servlet.contextpath",
        Without("paths are /eureka, /eureka/v2, /v2 and /: a prefix needs a proxy"),
    ),
];

/// The beginnings of keys, the longest first.
const PREFIXES: &[(&str, Meaning)] = &[
    ("eureka.instance.registry.", Without(DURABLE)),
    ("eureka.client.serviceurl.", Peers),
    ("eureka.client.tls.", Secret(NO_TLS)),
    ("eureka.client.", Without(NO_CLIENT)),
    ("eureka.instance.", Without(NO_CLIENT)),
    ("eureka.dashboard.", Without(ONE_PAGE)),
    ("eureka.server.responsecache", Without(NO_CACHE)),
    (
        "eureka.server.initialcapacityofresponsecache",
        Without(NO_CACHE),
    ),
    ("eureka.server.peer", Without(LOG_REPLICATES)),
    ("eureka.server.ratelimiter", Without(NO_RATE_LIMITER)),
    ("eureka.server.remoteregion", Without(NO_REGIONS)),
    ("eureka.server.maxelementsin", Without(LOG_REPLICATES)),
    ("eureka.server.maxidlethread", Without(LOG_REPLICATES)),
    ("eureka.server.maxthreadsfor", Without(LOG_REPLICATES)),
    ("eureka.server.minthreadsfor", Without(LOG_REPLICATES)),
    (
        "eureka.server.maxtimeforreplication",
        Without(LOG_REPLICATES),
    ),
    ("eureka.server.aws", Secret(NO_AMAZON)),
    ("eureka.server.asg", Without(NO_AMAZON)),
    ("eureka.server.eip", Without(NO_AMAZON)),
    ("eureka.server.route53", Without(NO_AMAZON)),
    ("eureka.server.listautoscaling", Without(NO_AMAZON)),
    ("server.ssl.", Secret(NO_TLS)),
    ("spring.security.user.", Secret(NO_LOGIN)),
    ("eureka.", Unknown),
];

/// Netflix's names of what Spring has under `eureka.client.` and `eureka.instance.`.
const NETFLIX: &[(&str, &str)] = &[
    ("eureka.serviceurl.", "eureka.client.serviceurl."),
    ("eureka.registration.", "eureka.client.registration."),
    ("eureka.name", "eureka.instance.appname"),
    ("eureka.vipaddress", "eureka.instance.vipaddress"),
    ("eureka.shouldfetchregistry", "eureka.client.fetchregistry"),
    (
        "eureka.shouldusedns",
        "eureka.client.usednsforfetchingserviceurls",
    ),
    (
        "eureka.prefersamezone",
        "eureka.client.prefersamezoneeureka",
    ),
    ("eureka.region", "eureka.client.region"),
    (
        "eureka.availabilityzones.",
        "eureka.client.availabilityzones.",
    ),
    ("eureka.decodername", "eureka.client.decodername"),
];

/// What the property of this canonical name means.
pub(super) fn of(name: &str) -> Meaning {
    match known(name) {
        Some(Unknown) => netflix(name).unwrap_or(Unknown),
        Some(meaning) => meaning,
        None => Foreign,
    }
}

fn known(name: &str) -> Option<Meaning> {
    let whole = KEYS.iter().find(|(key, _)| *key == name);
    let begun = || PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    whole.or_else(begun).map(|(_, meaning)| *meaning)
}

/// Netflix's own server has no `server.` in its keys, and dots where Spring has dashes.
fn netflix(name: &str) -> Option<Meaning> {
    let renamed = NETFLIX
        .iter()
        .find_map(|(theirs, ours)| Some(format!("{ours}{}", name.strip_prefix(theirs)?)));
    let server = || {
        let rest = name.strip_prefix("eureka.")?;
        let rest = rest.strip_prefix("server.").unwrap_or(rest);
        Some(format!("eureka.server.{}", rest.replace('.', "")))
    };
    let name = renamed.or_else(server)?;
    known(&name).filter(|meaning| *meaning != Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::properties::canonical;
    use super::*;

    #[test]
    fn springs_and_netflixs_names_of_a_key_mean_the_same() {
        let protection = Flag("protection.enabled");
        let table = [
            ("eureka.server.enable-self-preservation", protection),
            ("eureka.server.enableSelfPreservation", protection),
            ("eureka.enableSelfPreservation", protection),
            ("EUREKA.SERVER.ENABLE_SELF_PRESERVATION", protection),
            ("eureka.client.service-url.defaultZone", Peers),
            ("eureka.client.serviceUrl.defaultZone", Peers),
            ("eureka.serviceUrl.default", Peers),
            ("eureka.rateLimiter.enabled", Without(NO_RATE_LIMITER)),
            (
                "eureka.server.rate-limiter-enabled",
                Without(NO_RATE_LIMITER),
            ),
            (
                "eureka.server.retention-time-in-m-s-in-delta-queue",
                Millis("delta.retention"),
            ),
            (
                "eureka.instance.registry.default-open-for-traffic-count",
                Without(DURABLE),
            ),
            ("eureka.shouldFetchRegistry", Without(NO_CLIENT)),
            ("spring.security.user.password", Secret(NO_LOGIN)),
            ("eureka.server.no-such-thing", Unknown),
            ("eureka.noSuchThing", Unknown),
            ("spring.application.name", Foreign),
        ];
        for (key, meaning) in table {
            assert_eq!(of(&canonical(key)), meaning, "{key}");
        }
    }
}
