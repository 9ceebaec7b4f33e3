//! The commands of the log and what became of each.
//!
//! Owns [`Entry`], [`Command`] and [`Outcome`]. It may not decide anything: that is `apply`'s.
//! Stored in the log: variants are only ever appended (`codec::FORMATS`).

use serde::{Deserialize, Serialize};

use super::instance::{Instance, InstanceStatus};
use super::names::{AppName, InstanceId};
use super::settings::Settings;
use super::time::LogTime;

/// One log entry: a batch of commands, applied in order at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, stamped by the leader.
    pub at: LogTime,
    /// What, in order; may be empty (a tick: it only moves the lease clock).
    pub commands: Vec<Command>,
}

/// Who speaks: a client, or a legacy Eureka peer replicating (`x-netflix-discovery-replication`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A client.
    Client,
    /// A legacy peer: rule 3 of the status chain is skipped, an older timestamp is 409.
    Replication,
}

/// A registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The client's document.
    pub instance: Instance,
    /// Who sent it.
    pub origin: Origin,
}

/// Everything that changes the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// POST apps/{app}.
    Register(Box<Registration>),
    /// A renewal by place in the lease table. A miss is no answer: it is proposed again by name.
    Renew {
        /// The instance's slot.
        slot: u32,
        /// The slot's generation when the renewal was made.
        generation: u32,
    },
    /// PUT apps/{app}/{id}, decided by name: a miss is the 404 of P10.
    RenewByName {
        /// The application.
        app: AppName,
        /// The instance.
        id: InstanceId,
        /// The client's `lastDirtyTimestamp`, ms.
        last_dirty_ms: Option<u64>,
        /// Who sent it.
        origin: Origin,
        /// `overriddenstatus`, which only a peer's renewal with a newer timestamp stores.
        overridden: Option<InstanceStatus>,
    },
    /// DELETE apps/{app}/{id}.
    Cancel {
        /// The application.
        app: AppName,
        /// The instance.
        id: InstanceId,
    },
    /// PUT apps/{app}/{id}/status.
    PutStatus {
        /// The application.
        app: AppName,
        /// The instance.
        id: InstanceId,
        /// The override.
        status: InstanceStatus,
        /// `lastDirtyTimestamp`, ms: raises the record's if larger.
        last_dirty_ms: Option<u64>,
    },
    /// DELETE apps/{app}/{id}/status.
    DeleteStatus {
        /// The application.
        app: AppName,
        /// The instance.
        id: InstanceId,
        /// The status after it, `UNKNOWN` unless the client named one.
        status: InstanceStatus,
        /// `lastDirtyTimestamp`, ms: raises the record's if larger.
        last_dirty_ms: Option<u64>,
    },
    /// PUT apps/{app}/{id}/metadata.
    PutMetadata {
        /// The application.
        app: AppName,
        /// The instance.
        id: InstanceId,
        /// Entries to add or replace, keys unique.
        entries: Vec<(Box<str>, Box<str>)>,
    },
    /// The eviction pulse: every node computes at the entry's lease time who goes.
    Evict {
        /// At most so many leases, least `(expires_at, key)` first.
        max: u32,
    },
    /// Replaces the replicated settings.
    Settings(Settings),
}

/// What became of a command. Sent back to the node that took the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done (also when it changed nothing: Eureka answers the same).
    Done,
    /// No such instance, status UNKNOWN, or the client's timestamp is newer: 404.
    NotFound,
    /// A short renewal missed: propose it again by name.
    SlotMiss,
    /// A peer's timestamp is older than ours: 409 with our record.
    Conflict,
    /// A quota would be exceeded; nothing changed.
    QuotaExceeded,
    /// An eviction pulse, and how many leases it ended.
    Evicted(u32),
}
