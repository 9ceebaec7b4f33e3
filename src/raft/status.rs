//! What a node can say about its Raft.
//!
//! Owns [`RaftStatus`] and how it is read from openraft's metrics. It may not change anything.

use super::types::Member;

/// What this node is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It leads.
    Leader,
    /// It follows a leader, or waits for one.
    Follower,
    /// It asks for votes.
    Candidate,
    /// It follows without a vote.
    Learner,
    /// Raft has stopped.
    Stopped,
}

impl Role {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Stopped => "stopped",
        }
    }
}

/// Who leads, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leadership {
    /// The term.
    pub term: u64,
    /// Its leader, if one is known.
    pub leader: Option<u64>,
    /// Whether this node leads and has applied the first entry of its term: only then does its state
    /// hold everything that was ever acknowledged.
    pub ready: bool,
}

/// One member as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Who.
    pub member: Member,
    /// Whether it votes; otherwise it is a learner.
    pub voter: bool,
    /// The last index the leader knows it to hold. Known only on the leader.
    pub matched: Option<u64>,
    /// Milliseconds since it was last heard of, if it ever was. 0 for this node.
    pub heard_ms_ago: Option<u64>,
}

/// How far a snapshot has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiving {
    /// Bytes here; equal to `size` while it is being verified and installed.
    pub bytes: u64,
    /// Bytes of the whole.
    pub size: u64,
}

/// Raft's state on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftStatus {
    /// What this node is.
    pub role: Role,
    /// The highest term seen.
    pub term: u64,
    /// Who leads it, if known.
    pub leader: Option<u64>,
    /// The last index in the log, 0 if none.
    pub last: u64,
    /// The last index known to be committed.
    pub committed: u64,
    /// The last index applied.
    pub applied: u64,
    /// The last index of the newest snapshot, 0 if none.
    pub snapshot: u64,
    /// The last index the log no longer holds, 0 if none.
    pub purged: u64,
    /// The snapshot that is coming in, if one is.
    pub receiving: Option<Receiving>,
    /// Snapshots that came in and were refused, since the start.
    pub snapshots_refused: u64,
    /// The members, by id.
    pub members: Vec<MemberView>,
    /// The entry that made them members.
    pub members_at: u64,
    /// Whether one set of voters is replacing another: both must agree to everything.
    pub joint: bool,
}
