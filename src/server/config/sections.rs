//! The configuration as the rest of the program sees it.
//!
//! Owns the typed sections. It may not parse: what is here was checked by `reader` and `checks`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{BaseUrl, HostPort};
use crate::registry::Settings;
use crate::store::space::SpaceLimits;

/// The configuration of one node. Made by [`super::Sources::load`] or [`Config::from_toml`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// `[node]`: who this is.
    pub node: Node,
    /// `[listen]`: where it is reached.
    pub listen: Listen,
    /// `[cluster]`: how it comes into a cluster while its data directory is empty.
    pub cluster: Cluster,
    /// `[peer]`: talking to other nodes.
    pub peer: Peer,
    /// `[raft]`: timing and log.
    pub raft: Raft,
    /// `[disk]`: room on the data directory's volume.
    pub disk: Disk,
    /// `[lease]`: expiry.
    pub lease: Lease,
    /// `[protection]`: self-preservation.
    pub protection: Protection,
    /// `[reads]`: how fresh.
    pub reads: Reads,
    /// `[delta]`: the change log.
    pub delta: Delta,
    /// `[compat]`: what only those need who come from Eureka.
    pub compat: Compat,
    /// `[limits]`: what is refused.
    pub limits: Limits,
    /// `[log]`: what is written to standard error.
    pub log: Log,
}

impl Config {
    /// The half that is replicated: a leader whose values differ from the log's proposes its own.
    pub fn replicated(&self) -> Settings {
        Settings {
            lease_factor_milli: self.lease.factor_milli,
            protection_enabled: self.protection.enabled,
            protection_threshold_milli: self.protection.threshold_milli,
            delta_retention_ms: u64::try_from(self.delta.retention.as_millis())
                .expect("durations are at most a year: the reader refuses longer ones"),
            delta_retention_changes: self.delta.retention_changes,
            instances_max: self.limits.instances,
            applications_max: self.limits.applications,
        }
    }
}

/// `[node]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `node.name`: what operators call this node. 1 to 64 of `[A-Za-z0-9._-]`.
    pub name: String,
    /// `node.data_dir`, relative to the working directory.
    pub data_dir: PathBuf,
    /// `node.advertise_http`: where clients reach this node. Port 0 if `listen.http` says so.
    pub advertise_http: BaseUrl,
    /// `node.advertise_peer`: where other nodes reach this one. Port 0 if `listen.peer` says so.
    pub advertise_peer: HostPort,
}

/// `[listen]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// `listen.http`: clients, the page, metrics.
    pub http: HostPort,
    /// `listen.peer`: other nodes.
    pub peer: HostPort,
}

/// `[cluster]`: read only while the data directory is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// Neither key is set: a cluster of this node alone.
    Alone,
    /// `cluster.initial_members`: the members of a new cluster, the same list on each; this node is
    /// among them. The place in the list, from 1, is the node's id.
    Initial(Vec<InitialMember>),
    /// `cluster.join`: peer addresses of a running cluster. Such a node never initialises.
    Join(Vec<HostPort>),
}

/// One of `cluster.initial_members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialMember {
    /// Its `node.name`.
    pub name: String,
    /// Its peer address.
    pub peer: HostPort,
}

/// `[peer]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// `peer.allow_plaintext`: whether nodes may talk in the clear on addresses other than loopback.
    pub allow_plaintext: bool,
}

/// `[raft]`. `heartbeat < election_timeout_min < election_timeout_max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raft {
    /// `raft.heartbeat`.
    pub heartbeat: Duration,
    /// The first of `raft.election_timeout`.
    pub election_timeout_min: Duration,
    /// The second of `raft.election_timeout`.
    pub election_timeout_max: Duration,
    /// `raft.snapshot_every_entries`; 0 means by bytes only.
    pub snapshot_every_entries: u64,
    /// `raft.snapshot_every_bytes` of log.
    pub snapshot_every_bytes: u64,
    /// `raft.keep_entries` of log behind a snapshot.
    pub keep_entries: u64,
}

/// `[disk]`: bytes; `None` is `auto`, which follows the size of the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// `disk.soft_free`: fewer raise the alarm `disk_low`. More than `disk.hard_free`.
    pub soft_free: Option<u64>,
    /// `disk.hard_free`: fewer raise `disk_full`; such a node does not lead while others may.
    pub hard_free: Option<u64>,
    /// `disk.ballast`: kept back for when the volume is full; 0 keeps none.
    pub ballast: Option<u64>,
}

impl Disk {
    /// As the store takes them.
    pub fn limits(&self) -> SpaceLimits {
        SpaceLimits {
            soft_free: self.soft_free,
            hard_free: self.hard_free,
            ballast: self.ballast,
        }
    }
}

/// `[lease]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// `lease.sweep`: how often the leader looks for what is due.
    pub sweep: Duration,
    /// `lease.factor` in thousandths, at least 1. Replicated.
    pub factor_milli: u32,
}

/// `[protection]`. Replicated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// `protection.enabled`.
    pub enabled: bool,
    /// `protection.renewal_percent_threshold` in thousandths, 0 to 1,000.
    pub threshold_milli: u32,
}

/// `[reads]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// `reads.default`: the mode of a request that names none.
    pub default: ReadMode,
}

/// How fresh a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// Reflects every write acknowledged before it; refused without a quorum.
    Linearizable,
    /// Linearizable while there is a quorum, else local and labelled so.
    Available,
    /// What this node has applied.
    Local,
}

/// `[delta]`. Replicated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// `delta.retention`: the window of the classic delta, in lease time.
    pub retention: Duration,
    /// `delta.retention_changes`: single changes kept for `?since=`.
    pub retention_changes: u64,
}

/// `[compat]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compat {
    /// `compat.peer_replication`: whether legacy Eureka servers may have this node as a peer.
    pub peer_replication: bool,
}

/// `[limits]`: each has a default and a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `limits.max_body`: bytes of a request's body; more is 413.
    pub body_bytes_max: usize,
    /// `limits.max_replication_body`: bytes of a batch of a legacy peer; more is 413.
    pub replication_bytes_max: usize,
    /// `limits.max_connections` of clients; further ones are closed.
    pub connections_max: usize,
    /// `limits.max_streams` of changes, open at once; more is 429.
    pub streams_max: usize,
    /// `limits.header_timeout` for a request's head; then the connection is closed.
    pub header_timeout: Duration,
    /// `limits.body_timeout` for a request's body; then 408.
    pub body_timeout: Duration,
    /// `limits.idle_timeout` of a connection between requests. More than a heartbeat's 30 s.
    pub idle_timeout: Duration,
    /// `limits.answer_timeout` from a request to its answer, long polls excepted; then 503.
    pub answer_timeout: Duration,
    /// `limits.drain_timeout` for open requests when the node stops; then they are cut.
    pub drain_timeout: Duration,
    /// `limits.queue`: writes waiting, proposed or not; more is 503 with `Retry-After`.
    pub queue: usize,
    /// `limits.queue_bytes` of waiting writes; more is 503 with `Retry-After`.
    pub queue_bytes: usize,
    /// `limits.leader_wait`: how long a write or read waits for a leader; then 503.
    pub leader_wait: Duration,
    /// `limits.batch_commands` in one log entry.
    pub batch_commands: usize,
    /// `limits.batch_bytes` of one log entry.
    pub batch_bytes: usize,
    /// `limits.instances` in the registry; more is refused. Replicated.
    pub instances: u64,
    /// `limits.applications` in the registry; more is refused. Replicated.
    pub applications: u64,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `log.level`.
    pub level: LogLevel,
    /// `log.format`.
    pub format: LogFormat,
}

/// The least severe line that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// An operator must act.
    Error,
    /// An operator will have to.
    Warn,
    /// Changes of role, membership, snapshots, protection.
    Info,
    /// Requests too.
    Debug,
    /// Everything.
    Trace,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
