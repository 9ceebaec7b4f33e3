//! A log to write tests with: it counts indexes and keeps the time.
//!
//! Owns [`Log`] and the instances tests register. After every entry the registry's invariants are
//! checked, so each test is also a test of those.

use std::sync::Arc;

use eureka_raft::registry::{
    ActionType, AppName, Command, DataCenter, Entry, Instance, InstanceId, InstanceStatus,
    LeaseTerms, LogTime, Origin, Outcome, Port, Record, Registration, Registry, View,
};

/// Wall time zero of every test.
pub(crate) const WALL_START_MS: u64 = 1_700_000_000_000;

/// A registry and the log that made it.
pub(crate) struct Log {
    pub(crate) registry: Registry,
    pub(crate) now: LogTime,
}

impl Log {
    pub(crate) fn new() -> Self {
        let now = LogTime {
            wall_ms: WALL_START_MS,
            lease_ms: 0,
        };
        Self {
            registry: Registry::new(),
            now,
        }
    }

    /// Lets both clocks run.
    pub(crate) fn pass_ms(&mut self, ms: u64) -> &mut Self {
        self.now.wall_ms += ms;
        self.now.lease_ms += ms;
        self
    }

    /// One entry of these commands.
    pub(crate) fn entry(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        let at = self.now;
        let index = self.registry.index() + 1;
        let outcomes = self.registry.apply_owned(index, Entry { at, commands });
        self.registry.assert_invariants();
        outcomes
    }

    /// One entry of one command.
    pub(crate) fn one(&mut self, command: Command) -> Outcome {
        self.entry(vec![command])[0]
    }

    pub(crate) fn register(&mut self, instance: Instance) -> Outcome {
        self.one(register(instance, Origin::Client))
    }

    pub(crate) fn evict(&mut self) -> Outcome {
        self.one(Command::Evict { max: 1_000 })
    }

    /// A heartbeat of the instance by name, without a timestamp.
    pub(crate) fn heartbeat(&mut self, app: &str, id: &str) -> Outcome {
        self.one(renew_by_name(app, id, None, Origin::Client))
    }

    pub(crate) fn cancel(&mut self, app: &str, id: &str) -> Outcome {
        self.one(Command::Cancel {
            app: AppName::new(app),
            id: InstanceId::new(id),
        })
    }

    pub(crate) fn view(&self) -> View {
        self.registry.view()
    }

    pub(crate) fn record(&self, app: &str, id: &str) -> Option<Arc<Record>> {
        let view = self.view();
        view.instance(&AppName::new(app), &InstanceId::new(id))
            .cloned()
    }

    /// The status shown, or `None` if it is not registered.
    pub(crate) fn status(&self, app: &str, id: &str) -> Option<InstanceStatus> {
        self.record(app, id).map(|record| record.status)
    }

    /// The last change of the log: what happened, to whom, and with which status.
    pub(crate) fn last_change(&self) -> Option<(ActionType, String, InstanceStatus)> {
        let view = self.view();
        let change = view.recent_changes().last()?;
        let id = change.record.instance.id.to_string();
        Some((change.action, id, change.record.status))
    }
}

/// An instance with every default, UP, without a timestamp.
pub(crate) fn instance(app: &str, id: &str) -> Instance {
    Instance {
        id: InstanceId::new(id),
        app: AppName::new(app),
        host_name: format!("{id}.example").into(),
        ip_addr: "10.0.0.1".into(),
        sid: None,
        status: InstanceStatus::Up,
        overridden: InstanceStatus::Unknown,
        port: Port {
            number: 7001,
            enabled: true,
        },
        secure_port: Port {
            number: 7002,
            enabled: false,
        },
        country_id: 1,
        data_center: DataCenter::MyOwn,
        lease: LeaseTerms::default(),
        metadata: Vec::new(),
        app_group_name: None,
        home_page_url: None,
        status_page_url: None,
        health_check_url: None,
        secure_health_check_url: None,
        vip_address: None,
        secure_vip_address: None,
        asg_name: None,
        last_dirty_ms: None,
    }
}

/// The same in another status, with a timestamp.
pub(crate) fn dated(status: InstanceStatus, last_dirty_ms: u64) -> Instance {
    Instance {
        status,
        last_dirty_ms: Some(last_dirty_ms),
        ..instance("APP", "i1")
    }
}

pub(crate) fn register(instance: Instance, origin: Origin) -> Command {
    Command::Register(Box::new(Registration { instance, origin }))
}

pub(crate) fn renew_by_name(
    app: &str,
    id: &str,
    last_dirty_ms: Option<u64>,
    origin: Origin,
) -> Command {
    Command::RenewByName {
        app: AppName::new(app),
        id: InstanceId::new(id),
        last_dirty_ms,
        origin,
        overridden: None,
    }
}

pub(crate) fn renew(record: &Record) -> Command {
    Command::Renew {
        slot: record.slot,
        generation: record.generation,
    }
}

pub(crate) fn put_status(id: &str, status: InstanceStatus, last_dirty_ms: Option<u64>) -> Command {
    Command::PutStatus {
        app: AppName::new("APP"),
        id: InstanceId::new(id),
        status,
        last_dirty_ms,
    }
}

pub(crate) fn delete_status(
    id: &str,
    status: InstanceStatus,
    last_dirty_ms: Option<u64>,
) -> Command {
    Command::DeleteStatus {
        app: AppName::new("APP"),
        id: InstanceId::new(id),
        status,
        last_dirty_ms,
    }
}

pub(crate) fn put_metadata(id: &str, entries: &[(&str, &str)]) -> Command {
    Command::PutMetadata {
        app: AppName::new("APP"),
        id: InstanceId::new(id),
        entries: pairs(entries),
    }
}

pub(crate) fn pairs(entries: &[(&str, &str)]) -> Vec<(Box<str>, Box<str>)> {
    let pair = |(key, value): &(&str, &str)| ((*key).into(), (*value).into());
    entries.iter().map(pair).collect()
}
