//! What an operator may ask of a cluster: its members and its leader, while it runs.
//!
//! Owns the [`Operator`] trait, the seam beside [`super::Registrar`], with its orders, reports and the
//! closed list of refusals. It may not know status codes or how an order is carried out. Invariant: a
//! refused order has changed nothing.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// The longest name of a member, as `node.name` has it.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest address of a member.
pub const ADDRESS_BYTES_MAX: usize = 255;
/// Members a cluster may have, voters and learners together.
pub const MEMBERS_MAX: usize = 32;

/// The use cases of whoever runs a cluster.
pub trait Operator: Send + Sync + 'static {
    /// Carries out `order`, or says what it would do. Any node takes it; the leader acts. Answers within
    /// some seconds: what takes longer goes on by itself, and the same order repeated tells how far it is.
    fn operate(&self, order: Order) -> BoxFuture<'_, Result<Report, AdminRefusal>>;
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What is to change.
    pub change: Change,
    /// Whether it is to happen.
    pub mode: Mode,
}

/// Whether an order is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Changes nothing: every check is made, and the report says what would happen.
    DryRun,
    /// Carries it out.
    Execute,
}

/// What an operator may change. Members are known by the names operators gave them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Invites the node that waits at `peer` (it was started with `cluster.join`).
    Add {
        /// Its `node.name`.
        name: String,
        /// Its peer address, `host:port`.
        peer: String,
        /// What it is to become.
        seat: Seat,
    },
    /// Gives a learner a vote, once it is caught up and its state was compared.
    Promote {
        /// The learner.
        name: String,
    },
    /// Takes a member out for good; the process ends with exit 76.
    Remove {
        /// The member.
        name: String,
    },
    /// Gives `with` the vote of `old` and takes `old` out, in one change.
    Replace {
        /// The voter that goes.
        old: String,
        /// The learner that takes its place.
        with: String,
    },
    /// Moves a member to other addresses; the same node must answer there already.
    Update {
        /// The member.
        name: String,
        /// Its new peer address, `host:port`; `None` keeps the old one.
        peer: Option<String>,
        /// Its new HTTP base URL; `None` keeps the old one.
        http: Option<String>,
    },
    /// Hands leadership over.
    Transfer {
        /// To this voter; `None` is the one that holds most.
        to: Option<String>,
    },
}

/// What a node is to be in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seat {
    /// It votes.
    Voter,
    /// It follows without a vote until somebody promotes it.
    Learner,
}

/// Who counts, before or after an order: names, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineup {
    /// Who votes.
    pub voters: Vec<String>,
    /// Who follows without a vote.
    pub learners: Vec<String>,
    /// How many voters must live for writes to go on.
    pub quorum: usize,
    /// The voters heard of lately, the leader included.
    pub live: Vec<String>,
}

/// What became of an order, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether all of it has happened. If not, and this was no dry run, it goes on by itself: repeat the
    /// order to hear more.
    pub done: bool,
    /// The steps, a sentence each.
    pub steps: Vec<String>,
    /// Who counted before.
    pub before: Lineup,
    /// Who counts once all has happened.
    pub after: Lineup,
    /// What happened, in one sentence.
    pub message: String,
    /// The leader after a transfer.
    pub leader: Option<String>,
    /// How long nobody led, ms, after a transfer.
    pub gap_ms: Option<u64>,
}

/// Why an order was refused. Nothing was changed, but by [`AdminRefusal::UnknownOutcome`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AdminRefusal {
    /// No leader, or none that can be reached.
    #[error("no leader takes the order")]
    NoLeader,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// The leader went away while it was at it.
    #[error("the leader went away: what became of the order is not known")]
    UnknownOutcome,
    /// Another change is under way.
    #[error("another change of the members is under way")]
    ChangeInProgress,
    /// No member of that name.
    #[error("no member is called {0:?}")]
    UnknownMember(String),
    /// A member of that name exists, with another data directory.
    #[error("{name:?} is a member already, with another data directory (id {id})")]
    NameTaken {
        /// The name.
        name: String,
        /// The member that has it.
        id: u64,
    },
    /// It votes already.
    #[error("{0:?} is a voter already")]
    AlreadyVoter(String),
    /// Only a voter can be handed leadership or be replaced.
    #[error("{0:?} is no voter")]
    NotAVoter(String),
    /// It replaces itself.
    #[error("{0:?} cannot replace itself")]
    SameMember(String),
    /// It does not hold what the others hold yet.
    #[error("{name:?} is {lag} entries behind")]
    NotCaughtUp {
        /// The learner.
        name: String,
        /// Entries it does not hold.
        lag: u64,
    },
    /// It holds the entries, and another state.
    #[error("the state of {name:?} differs from the leader's at index {index}")]
    StateDiffers {
        /// The learner.
        name: String,
        /// Where both were asked for their hash.
        index: u64,
    },
    /// Fewer voters than a quorum would live.
    #[error("{live} of {voters} voters would live, and {quorum} are needed")]
    QuorumAtRisk {
        /// Voters that would live.
        live: usize,
        /// Voters there would be.
        voters: usize,
        /// How many are needed.
        quorum: usize,
    },
    /// It is the only voter.
    #[error("{0:?} is the last voter")]
    LastVoter(String),
    /// Nobody answers there.
    #[error("nobody answers at {0}")]
    Unreachable(String),
    /// Somebody else answers there.
    #[error("{found:?} answers at {addr}, not {wanted:?}")]
    WrongNode {
        /// The address.
        addr: String,
        /// Who was meant.
        wanted: String,
        /// Who answers.
        found: String,
    },
    /// Whoever answers there belongs to another cluster.
    #[error("the node at {addr} belongs to cluster {cluster}")]
    ForeignCluster {
        /// The address.
        addr: String,
        /// Its cluster, 32 hex digits.
        cluster: String,
    },
    /// The node there does not want to join anything.
    #[error("the node at {0} is not waiting to join a cluster")]
    NotJoining(String),
    /// That data directory belonged to a member that was removed.
    #[error("this data directory was removed from the cluster at index {0}")]
    Removed(u64),
    /// [`MEMBERS_MAX`].
    #[error("a cluster has at most {MEMBERS_MAX} members")]
    TooManyMembers,
    /// It is not heard of.
    #[error("{0:?} has not been heard of lately")]
    NotAlive(String),
    /// It lives: only a dead member's place is taken by a node that asks for it.
    #[error("{0:?} lives, and is not replaced by a node that says so")]
    StillAlive(String),
    /// Nobody else took over in time.
    #[error("nobody took over in time")]
    TransferTimedOut,
    /// There is no other voter to lead.
    #[error("there is no other voter that could lead")]
    NoTarget,
    /// A name or address that cannot be one, or an order without a content.
    #[error("{0}")]
    Malformed(String),
}
