//! Changes of the membership.
//!
//! Owns how one change of members goes through the log, fenced to the membership and the term it was
//! decided in. It may not decide whether a change is wise: the node does. Invariant: of two changes
//! decided on one membership at most one happens.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::raft::Precondition;
use openraft::vote::RaftLeaderId;

use super::Raft;
use super::types::{LeaderId, LogId, Member, TypeConfig};

/// Where the numbers of members that came later begin. Those of a first start are their places in
/// `initial_members`, of which the identity's 4 KiB hold fewer than this.
pub const FIRST_LATER_ID: u64 = 1_000;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// A new learner.
    Add(Member),
    /// Another goal or other addresses for a member there is.
    Set(Member),
    /// Gives and takes votes, in one joint step; whoever loses its vote is a member no more.
    Votes {
        /// Learners that vote from then on.
        given: BTreeSet<u64>,
        /// Voters that go.
        taken: BTreeSet<u64>,
    },
    /// A learner goes.
    Forget(u64),
    /// Ends a joint membership that another leader left behind.
    Settle,
}

/// Why a change has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// This node does not lead. Nothing was changed.
    #[error("this node does not lead")]
    NotLeader,
    /// The membership is another one by now, or not committed yet. Nothing was changed.
    #[error("the membership has changed meanwhile")]
    Outdated,
    /// It makes no membership: an unknown member, or no voter left. Nothing was changed.
    #[error("the change makes no membership")]
    Impossible,
    /// Proposed, and what became of it is not known.
    #[error("the outcome is not known")]
    Unknown,
    /// Raft has stopped.
    #[error("Raft has stopped")]
    Stopped,
}

impl Raft {
    /// Makes `change` to the membership of entry `based_on` ([`super::RaftStatus::members_at`]); returns
    /// the index of the entry that completes it.
    ///
    /// # Errors
    /// [`ChangeError`]. Dropped half-way, a change of votes may stay joint: [`MemberChange::Settle`].
    pub async fn change_members(
        &self,
        based_on: u64,
        change: MemberChange,
    ) -> Result<u64, ChangeError> {
        let fences = self.fences(based_on)?;
        // A voter that loses its vote is no learner then but gone; learners stay what they are.
        let retain = false;
        let changed = self
            .inner
            .core
            .change_membership_if(to_openraft(change), retain, fences);
        match changed.await {
            Ok(done) => Ok(done.log_id.index()),
            Err(RaftError::Fatal(_)) => Err(ChangeError::Stopped),
            // The first of two steps may have been made.
            Err(RaftError::APIError(_)) if self.status().members_at != based_on => {
                Err(ChangeError::Unknown)
            }
            Err(RaftError::APIError(refused)) => Err(refusal(&refused)),
        }
    }

    /// A number for a new member, from the log: never that of another member, past or to come.
    ///
    /// It is derived from the index of a committed entry that was made for it. No two entries have one
    /// index, and what is committed is never replaced, so no number is given twice; and it lies above
    /// every number of a first start.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn allocate_id(&self) -> Result<u64, ChangeError> {
        match self.inner.core.write_blank().await {
            Ok(done) => Ok(FIRST_LATER_ID + done.log_id.index()),
            Err(RaftError::Fatal(_)) => Err(ChangeError::Stopped),
            Err(RaftError::APIError(refused)) => Err(refusal(&refused)),
        }
    }

    /// The index at which the data directory `incarnation` was removed from the cluster, if it was.
    pub fn removed_at(&self, incarnation: u128) -> Option<u64> {
        self.inner.removed.index_of(incarnation)
    }

    /// The index at which a member called `name` was last removed from the cluster, if one was.
    pub fn removed_by_name(&self, name: &str) -> Option<u64> {
        self.inner.removed.index_of_name(name)
    }

    /// That nothing has changed since `based_on`, and that this node still leads in the same term.
    fn fences(&self, based_on: u64) -> Result<[Precondition<TypeConfig>; 2], ChangeError> {
        let metrics = self.inner.core.metrics();
        let now = metrics.borrow_watched();
        let last_membership_log_id = *now.membership_config.log_id();
        if last_membership_log_id.map_or(0, |id: LogId| id.index()) != based_on {
            return Err(ChangeError::Outdated);
        }
        let committed_leader_id = LeaderId::new(now.current_term, self.me());
        Ok([
            Precondition::CommittedLeaderId {
                committed_leader_id,
            },
            Precondition::LastMembershipLogId {
                last_membership_log_id,
            },
        ])
    }
}

fn to_openraft(change: MemberChange) -> ChangeMembers<u64, Member> {
    let one = |member: Member| BTreeMap::from([(member.id, member)]);
    match change {
        MemberChange::Add(member) => ChangeMembers::AddNodes(one(member)),
        MemberChange::Set(member) => ChangeMembers::SetNodes(one(member)),
        MemberChange::Votes { given, taken } => ChangeMembers::Batch(vec![
            ChangeMembers::AddVoterIds(given),
            ChangeMembers::RemoveVoters(taken),
        ]),
        MemberChange::Forget(id) => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        MemberChange::Settle => ChangeMembers::AddVoterIds(BTreeSet::new()),
    }
}

fn refusal(error: &ClientWriteError<TypeConfig>) -> ChangeError {
    use openraft::errors::ChangeMembershipError as Refused;
    match error {
        ClientWriteError::ForwardToLeader(_) => ChangeError::NotLeader,
        ClientWriteError::LogEntryDiscarded(_) => ChangeError::Unknown,
        ClientWriteError::ChangeMembershipError(
            Refused::EmptyMembership(_) | Refused::LearnerNotFound(_),
        ) => ChangeError::Impossible,
        ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_) => {
            ChangeError::Outdated
        }
    }
}
