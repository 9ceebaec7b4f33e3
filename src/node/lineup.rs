//! Who counts: voters, learners, who lives, and whether a change leaves a quorum.
//!
//! Owns the arithmetic of members. Pure: it may not ask anybody. Invariant: no line-up it allows has
//! fewer living voters than its quorum.

use std::collections::BTreeSet;

use crate::raft::{MemberView, RaftStatus};

use super::operator::{AdminRefusal, Lineup};

/// A voter not heard of for longer counts as gone, ms: a dozen heartbeats.
const ALIVE_MS_MAX: u64 = 2_000;
/// Entries a member may be behind and still count as caught up.
pub(super) const LAG_MAX: u64 = 100;

/// The members at one moment, as the leader sees them.
#[derive(Debug, Clone)]
pub(super) struct Roster {
    members: Vec<MemberView>,
    leader: Option<u64>,
    committed: u64,
}

/// A member that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: u64,
    pub(super) name: String,
}

impl Roster {
    pub(super) fn of(status: &RaftStatus) -> Self {
        Self {
            members: status.members.clone(),
            leader: status.leader,
            committed: status.committed,
        }
    }

    /// The member called `name`.
    ///
    /// # Errors
    /// [`AdminRefusal::UnknownMember`].
    pub(super) fn find(&self, name: &str) -> Result<&MemberView, AdminRefusal> {
        self.members
            .iter()
            .find(|view| view.member.name == name)
            .ok_or_else(|| AdminRefusal::UnknownMember(name.to_owned()))
    }

    /// The name of a member; its number if it is none any more.
    pub(super) fn name_of(&self, id: u64) -> String {
        let view = self.members.iter().find(|view| view.member.id == id);
        view.map_or_else(|| id.to_string(), |view| view.member.name.clone())
    }

    /// Who may lead next: the one asked for, or the living voter that holds most.
    ///
    /// # Errors
    /// [`AdminRefusal`] if it is unknown, no voter, not alive or behind, or if there is none.
    pub(super) fn successor(&self, wanted: Option<&str>) -> Result<Named, AdminRefusal> {
        let view = match wanted {
            Some(name) => self.able_to_lead(self.find(name)?)?,
            None => self
                .members
                .iter()
                .filter(|view| Some(view.member.id) != self.leader)
                .filter(|view| self.able_to_lead(view).is_ok())
                .max_by_key(|view| view.matched)
                .ok_or(AdminRefusal::NoTarget)?,
        };
        Ok(Named {
            id: view.member.id,
            name: view.member.name.clone(),
        })
    }

    fn able_to_lead<'v>(&self, view: &'v MemberView) -> Result<&'v MemberView, AdminRefusal> {
        let name = || view.member.name.clone();
        if !view.voter {
            return Err(AdminRefusal::NotAVoter(name()));
        }
        if !is_alive(view) {
            return Err(AdminRefusal::NotAlive(name()));
        }
        let lag = self.lag(view);
        if lag > LAG_MAX {
            return Err(AdminRefusal::NotCaughtUp { name: name(), lag });
        }
        Ok(view)
    }

    /// Committed entries a member is not known to hold.
    pub(super) fn lag(&self, view: &MemberView) -> u64 {
        match Some(view.member.id) == self.leader {
            true => 0,
            false => self.committed.saturating_sub(view.matched.unwrap_or(0)),
        }
    }

    /// The line-up as it is.
    pub(super) fn lineup(&self) -> Lineup {
        let voters = self.voters();
        self.lineup_of(&voters, &BTreeSet::new())
    }

    /// The ids of the voters.
    pub(super) fn voters(&self) -> BTreeSet<u64> {
        let voters = self.members.iter().filter(|view| view.voter);
        voters.map(|view| view.member.id).collect()
    }

    /// The line-up once `voters` vote and `gone` are no members.
    pub(super) fn lineup_of(&self, voters: &BTreeSet<u64>, gone: &BTreeSet<u64>) -> Lineup {
        let names = |keep: &dyn Fn(&MemberView) -> bool| {
            let kept = self
                .members
                .iter()
                .filter(|view| !gone.contains(&view.member.id) && keep(view));
            let names: BTreeSet<String> = kept.map(|view| view.member.name.clone()).collect();
            names.into_iter().collect()
        };
        let votes = |view: &MemberView| voters.contains(&view.member.id);
        Lineup {
            voters: names(&votes),
            learners: names(&|view| !votes(view)),
            quorum: voters.len() / 2 + 1,
            live: names(&|view| votes(view) && is_alive(view)),
        }
    }
}

/// Whether a member was heard of lately.
pub(super) fn is_alive(view: &MemberView) -> bool {
    view.heard_ms_ago.is_some_and(|ago| ago <= ALIVE_MS_MAX)
}
