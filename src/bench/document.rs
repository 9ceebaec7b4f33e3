//! The requests a generator sends.
//!
//! Owns what a client says: registrations of about 1 KB with hosts, addresses, timestamps and commits
//! of their own (else compression and sharing look better than they are), renewals and cancels. The
//! same seed and number give the same instance. It may not know when a request is sent.

use std::io::Write;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Instances of one application.
const INSTANCES_PER_APP: u64 = 20;

/// The earliest `lastDirtyTimestamp`, ms since the epoch: November 2023.
const DIRTY_MS: u64 = 1_700_000_000_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// POST a whole document; request n registers instance n.
    Register,
    /// PUT a heartbeat; request n renews instance n modulo `instances`.
    Renew {
        /// How many are registered.
        instances: u64,
    },
    /// DELETE; request n cancels instance n.
    Cancel,
}

/// A kind of request for the instances of one seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requests {
    /// What is asked for.
    pub(super) ask: Ask,
    /// Which instances: two seeds share none.
    pub(super) seed: u64,
    /// The number of the first instance.
    pub(super) first: u64,
}

impl Requests {
    /// Appends request `number` to `host` to `out`.
    pub(super) fn write(&self, number: u64, host: &str, out: &mut Vec<u8>) {
        let place = match self.ask {
            Ask::Renew { instances } => number % instances,
            Ask::Register | Ask::Cancel => number,
        };
        let instance = Instance::new(self.seed, self.first + place);
        let written = match self.ask {
            Ask::Register => instance.write_register(host, out),
            Ask::Renew { .. } => instance.write_renew(host, out),
            Ask::Cancel => instance.write_cancel(host, out),
        };
        written.expect("a Vec takes every byte");
    }
}

/// What tells one instance from another.
struct Instance {
    number: u64,
    app: String,
    id: String,
    dirty_ms: u64,
    random: SmallRng,
}

impl Instance {
    fn new(seed: u64, number: u64) -> Self {
        // Neighbouring seeds and numbers must not give neighbouring instances.
        let mixed = seed.rotate_left(32) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = SmallRng::seed_from_u64(mixed);
        let host: u32 = random.random();
        let app = format!("BENCH-{seed}-{}", number / INSTANCES_PER_APP);
        Self {
            id: format!("host-{host:08x}.bench.internal:{number}:8080"),
            app,
            number,
            dirty_ms: DIRTY_MS + random.random_range(0..50_000_000_000),
            random,
        }
    }

    fn write_renew(&self, host: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
        let Self {
            app, id, dirty_ms, ..
        } = self;
        write!(
            out,
            "PUT /eureka/apps/{app}/{id}?status=UP&lastDirtyTimestamp={dirty_ms} HTTP/1.1\r\n\
             Host: {host}\r\nUser-Agent: eureka-raft-bench\r\nAccept: application/json\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    fn write_cancel(&self, host: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
        let Self { app, id, .. } = self;
        write!(
            out,
            "DELETE /eureka/apps/{app}/{id} HTTP/1.1\r\n\
             Host: {host}\r\nUser-Agent: eureka-raft-bench\r\n\r\n"
        )
    }

    fn write_register(mut self, host: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
        let body = self.document();
        write!(
            out,
            "POST /eureka/apps/{} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: eureka-raft-bench\r\n\
             Accept: application/json\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.app,
            body.len()
        )?;
        out.write_all(body.as_bytes())
    }

    /// As Spring Cloud's client writes it.
    fn document(&mut self) -> String {
        let [b, c, d]: [u8; 3] = self.random.random();
        let ip = format!("10.{b}.{c}.{d}");
        let commit: [u64; 2] = self.random.random();
        let zone = ["zone-a", "zone-b", "zone-c"][(self.number % 3) as usize];
        let Self {
            app, id, dirty_ms, ..
        } = self;
        let vip = app.to_lowercase();
        format!(
            "{{\"instance\":{{\"instanceId\":\"{id}\",\"hostName\":\"{ip}\",\"app\":\"{app}\",\
             \"ipAddr\":\"{ip}\",\"status\":\"UP\",\"overriddenStatus\":\"UNKNOWN\",\
             \"port\":{{\"$\":8080,\"@enabled\":\"true\"}},\
             \"securePort\":{{\"$\":443,\"@enabled\":\"false\"}},\"countryId\":1,\
             \"dataCenterInfo\":{{\
             \"@class\":\"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo\",\
             \"name\":\"MyOwn\"}},\
             \"leaseInfo\":{{\"renewalIntervalInSecs\":30,\"durationInSecs\":90,\
             \"registrationTimestamp\":0,\"lastRenewalTimestamp\":0,\"evictionTimestamp\":0,\
             \"serviceUpTimestamp\":0}},\
             \"metadata\":{{\"management.port\":\"8081\",\"zone\":\"{zone}\",\
             \"version\":\"1.27.3\",\"commit\":\"{:016x}{:016x}\"}},\
             \"homePageUrl\":\"http://{ip}:8080/\",\
             \"statusPageUrl\":\"http://{ip}:8081/actuator/info\",\
             \"healthCheckUrl\":\"http://{ip}:8081/actuator/health\",\
             \"vipAddress\":\"{vip}\",\"secureVipAddress\":\"{vip}\",\
             \"isCoordinatingDiscoveryServer\":\"false\",\
             \"lastUpdatedTimestamp\":\"{dirty_ms}\",\"lastDirtyTimestamp\":\"{dirty_ms}\"}}}}",
            commit[0], commit[1]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(requests: Requests, number: u64) -> String {
        let mut out = Vec::new();
        requests.write(number, "h:1", &mut out);
        String::from_utf8(out).unwrap()
    }

    fn requests(ask: Ask) -> Requests {
        Requests {
            ask,
            seed: 1,
            first: 0,
        }
    }

    #[test]
    fn a_registration_is_a_document_of_about_one_kilobyte() {
        let request = text(requests(Ask::Register), 42);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /eureka/apps/BENCH-1-2 HTTP/1.1\r\nHost: h:1\r\n"));
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        assert!((900..1_300).contains(&body.len()), "{}", body.len());
        let document: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(document["instance"]["app"], "BENCH-1-2");
    }

    #[test]
    fn renewals_go_round_and_name_what_was_registered() {
        let registered = text(requests(Ask::Register), 3);
        let (_, body) = registered.split_once("\r\n\r\n").unwrap();
        let document: serde_json::Value = serde_json::from_str(body).unwrap();
        let id = document["instance"]["instanceId"].as_str().unwrap();
        let dirty = document["instance"]["lastDirtyTimestamp"].as_str().unwrap();
        let renew = text(requests(Ask::Renew { instances: 10 }), 13);
        let line = format!(
            "PUT /eureka/apps/BENCH-1-0/{id}?status=UP&lastDirtyTimestamp={dirty} HTTP/1.1\r\n"
        );
        assert!(renew.starts_with(&line), "{renew}");
        let cancel = text(requests(Ask::Cancel), 3);
        assert!(cancel.starts_with(&format!("DELETE /eureka/apps/BENCH-1-0/{id} HTTP")));
    }

    #[test]
    fn instances_differ_and_seeds_repeat() {
        let register = requests(Ask::Register);
        assert_eq!(text(register, 7), text(register, 7));
        assert_ne!(text(register, 7), text(register, 8));
        let other = Requests {
            seed: 2,
            ..register
        };
        assert_ne!(text(register, 7), text(other, 7));
    }
}
