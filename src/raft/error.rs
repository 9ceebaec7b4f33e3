//! How Raft refuses.
//!
//! Owns one error a boundary, one variant a reaction. It may not carry openraft's types outside.

use std::fmt;

use crate::store::OpenError;

/// Why Raft could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log, the vote or a snapshot could not be read: exit code of the error, usually 74.
    #[error("{0}")]
    Storage(String),
    /// What is on disk belongs to another node: exit code 77.
    #[error("{0}")]
    Identity(String),
    /// A newer release wrote what is on disk: exit code 78.
    #[error("{0}")]
    Newer(String),
    /// The settings contradict each other: exit code 78.
    #[error("{0}")]
    Settings(String),
    /// A bug: exit code 70.
    #[error("{0}")]
    Internal(String),
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse { .. }
            | OpenError::Interrupted { .. }
            | OpenError::Regressed { .. }
            | OpenError::Foreign { .. } => Self::Identity(error.to_string()),
            OpenError::Newer { .. } => Self::Newer(error.to_string()),
            OpenError::Io { .. } | OpenError::Corrupt { .. } => Self::Storage(error.to_string()),
        }
    }
}

/// Why a cluster could not be initialised.
#[derive(Debug, thiserror::Error)]
pub enum InitializeError {
    /// The list does not hold this node, or holds an id twice.
    #[error("the list of members does not hold this node once")]
    NotAMember,
    /// Raft has stopped; [`super::Raft::failure`] says why.
    #[error("Raft has stopped")]
    Stopped,
}

/// Why a proposal has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Certainly not executed: this node does not lead that term (any more), or the entry is too long.
    #[error("not executed")]
    NotExecuted,
    /// Proposed, and what became of it is not known.
    #[error("the outcome is not known")]
    Unknown,
    /// Raft has stopped with the proposal in its hands: as unknown.
    #[error("Raft has stopped")]
    Stopped,
}

/// Why there is no index to read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadIndexError {
    /// No leader is known, or it could not be asked, or it could not prove that it leads.
    #[error("no leader confirmed an index")]
    NoLeader,
    /// More reads wait than may: [`super::READS_WAITING_MAX`].
    #[error("too many reads wait")]
    Overloaded,
    /// Raft has stopped.
    #[error("Raft has stopped")]
    Stopped,
}

/// Why a call to a peer has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Certainly not executed: never sent, or refused by the peer.
    #[error("not sent, or refused")]
    NotSent,
    /// Sent; whether it was executed is not known.
    #[error("sent, and not answered")]
    Unknown,
}

/// Why nobody was met at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeetError {
    /// Nobody answers, or nobody that speaks our protocol.
    #[error("nobody answers there")]
    Nobody,
    /// A node of another cluster.
    #[error("it belongs to cluster {0:032x}")]
    ForeignCluster(u128),
    /// It wants nothing to do with this node.
    #[error("it refuses to talk")]
    Refused,
}

/// Why leadership was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// This node does not lead.
    #[error("this node does not lead")]
    NotLeader,
    /// There is no other voter to hand over to, or not the one asked for.
    #[error("no such other voter")]
    NoTarget,
    /// Nobody else took over in time.
    #[error("nobody took over in time")]
    TimedOut,
    /// Raft has stopped.
    #[error("Raft has stopped")]
    Stopped,
}

/// Why Raft is dead for good: the process must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The disk failed, or what it holds cannot be applied: exit code 74.
    Storage(String),
    /// A peer knows more of this node than it knows itself: its disk went back. Exit code 77.
    Identity(String),
    /// This node's cluster was ended by `recover force` on another member: exit code 77.
    ClusterEnded(String),
    /// Another process takes part with this data directory or a copy of it: exit code 77.
    Double(String),
    /// The cluster removed this node, in this entry of the log: exit code 76.
    Removed(u64),
    /// This node's state is not the majority's: exit code 74.
    Diverged(Divergence),
    /// An entry or a snapshot is of a format that only a newer release reads: exit code 78. It is whole, and
    /// another start of this release would stop at it again.
    Newer(String),
    /// A bug or a panic: exit code 70.
    Internal(String),
}

/// How a node's state was found not to be the majority's, and how far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// The log index at which states were compared.
    pub index: u64,
    /// This node's state hash there.
    pub ours: u128,
    /// The majority's.
    pub theirs: u128,
    /// The last index in the log.
    pub last: u64,
    /// The last index known to be committed.
    pub committed: u64,
    /// The last index applied.
    pub applied: u64,
    /// The last index of the newest snapshot, 0 if none.
    pub snapshot: u64,
    /// The last index the log no longer holds, 0 if none.
    pub purged: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diverged(found) => write!(
                f,
                "at index {} its state hash is {:032x}, the majority's {:032x}",
                found.index, found.ours, found.theirs
            ),
            Self::Removed(index) => write!(f, "removed from the cluster at index {index}"),
            Self::Storage(why)
            | Self::Identity(why)
            | Self::ClusterEnded(why)
            | Self::Double(why)
            | Self::Newer(why)
            | Self::Internal(why) => f.write_str(why),
        }
    }
}
