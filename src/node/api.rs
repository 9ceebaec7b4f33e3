//! What the outside may ask of a node: the use cases, their answers and refusals.
//!
//! Owns the [`Registrar`] trait, the seam between the HTTP room and the node (its second consumer is
//! the HTTP tests' registry without Raft), and the status documents of `/v1`. It may not know status
//! codes or routes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::raft::Backup;
use crate::registry::{
    AppName, Command, InstanceId, InstanceStatus, Origin, Outcome, Protection, Record, View,
};

use super::agreement::HashesPart;
use super::alarms::Alarm;
use super::disk::DiskPart;

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// Includes every write acknowledged before the request came in.
    Linearizable,
    /// Linearizable while there is a quorum, else local and labelled.
    Available,
    /// What this node has applied.
    Local,
}

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// `None` is the server's default.
    pub consistency: Option<Consistency>,
    /// Answer at this log index or later, or refuse.
    pub min_index: Option<u64>,
}

/// A registry to answer from.
#[derive(Debug, Clone)]
pub struct Read {
    /// The registry as of one log index.
    pub view: Arc<View>,
    /// Whether it includes every write acknowledged before the request.
    pub linearizable: bool,
    /// How long ago this node was last known to be current; zero when linearizable.
    pub age: Duration,
}

/// Why a read was refused. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader, or none that can reach a quorum.
    #[error("no leader answered in time")]
    NoLeader,
    /// This node did not reach the wanted index in time.
    #[error("this node has not applied the wanted index yet")]
    Behind,
    /// The wanted index is beyond everything committed.
    #[error("the wanted index was never committed")]
    NeverCommitted,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// A write that was committed and applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The log index of its entry.
    pub index: u64,
    /// Its position in that entry.
    pub seq: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why a write has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The queue of waiting writes is full. Not executed.
    #[error("too many writes are waiting")]
    Overloaded,
    /// No leader was found in time. Not executed.
    #[error("no leader was found in time")]
    NoLeader,
    /// It was proposed and its fate is not known. Never retried by us.
    #[error("the write was proposed and its fate is not known")]
    Unknown,
    /// The node is stopping. Not executed.
    #[error("the node is stopping")]
    Stopping,
    /// It would grow the registry, and fewer than a majority of the nodes have room. Not executed.
    #[error("the disks of too many nodes are full")]
    DiskFull,
    /// The disk of this node, which leads or nobody does, does not answer. Not executed.
    #[error("the disk of this node does not answer")]
    DiskStalled,
    /// The nodes' states differ, and no majority of the voters agrees. Not executed.
    #[error("the states of the nodes differ, and no majority agrees")]
    HashesSplit,
}

/// Why there is no backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackupRefusal {
    /// What it has to hold could not be established.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Another one is being taken from this node.
    #[error("a backup is being taken from this node already")]
    Running,
}

/// A heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The application.
    pub app: AppName,
    /// The instance.
    pub id: InstanceId,
    /// The client's `lastDirtyTimestamp`, ms.
    pub last_dirty_ms: Option<u64>,
    /// Who sent it.
    pub origin: Origin,
    /// `overriddenstatus`, which only a peer's renewal uses.
    pub overridden: Option<InstanceStatus>,
}

/// The use cases of a running member.
pub trait Registrar: Send + Sync + 'static {
    /// Proposes `command` and answers when it is applied here.
    fn write(&self, command: Command) -> BoxFuture<'_, Result<Written, WriteError>>;

    /// Proposes `commands` together; one result for each, in order, when they are applied here.
    ///
    /// As many as an entry holds go into one; a further entry follows only once the one before it
    /// is applied, so that the order of commands about one instance is kept. Behind a failure
    /// nothing more is proposed, and what is left has the error of what failed.
    fn write_all(&self, commands: Vec<Command>) -> BoxFuture<'_, Vec<Result<Written, WriteError>>>;

    /// Renews a lease, by its slot where this node is sure of it, else by name.
    fn renew(&self, renewal: Renewal) -> BoxFuture<'_, Result<Written, WriteError>>;

    /// A registry as fresh as asked for.
    fn read(&self, options: ReadOptions) -> BoxFuture<'_, Result<Read, ReadError>>;

    /// Returns when the catalogue applied here has moved beyond `catalogue_index`, or after `deadline`.
    fn wait_beyond(&self, catalogue_index: u64, deadline: Duration) -> BoxFuture<'_, ()>;

    /// Begins a backup that holds every write acknowledged before this call.
    fn backup(&self) -> BoxFuture<'_, Result<Backup, BackupRefusal>>;

    /// Returns when this node has applied `index`.
    fn reach(&self, index: u64) -> BoxFuture<'_, Result<(), ReadError>>;

    /// The real last renewal of `record`, ms since the epoch.
    fn renewed_at(&self, record: &Record) -> u64;

    /// This node's status.
    fn status(&self) -> NodeStatus;

    /// All members as this node knows them.
    fn members(&self) -> Vec<MemberStatus>;

    /// Whether what this node holds may be believed; if not, its process is about to end.
    fn is_sound(&self) -> bool {
        true
    }

    /// Whether this node may serve.
    fn readiness(&self) -> Readiness;

    /// The cluster, once known.
    fn cluster_id(&self) -> Option<u128>;
}

/// `GET /v1/status` (docs: interface).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The release.
    pub version: String,
    /// This node.
    pub node: NodePart,
    /// Its cluster.
    pub cluster: ClusterPart,
    /// Its log.
    pub log: LogPart,
    /// Its state; index and hash are of one moment.
    pub state: StatePart,
    /// Its registry.
    pub registry: RegistryPart,
    /// Self-preservation.
    pub protection: Protection,
    /// The change history.
    pub delta: DeltaPart,
    /// The volume of its data directory.
    pub disk: DiskPart,
    /// The comparison of states.
    pub hashes: HashesPart,
    /// What an operator must know now.
    pub alarms: Vec<Alarm>,
}

/// The `node` part of a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePart {
    /// The operator's name.
    pub name: String,
    /// The numeric id; 0 before the first start is complete.
    pub id: u64,
    /// `leader`, `follower`, `candidate`, `learner` or `starting`.
    pub role: String,
}

/// The `cluster` part of a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPart {
    /// The cluster id, 32 hex digits; empty before it is known.
    pub id: String,
    /// The leader's name, if there is one.
    pub leader: Option<String>,
    /// The term.
    pub term: u64,
    /// How many voters.
    pub voters: u64,
    /// How many learners.
    pub learners: u64,
    /// Whether this node's file differs from the replicated settings, which the leader's file decides.
    pub settings_differ: bool,
}

/// The `log` part of a status: indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogPart {
    /// Last appended.
    pub last: u64,
    /// Last known committed.
    pub committed: u64,
    /// Last applied.
    pub applied: u64,
    /// Last covered by a snapshot.
    pub snapshot: u64,
    /// Last purged.
    pub purged: u64,
    /// The snapshot that is coming in from the leader, if one is.
    pub snapshot_receiving: Option<SnapshotReceiving>,
    /// Snapshots that came in and were refused, since the start.
    pub snapshots_refused: u64,
}

/// How far a snapshot has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotReceiving {
    /// Bytes here; equal to `size` while it is being verified and installed.
    pub bytes: u64,
    /// Bytes of the whole.
    pub size: u64,
}

/// The `state` part of a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatePart {
    /// The applied index of the hash.
    pub index: u64,
    /// The state hash, 32 hex digits.
    pub hash: String,
}

/// The `registry` part of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegistryPart {
    /// Applications with an instance.
    pub applications: u64,
    /// Instances.
    pub instances: u64,
}

/// The `delta` part of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeltaPart {
    /// The smallest cursor still accepted.
    pub oldest_index: u64,
}

/// One row of `GET /v1/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The numeric id.
    pub id: u64,
    /// The operator's name.
    pub name: String,
    /// `leader`, `voter` or `learner`.
    pub role: String,
    /// What it is to be: `voter`, or `learner` if it stays one until somebody promotes it. A learner
    /// that is to be a voter is on its way: `lag` says how far.
    pub seat: String,
    /// The member whose place it is to take.
    pub replaces: Option<String>,
    /// Committed entries it has not applied, as far as this node knows.
    pub lag: Option<u64>,
    /// Where peers reach it.
    pub peer: String,
    /// Where clients reach it.
    pub http: String,
    /// Whether it answered this node lately, or was not asked yet.
    pub reachable: bool,
    /// The index it is known to hold: by the leader's replication, else by its own last status.
    pub matched: Option<u64>,
    /// Its applied index, by its own last status.
    pub applied: Option<u64>,
    /// Its term, by its own last status.
    pub term: Option<u64>,
    /// Its state hash and the index it is of, by its own last status.
    pub state: Option<StatePart>,
    /// The snapshot that is coming in to it, by its own last status.
    pub snapshot_receiving: Option<SnapshotReceiving>,
}

/// Whether a node may serve, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Readiness {
    /// Ready to serve reads and writes.
    pub ready: bool,
    /// What is missing, a sentence each.
    pub reasons: Vec<String>,
}
