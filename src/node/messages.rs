//! What nodes say to each other above Raft: forwarded batches, the first start, status.
//!
//! Owns the request and answer types of the application channel between peers. It may not know how
//! they travel. Sent between releases: variants are only ever appended (`codec::FORMATS`).

use serde::{Deserialize, Serialize};

use crate::codec::{Format, Stored};
use crate::raft::HashPoint;
use crate::registry::{Command, Outcome};
use crate::store::identity::PlannedMember;

use super::agreement::{Findings, Verdict};
use super::api::NodeStatus;
use super::operator::{AdminRefusal, Order, Report};

/// A request from one node to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// A whole batch for the leader. The receiver proposes it or refuses; it never forwards it again.
    Forward(Vec<Command>),
    /// Before a cluster exists: who are you, and do you know me?
    Probe(Probe),
    /// The first node's plan, to be stored before it is acknowledged.
    StorePlan(Plan),
    /// Your status, for the page and for `status`.
    Status,
    /// An operator's order for the leader. The receiver carries it out or refuses; it never forwards it.
    Admin(Order),
    /// The leader's: your newest state hashes; and this is what the last ones showed.
    Hashes(Findings),
    /// The leader's: your state is not the majority's.
    Diverged(Verdict),
    /// An empty node wants to become a member.
    Join(JoinRequest),
}

impl Stored for Request {
    const FORMAT: Format = Format::APP_REQUEST;
}

impl Stored for Answer {
    const FORMAT: Format = Format::APP_ANSWER;
}

/// The answer to a [`Request`], variant for variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To `Forward`.
    Forward(ForwardAnswer),
    /// To `Probe`.
    Probe(ProbeAnswer),
    /// To `StorePlan`.
    StorePlan(PlanAnswer),
    /// To `Status`.
    Status(Box<NodeStatus>),
    /// To `Admin`.
    Admin(Box<Result<Report, AdminRefusal>>),
    /// To `Hashes`: oldest first.
    Hashes(Vec<HashPoint>),
    /// To `Diverged`: whether it is so by this node's own hashes.
    Diverged(bool),
    /// To `Join`.
    Join(JoinAnswer),
}

/// What became of a forwarded batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForwardAnswer {
    /// Committed and applied on the leader.
    Applied {
        /// The index of the entry that holds the batch.
        index: u64,
        /// The position of the batch's first command in that entry.
        first_seq: u32,
        /// As many as commands, in order.
        outcomes: Vec<Outcome>,
    },
    /// Certainly not executed: not the leader (any more).
    NotExecuted,
    /// Proposed, and what became of it is not known.
    Unknown,
    /// Certainly not executed: too many writes wait on the leader.
    Overloaded,
    /// Certainly not executed: the batch would grow the registry, and too many disks are full.
    DiskFull,
}

/// Introduces an empty or starting node to another by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The asker's name.
    pub name: String,
    /// The asker's incarnation.
    pub incarnation: u128,
}

/// Answers a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// The answerer, as it would be planned; `id` is 0 until one is known.
    pub member: PlannedMember,
    /// The cluster the answerer belongs to or has a plan for.
    pub cluster_id: Option<u128>,
    /// The incarnation that cluster binds the asker's name to, if it knows the name.
    pub your_incarnation: Option<u128>,
    /// Whether the answerer waits to become a member of a running cluster.
    pub joining: bool,
}

/// The plan of a first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Made by the first node of the list.
    pub cluster_id: u128,
    /// In list order, ids from 1.
    pub members: Vec<PlannedMember>,
}

/// What became of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanAnswer {
    /// Stored durably (or had been before).
    Stored,
    /// The plan does not hold my name, or binds it to another incarnation.
    NotMe,
    /// I belong to another cluster or plan.
    OtherCluster(u128),
}

/// An empty node that wants to become a member. Repeating it continues where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The asker; its id is 0.
    pub member: PlannedMember,
    /// The member whose lost disk it stands for.
    pub replaces: Option<u64>,
}

/// Answers a [`JoinRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// It is a member of this cluster, under this id.
    Admitted {
        /// The cluster.
        cluster_id: u128,
        /// The asker's id in it, for good.
        id: u64,
    },
    /// The leader is at this peer address.
    Ask(String),
    /// Not now, for this reason: ask again.
    Later(String),
    /// Never, as things are. The cluster that says so.
    Refused(u128, AdminRefusal),
}
