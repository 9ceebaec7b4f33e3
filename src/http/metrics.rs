//! Counters.
//!
//! Owns what `/metrics` says about HTTP and, from the node's status, about the node. It may not label
//! by application or instance: the number of series is closed, whatever clients send.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::node::{AlarmKind, NodeStatus, WriteError, Written};
use crate::registry::{Command, InstanceStatus, Outcome};

type Level = Gauge<u64, AtomicU64>;
/// A gauge with its name and what it says.
type Described<'a> = (&'static str, &'static str, &'a Level);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlarmLabel {
    alarm: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectionLabel {
    reason: &'static str,
}

/// Why a connection was ended before a route could answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// As many were open as may be.
    TooManyConnections,
    /// What it sent is no HTTP request, or its headers are too large.
    Malformed,
    /// Its request did not come in time.
    TooSlow,
}

impl Rejection {
    const fn label(self) -> &'static str {
        match self {
            Self::TooManyConnections => "too_many_connections",
            Self::Malformed => "malformed",
            Self::TooSlow => "too_slow",
        }
    }
}

/// What a write means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteKind {
    /// POST of an instance.
    Registration,
    /// PUT of an instance.
    Renewal,
    /// DELETE of an instance.
    Cancellation,
    /// PUT or DELETE of a status.
    Status,
    /// PUT of metadata.
    Metadata,
}

/// Every counter of the HTTP side and every gauge it fills from the node.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabel, Histogram>,
    writes: Family<WriteLabels, Counter>,
    connections: Level,
    rejected: Family<RejectionLabel, Counter>,
    node: NodeGauges,
}

#[derive(Default)]
struct NodeGauges {
    applications: Level,
    instances: Family<StatusLabel, Level>,
    is_leader: Level,
    has_leader: Level,
    term: Level,
    last: Level,
    committed: Level,
    applied: Level,
    snapshot: Level,
    hash_checked: Level,
    receiving: Level,
    refused: Level,
    protection_active: Level,
    leases: Level,
    silent: Level,
    resident_bytes: Level,
    disk_free_bytes: Level,
    disk_total_bytes: Level,
    disk_free_inodes: Level,
    disk_stalls: Counter,
    alarms: Family<AlarmLabel, Level>,
}

/// Counts an open connection while it lives.
#[derive(Debug)]
pub(super) struct OpenConnection(Level);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn duration_histogram() -> Histogram {
    // 0.25 ms to 8 s, each twice the one before.
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Metrics {
    pub(super) fn new(mut registry: Registry) -> Self {
        let durations: Family<RouteLabel, Histogram> =
            Family::new_with_constructor(duration_histogram);
        let metrics = Self {
            requests: Family::default(),
            durations,
            writes: Family::default(),
            connections: Level::default(),
            rejected: Family::default(),
            node: NodeGauges::default(),
            registry: Registry::default(),
        };
        let ours = registry.sub_registry_with_prefix("eureka_raft");
        metrics.register_http(ours);
        metrics.node.register(ours);
        Self {
            registry,
            ..metrics
        }
    }

    fn register_http(&self, to: &mut Registry) {
        to.register(
            "http_requests",
            "Requests answered, by route, method and status code",
            self.requests.clone(),
        );
        to.register_with_unit(
            "http_request_duration",
            "From a request to its answer, by route",
            Unit::Seconds,
            self.durations.clone(),
        );
        to.register(
            "http_connections",
            "Open connections",
            self.connections.clone(),
        );
        to.register(
            "http_rejected",
            "Connections ended without an answer of a route, by reason",
            self.rejected.clone(),
        );
        to.register(
            "writes",
            "Writes of this node's clients, by kind and result",
            self.writes.clone(),
        );
    }

    /// Counts one answer.
    pub(super) fn answered(
        &self,
        route: &'static str,
        method: &Method,
        code: StatusCode,
        took: Duration,
    ) {
        let labels = RequestLabels {
            route,
            method: method_label(method),
            code: code.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&RouteLabel { route })
            .observe(took.as_secs_f64());
    }

    /// Counts one write.
    pub(super) fn wrote(&self, kind: WriteKind, written: &Result<Written, WriteError>) {
        let labels = WriteLabels {
            kind: kind.label(),
            result: result_label(written),
        };
        self.writes.get_or_create(&labels).inc();
    }

    /// Counts a connection until the returned guard is dropped.
    pub(super) fn open_connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// Counts a connection ended by us.
    pub(super) fn rejected(&self, reason: Rejection) {
        let labels = RejectionLabel {
            reason: reason.label(),
        };
        self.rejected.get_or_create(&labels).inc();
    }

    /// The text of `/metrics`, with the gauges as `status` and `instances` have them now.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub(super) fn text(
        &self,
        status: &NodeStatus,
        instances: &[(InstanceStatus, u64)],
    ) -> Result<String, fmt::Error> {
        self.node.fill(status, instances);
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

impl NodeGauges {
    fn register(&self, to: &mut Registry) {
        to.register("apps", "Applications", self.applications.clone());
        to.register("instances", "Instances by status", self.instances.clone());
        for (name, help, gauge) in self.of_raft().into_iter().chain(self.of_the_node()) {
            to.register(name, help, gauge.clone());
        }
        to.register(
            "alarm_active",
            "1 while an alarm of this kind is up",
            self.alarms.clone(),
        );
        to.register(
            "disk_stalls",
            "How often a sync of the log did not end in time",
            self.disk_stalls.clone(),
        );
        let build = Family::<[(&'static str, &'static str); 1], Level>::default();
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        to.register("build_info", "Always 1; its label is the version", build);
    }

    fn of_raft(&self) -> [Described<'_>; 10] {
        [
            ("raft_is_leader", "1 if this node leads", &self.is_leader),
            (
                "raft_has_leader",
                "1 if it knows a leader",
                &self.has_leader,
            ),
            ("raft_term", "The current term", &self.term),
            ("raft_last_log_index", "The last entry held", &self.last),
            (
                "raft_commit_index",
                "The last committed entry",
                &self.committed,
            ),
            (
                "raft_applied_index",
                "The last applied entry",
                &self.applied,
            ),
            (
                "raft_snapshot_index",
                "The last entry in the snapshot",
                &self.snapshot,
            ),
            (
                "state_hash_last_checked_index",
                "The last entry at which this node's state was that of a majority",
                &self.hash_checked,
            ),
            (
                "raft_snapshot_receiving_bytes",
                "Bytes here of the snapshot that is coming in, 0 if none is",
                &self.receiving,
            ),
            (
                "raft_snapshots_refused",
                "Snapshots that came in and were refused, since the start",
                &self.refused,
            ),
        ]
    }

    fn of_the_node(&self) -> [Described<'_>; 7] {
        [
            (
                "protection_active",
                "1 while nobody is evicted",
                &self.protection_active,
            ),
            ("protection_leases", "Leases held", &self.leases),
            (
                "protection_silent",
                "Leases that missed a renewal",
                &self.silent,
            ),
            ("resident_bytes", "Memory in use", &self.resident_bytes),
            (
                "disk_free_bytes",
                "Bytes this node may still use on its volume",
                &self.disk_free_bytes,
            ),
            (
                "disk_total_bytes",
                "Bytes of that volume",
                &self.disk_total_bytes,
            ),
            (
                "disk_free_inodes",
                "Files it may still create there",
                &self.disk_free_inodes,
            ),
        ]
    }

    fn fill(&self, status: &NodeStatus, instances: &[(InstanceStatus, u64)]) {
        self.applications.set(status.registry.applications);
        for (status, count) in instances {
            let status = status.as_str();
            self.instances
                .get_or_create(&StatusLabel { status })
                .set(*count);
        }
        self.is_leader.set(u64::from(status.node.role == "leader"));
        self.has_leader
            .set(u64::from(status.cluster.leader.is_some()));
        self.term.set(status.cluster.term);
        self.last.set(status.log.last);
        self.committed.set(status.log.committed);
        self.applied.set(status.log.applied);
        self.snapshot.set(status.log.snapshot);
        self.hash_checked.set(status.hashes.checked_index);
        let receiving = status.log.snapshot_receiving;
        self.receiving.set(receiving.map_or(0, |here| here.bytes));
        self.refused.set(status.log.snapshots_refused);
        self.protection_active
            .set(u64::from(status.protection.active));
        self.leases.set(status.protection.leases);
        self.silent.set(status.protection.silent);
        self.resident_bytes.set(super::process::resident_bytes());
        self.disk_free_bytes.set(status.disk.free_bytes);
        self.disk_total_bytes.set(status.disk.total_bytes);
        self.disk_free_inodes
            .set(status.disk.free_inodes.unwrap_or(u64::MAX));
        self.disk_stalls
            .inner()
            .store(status.disk.stalls, Ordering::Relaxed);
        for kind in AlarmKind::ALL {
            let alarm = kind.label();
            let up = status.alarms.iter().any(|up| up.alarm == alarm);
            self.alarms
                .get_or_create(&AlarmLabel { alarm })
                .set(u64::from(up));
        }
    }
}

impl WriteKind {
    /// The kind of a command that a client or peer sent.
    pub(super) const fn of(command: &Command) -> Self {
        match command {
            Command::Register(_) => Self::Registration,
            Command::Cancel { .. } => Self::Cancellation,
            Command::PutStatus { .. } | Command::DeleteStatus { .. } => Self::Status,
            Command::PutMetadata { .. } => Self::Metadata,
            // The last two nobody sends.
            Command::Renew { .. }
            | Command::RenewByName { .. }
            | Command::Evict { .. }
            | Command::Settings(_) => Self::Renewal,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Renewal => "renewal",
            Self::Cancellation => "cancellation",
            Self::Status => "status",
            Self::Metadata => "metadata",
        }
    }
}

fn result_label(written: &Result<Written, WriteError>) -> &'static str {
    match written {
        Ok(written) => match written.outcome {
            Outcome::Done | Outcome::Evicted(_) => "done",
            Outcome::NotFound => "not_found",
            Outcome::Conflict => "conflict",
            Outcome::QuotaExceeded => "quota_exceeded",
            Outcome::SlotMiss => "slot_miss",
        },
        Err(WriteError::Overloaded) => "overloaded",
        Err(WriteError::NoLeader) => "no_leader",
        Err(WriteError::Unknown) => "unknown",
        Err(WriteError::Stopping) => "stopping",
        Err(WriteError::DiskFull) => "disk_full",
        Err(WriteError::DiskStalled) => "disk_stalled",
        Err(WriteError::HashesSplit) => "hashes_split",
    }
}

/// A closed list: a client that invents methods makes no series.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
