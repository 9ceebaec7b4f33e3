//! What the leader does for the members without being told.
//!
//! Owns the watch for changes that stayed half done and for learners that are fit for what they are on
//! their way to. It may not begin anything nobody asked for. Invariant: whatever a leader left behind, the
//! next one ends: the wish is in the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::raft::{Goal, MemberChange, MemberView, RaftStatus};

use super::council::{Council, Floor, swap_votes};
use super::operator::AdminRefusal;

/// How often the leader looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long one change may take before it is looked at again.
const CHANGE_MAX: Duration = Duration::from_secs(10);

/// Looks after the members while this node leads.
pub(super) struct Steward {
    pub(super) council: Arc<Council>,
}

impl Steward {
    /// Returns when Raft is gone.
    pub(super) async fn run(self) {
        let mut leadership = self.council.raft.leadership();
        let mut said = None;
        loop {
            let leads = leadership.borrow_and_update().ready;
            if leads {
                let refusal = self.look().await.err();
                if let Some(refusal) = refusal.as_ref().filter(|_| refusal != said) {
                    tracing::info!(%refusal, "a change of the members waits");
                }
                said = refusal;
            }
            if let Ok(Err(_gone)) = timeout(LOOK, leadership.changed()).await {
                return;
            }
        }
    }

    /// Does one thing, if there is one to do.
    async fn look(&self) -> Result<(), AdminRefusal> {
        let status = self.council.raft.status();
        if status.joint {
            return self.settle(&status).await;
        }
        let waits = |view: &MemberView| !view.voter && view.member.goal != Goal::Stay;
        if !status.members.iter().any(waits) {
            return Ok(());
        }
        let floor = self.council.take_the_floor()?;
        let floor = self.council.with_the_living(floor).await;
        let mut refused = Ok(());
        for learner in floor.roster.members().iter().filter(|view| waits(view)) {
            match self.next_step(&floor, learner) {
                Ok(change) => return self.make(&floor, change).await,
                Err(refusal) => refused = Err(refusal),
            }
        }
        refused
    }

    /// Ends a joint membership. Not while an order of this node is at it.
    async fn settle(&self, status: &RaftStatus) -> Result<(), AdminRefusal> {
        let Some(_turn) = self.council.try_turn() else {
            return Ok(());
        };
        tracing::info!("ending a change of the members that was left half done");
        let settling = self
            .council
            .raft
            .change_members(status.members_at, MemberChange::Settle);
        if let Ok(Err(error)) = timeout(CHANGE_MAX, settling).await {
            tracing::debug!(%error, "not ended yet");
        }
        Ok(())
    }

    /// What is next for `learner`.
    fn next_step(&self, floor: &Floor, learner: &MemberView) -> Result<MemberChange, AdminRefusal> {
        let roster = &floor.roster;
        self.council.fit_to_vote(roster, learner)?;
        let id = learner.member.id;
        let replaced = match learner.member.goal {
            Goal::Replace(old) => roster.get(old),
            Goal::Vote | Goal::Stay => None,
        };
        let mut voters = roster.voters();
        voters.insert(id);
        let change = match replaced {
            Some(old) if old.voter => {
                voters.remove(&old.member.id);
                swap_votes(id, old.member.id)
            }
            Some(old) => return Ok(MemberChange::Forget(old.member.id)),
            None => MemberChange::Votes {
                given: BTreeSet::from([id]),
                taken: BTreeSet::new(),
            },
        };
        roster.allow(&voters)?;
        Ok(change)
    }

    async fn make(&self, floor: &Floor, change: MemberChange) -> Result<(), AdminRefusal> {
        tracing::info!(?change, "changing the members");
        let changing = self.council.change(floor, change);
        match timeout(CHANGE_MAX, changing).await {
            Ok(changed) => changed.map(|_index| ()),
            // It stays in the log, and is looked at again.
            Err(_late) => Ok(()),
        }
    }
}
