//! Answers of `/v1` as the command line reads them.
//!
//! Owns a tolerant view of `/v1/status` and `/v1/members`: what a newer or older server adds or
//! leaves out does not stop an operator from seeing the rest. It may not judge what it reads.

use serde::{Deserialize, Serialize};

/// `GET /v1/status`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) node: Node,
    pub(super) cluster: Cluster,
    pub(super) log: Log,
    pub(super) state: State,
    pub(super) registry: Registry,
    pub(super) protection: Protection,
    pub(super) alarms: Vec<Alarm>,
}

/// What a node raised.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Alarm {
    pub(super) alarm: String,
    pub(super) node: String,
    pub(super) message: String,
    pub(super) hint: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) id: u64,
    pub(super) role: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) leader: Option<String>,
    pub(super) term: u64,
    /// Whether the node's file differs from what the leader's decided.
    pub(super) settings_differ: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Log {
    pub(super) committed: u64,
    pub(super) applied: u64,
}

/// A state hash and the index it is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) index: u64,
    pub(super) hash: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Registry {
    pub(super) applications: u64,
    pub(super) instances: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Protection {
    pub(super) enabled: bool,
    pub(super) active: bool,
    pub(super) silent: u64,
    pub(super) allowed_silent: u64,
}

/// `GET /v1/members`: the rows, alone or under `members`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Members {
    Wrapped { members: Vec<Member> },
    Bare(Vec<Member>),
}

impl Members {
    pub(super) fn into_rows(self) -> Vec<Member> {
        match self {
            Self::Wrapped { members } | Self::Bare(members) => members,
        }
    }
}

/// One row of `/v1/members`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) http: String,
    pub(super) peer: String,
    pub(super) reachable: bool,
    pub(super) matched: Option<u64>,
    /// What it is to be: a learner that is to be a voter is on its way.
    pub(super) seat: String,
    /// The member whose place it is to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<String>,
    /// Committed entries it has not applied.
    pub(super) lag: Option<u64>,
    /// The snapshot that comes in there, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) snapshot_receiving: Option<SnapshotReceiving>,
}

/// How much of a snapshot a member has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SnapshotReceiving {
    pub(super) bytes: u64,
    pub(super) size: u64,
}

impl Member {
    /// Whether it counts for a quorum: everything but a learner does.
    pub(super) fn votes(&self) -> bool {
        self.role != "learner"
    }

    /// Its role, and what it is on its way to be.
    pub(super) fn standing(&self) -> String {
        match (&self.replaces, self.seat.as_str()) {
            (Some(old), _) => format!("{}, to replace {old}", self.role),
            (None, "voter") if !self.votes() => format!("{}, to vote", self.role),
            _ => self.role.clone(),
        }
    }
}
