//! Refused orders.
//!
//! Owns the status code, error code and advice of every reason an order of an operator is refused: the
//! other half of the closed list in `error`. It may not refuse anything.

use hyper::StatusCode;

use crate::node::AdminRefusal;

use super::error::{Verdict, unavailable, verdict};

const fn conflict(code: &'static str, hint: &'static str) -> Verdict {
    verdict(StatusCode::CONFLICT, code, hint)
}

/// What follows from a refused order.
pub(super) const fn order_verdict(refusal: &AdminRefusal) -> Verdict {
    match refusal {
        AdminRefusal::NoLeader => {
            unavailable("no_leader", "try again, or look at eureka-raft status")
        }
        AdminRefusal::Stopping => unavailable("stopping", "use another node"),
        AdminRefusal::UnknownOutcome => unavailable(
            "unknown_outcome",
            "repeat the order: what has happened already is not done twice",
        ),
        AdminRefusal::TransferTimedOut => unavailable(
            "transfer_timed_out",
            "look at eureka-raft leader show, then try again",
        ),
        AdminRefusal::UnknownMember(_) => verdict(
            StatusCode::NOT_FOUND,
            "unknown_member",
            "eureka-raft members list shows the names",
        ),
        AdminRefusal::Malformed(_) => verdict(
            StatusCode::BAD_REQUEST,
            "bad_order",
            "correct the order; repeating it will not help",
        ),
        conflicting => conflict_verdict(conflicting),
    }
}

/// What the cluster as it is does not allow. The others have their own verdict above.
const fn conflict_verdict(refusal: &AdminRefusal) -> Verdict {
    match refusal {
        AdminRefusal::ChangeInProgress => {
            conflict("change_in_progress", "wait for it to end, then try again")
        }
        AdminRefusal::NameTaken { .. } => conflict(
            "name_taken",
            "use another node.name, or members remove the old one first, or members replace it",
        ),
        AdminRefusal::AlreadyVoter(_) => conflict("already_voter", "there is nothing to do"),
        AdminRefusal::NotAVoter(_) => {
            conflict("not_a_voter", "eureka-raft members promote makes it one")
        }
        AdminRefusal::SameMember(_) => conflict("same_member", "name two different members"),
        AdminRefusal::NotCaughtUp { .. } => {
            conflict("not_caught_up", "wait until members list shows no lag")
        }
        AdminRefusal::StateDiffers { .. } => conflict(
            "state_differs",
            "members remove it, start it with an empty data directory, and let it join again",
        ),
        AdminRefusal::QuorumAtRisk { .. } => conflict(
            "quorum_at_risk",
            "bring the silent voters back first, or add a new voter before this one goes",
        ),
        AdminRefusal::LastVoter(_) => conflict(
            "last_voter",
            "add another voter first; to end a cluster, stop its nodes",
        ),
        AdminRefusal::Unreachable(_) => conflict(
            "unreachable",
            "start it with cluster.join set to the peer address of a member, and check the address",
        ),
        AdminRefusal::WrongNode { .. } => {
            conflict("wrong_node", "check the address and node.name there")
        }
        AdminRefusal::ForeignCluster { .. } => conflict(
            "foreign_cluster",
            "a node joins with an empty data directory only",
        ),
        AdminRefusal::NotJoining(_) => conflict(
            "not_joining",
            "start it with an empty data directory and cluster.join set to the peer address of a member",
        ),
        AdminRefusal::Removed(_) => conflict(
            "removed",
            "a removed data directory never comes back: start the node with an empty one",
        ),
        AdminRefusal::TooManyMembers => conflict("too_many_members", "members remove one first"),
        AdminRefusal::NotAlive(_) => conflict("not_alive", "start it, or name another"),
        AdminRefusal::StillAlive(_) => {
            conflict("still_alive", "stop it first, or members replace it")
        }
        AdminRefusal::NoTarget => conflict("no_target", "add or start another voter first"),
        AdminRefusal::NoLeader
        | AdminRefusal::Stopping
        | AdminRefusal::UnknownOutcome
        | AdminRefusal::TransferTimedOut
        | AdminRefusal::UnknownMember(_)
        | AdminRefusal::Malformed(_) => conflict("conflict", "look at eureka-raft members list"),
    }
}
