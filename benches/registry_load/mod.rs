//! Entries as a busy cluster makes them, and a registry filled with them.
//!
//! Owns what the benches apply: registrations of about 1 KB, as Spring's clients send them, and
//! renewals by slot. It may not measure.

use eureka_raft::registry::{
    AppName, Command, DataCenter, Entry, Instance, InstanceId, InstanceStatus, LeaseTerms, LogTime,
    Origin, Port, Registration,
};

/// Instances of one application.
const PER_APPLICATION: u32 = 250;

/// The instance number `n`.
pub(crate) fn instance(n: u32) -> Instance {
    let app = format!("SERVICE-{:05}", n / PER_APPLICATION);
    let host = format!("host-{n:07}.internal.example.com");
    let url = |path: &str| Some(format!("http://{host}:8080/{path}").into());
    let pairs = (0..8).map(|k| {
        let key = format!("management.key.{k}").into();
        let value = format!("value-{n:07}-{}", "x".repeat(40)).into();
        (key, value)
    });
    Instance {
        id: InstanceId::new(&format!("{host}:service:8080")),
        app: AppName::new(&app),
        host_name: host.as_str().into(),
        ip_addr: format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255).into(),
        sid: None,
        status: InstanceStatus::Up,
        overridden: InstanceStatus::Unknown,
        port: Port {
            number: 8_080,
            enabled: true,
        },
        secure_port: Port {
            number: 443,
            enabled: false,
        },
        country_id: 1,
        data_center: DataCenter::MyOwn,
        lease: LeaseTerms {
            renewal_interval_secs: 30,
            duration_secs: 90,
        },
        metadata: pairs.collect(),
        app_group_name: None,
        home_page_url: url(""),
        status_page_url: url("actuator/info"),
        health_check_url: url("actuator/health"),
        secure_health_check_url: None,
        vip_address: Some(app.to_lowercase().into()),
        secure_vip_address: Some(app.to_lowercase().into()),
        asg_name: None,
        last_dirty_ms: Some(1_700_000_000_000),
    }
}

/// An entry of `commands` at lease time `lease_ms`.
pub(crate) fn entry(lease_ms: u64, commands: Vec<Command>) -> Entry {
    Entry {
        at: LogTime {
            wall_ms: 1_700_000_000_000 + lease_ms,
            lease_ms,
        },
        commands,
    }
}

/// The registration of instance `n`.
pub(crate) fn register(n: u32) -> Command {
    Command::Register(Box::new(Registration {
        instance: instance(n),
        origin: Origin::Client,
    }))
}

/// The renewal of the instance in `slot`, which was given away once.
pub(crate) fn renew(slot: u32) -> Command {
    Command::Renew {
        slot,
        generation: 1,
    }
}

/// Slots in an order that follows from a seed (xorshift).
pub(crate) struct Slots {
    state: u64,
    count: u32,
}

impl Slots {
    /// Slots below `count`.
    pub(crate) fn new(seed: u64, count: u32) -> Self {
        Self { state: seed, count }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % u64::from(self.count)) as u32
    }
}
