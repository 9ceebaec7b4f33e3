//! Who counts: voters, learners, who lives, and whether a change leaves a quorum.
//!
//! Owns the arithmetic of members. Pure: it may not ask anybody. Invariant: no line-up it allows has
//! fewer living voters than its quorum.

use std::collections::BTreeSet;

use crate::raft::{MemberView, RaftStatus};

use super::operator::{AdminRefusal, Lineup};

/// Entries a member may be behind and still count as caught up.
pub(super) const LAG_MAX: u64 = 100;

/// The members at one moment, as the leader sees them.
#[derive(Debug, Clone)]
pub(super) struct Roster {
    members: Vec<MemberView>,
    leader: Option<u64>,
    committed: u64,
    /// Who answered a moment ago, the leader included.
    alive: BTreeSet<u64>,
}

impl Roster {
    pub(super) fn new(status: &RaftStatus, alive: BTreeSet<u64>) -> Self {
        Self {
            members: status.members.clone(),
            leader: status.leader,
            committed: status.committed,
            alive,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// All members, by id.
    pub(super) fn members(&self) -> &[MemberView] {
        &self.members
    }

    /// The member called `name`; while one takes the place of another of its name, the older.
    ///
    /// # Errors
    /// [`AdminRefusal::UnknownMember`].
    pub(super) fn find(&self, name: &str) -> Result<&MemberView, AdminRefusal> {
        self.members
            .iter()
            .find(|view| view.member.name == name)
            .ok_or_else(|| AdminRefusal::UnknownMember(name.to_owned()))
    }

    /// The learner called `name`.
    ///
    /// # Errors
    /// [`AdminRefusal::UnknownMember`], [`AdminRefusal::AlreadyVoter`].
    pub(super) fn find_learner(&self, name: &str) -> Result<&MemberView, AdminRefusal> {
        let mut named = self.members.iter().filter(|view| view.member.name == name);
        match named.find(|view| !view.voter) {
            Some(learner) => Ok(learner),
            None => self
                .find(name)
                .and_then(|_voter| Err(AdminRefusal::AlreadyVoter(name.to_owned()))),
        }
    }

    /// The member with that id.
    pub(super) fn get(&self, id: u64) -> Option<&MemberView> {
        self.members.iter().find(|view| view.member.id == id)
    }

    /// Who may lead next: the one asked for, or the living voter that holds most.
    ///
    /// # Errors
    /// [`AdminRefusal`] if it is unknown, no voter, not alive or behind, or if there is none.
    pub(super) fn successor(&self, wanted: Option<&str>) -> Result<&MemberView, AdminRefusal> {
        let others = || {
            self.members
                .iter()
                .filter(|view| Some(view.member.id) != self.leader)
        };
        match wanted {
            Some(name) => self.able_to_lead(self.find(name)?),
            None => others()
                .filter(|view| self.able_to_lead(view).is_ok())
                .max_by_key(|view| view.matched)
                .ok_or(AdminRefusal::NoTarget),
        }
    }

    fn able_to_lead<'v>(&self, view: &'v MemberView) -> Result<&'v MemberView, AdminRefusal> {
        if !view.voter {
            return Err(AdminRefusal::NotAVoter(view.member.name.clone()));
        }
        self.able_to_vote(view)
    }

    /// `view`, if it answers and holds what the others hold.
    ///
    /// # Errors
    /// [`AdminRefusal::NotAlive`], [`AdminRefusal::NotCaughtUp`].
    pub(super) fn able_to_vote<'v>(
        &self,
        view: &'v MemberView,
    ) -> Result<&'v MemberView, AdminRefusal> {
        let name = || view.member.name.clone();
        if !self.is_alive(view.member.id) {
            return Err(AdminRefusal::NotAlive(name()));
        }
        match self.lag(view) {
            lag if lag > LAG_MAX => Err(AdminRefusal::NotCaughtUp { name: name(), lag }),
            _ => Ok(view),
        }
    }

    /// Committed entries a member is not known to hold.
    pub(super) fn lag(&self, view: &MemberView) -> u64 {
        match Some(view.member.id) == self.leader {
            true => 0,
            false => self.committed.saturating_sub(view.matched.unwrap_or(0)),
        }
    }

    /// Whether it answered a moment ago.
    pub(super) fn is_alive(&self, id: u64) -> bool {
        self.alive.contains(&id)
    }

    /// The ids of the voters.
    pub(super) fn voters(&self) -> BTreeSet<u64> {
        let voters = self.members.iter().filter(|view| view.voter);
        voters.map(|view| view.member.id).collect()
    }

    /// Whether the cluster can go from its voters to `after`: on the way both must agree, so both must
    /// live, each by its own quorum.
    ///
    /// # Errors
    /// [`AdminRefusal::QuorumAtRisk`].
    pub(super) fn allow(&self, after: &BTreeSet<u64>) -> Result<(), AdminRefusal> {
        for voters in [&self.voters(), after] {
            let live = voters.intersection(&self.alive).count();
            let quorum = quorum_of(voters.len());
            if live < quorum {
                let voters = voters.len();
                return Err(AdminRefusal::QuorumAtRisk {
                    live,
                    voters,
                    quorum,
                });
            }
        }
        Ok(())
    }

    /// The line-up as it is.
    pub(super) fn lineup(&self) -> Lineup {
        self.lineup_of(&self.voters(), &BTreeSet::new())
    }

    /// The line-up once `voters` vote and `gone` are no members.
    pub(super) fn lineup_of(&self, voters: &BTreeSet<u64>, gone: &BTreeSet<u64>) -> Lineup {
        let names = |keep: &dyn Fn(u64) -> bool| {
            let ids = self.members.iter().map(|view| (view.member.id, view));
            let kept = ids.filter(|(id, _)| !gone.contains(id) && keep(*id));
            let mut names: Vec<String> = kept.map(|(_, view)| view.member.name.clone()).collect();
            names.sort();
            names
        };
        Lineup {
            voters: names(&|id| voters.contains(&id)),
            learners: names(&|id| !voters.contains(&id)),
            quorum: quorum_of(voters.len()),
            live: names(&|id| voters.contains(&id) && self.is_alive(id)),
        }
    }
}

impl Lineup {
    /// The line-up with one more voter, who lives.
    pub(super) fn with_voter(mut self, name: &str) -> Self {
        self.voters.push(name.to_owned());
        self.live.push(name.to_owned());
        self.voters.sort();
        self.live.sort();
        self.quorum = quorum_of(self.voters.len());
        self
    }

    /// The line-up with one more learner.
    pub(super) fn with_learner(mut self, name: &str) -> Self {
        self.learners.push(name.to_owned());
        self.learners.sort();
        self
    }
}

const fn quorum_of(voters: usize) -> usize {
    voters / 2 + 1
}

#[cfg(test)]
mod tests {
    use crate::raft::{Member, Role};

    use super::*;

    /// Voters 1..=`voters` and the learner 9, led by 1, of whom `alive` answer.
    fn roster(voters: u64, alive: &[u64]) -> Roster {
        let view = |id: u64, voter| MemberView {
            member: Member {
                id,
                name: format!("node-{id}"),
                ..Member::default()
            },
            voter,
            matched: Some(1_000 - 60 * id),
            heard_ms_ago: None,
        };
        let members = (1..=voters).map(|id| view(id, true));
        let status = RaftStatus {
            role: Role::Leader,
            term: 1,
            leader: Some(1),
            last: 1_000,
            committed: 1_000,
            applied: 1_000,
            snapshot: 0,
            purged: 0,
            members: members.chain([view(9, false)]).collect(),
            members_at: 1,
            joint: false,
            receiving: None,
            snapshots_refused: 0,
        };
        Roster::new(&status, alive.iter().copied().collect())
    }

    /// Every set of voters, of those who live, and of those who would vote: what is allowed leaves a
    /// quorum of both, and what is refused would not.
    #[test]
    fn what_is_allowed_has_a_living_quorum_before_and_after() {
        for (before, alive, after) in
            (0..32_u32).flat_map(|mask| (0..32_u32).map(move |next| (5, mask | 1, next | 1)))
        {
            let set = |mask: u32| (1..=5).filter(move |id| mask >> (id - 1) & 1 == 1);
            let alive: Vec<u64> = set(alive).collect();
            let after: BTreeSet<u64> = set(after).collect();
            let lives = |voters: &BTreeSet<u64>| {
                let live = voters.iter().filter(|id| alive.contains(id)).count();
                2 * live > voters.len()
            };
            let fine = lives(&(1..=before).collect()) && lives(&after);
            let allowed = roster(before, &alive).allow(&after);
            assert_eq!(allowed.is_ok(), fine, "{alive:?} of {before} to {after:?}");
        }
    }

    #[test]
    fn leadership_goes_to_a_living_voter_that_is_caught_up() {
        let name =
            |found: Result<&MemberView, AdminRefusal>| found.map(|view| view.member.name.clone());
        let all = roster(3, &[1, 2, 3, 9]);
        assert_eq!(
            name(all.successor(None)),
            Err(AdminRefusal::NoTarget),
            "all are behind"
        );
        let behind = AdminRefusal::NotCaughtUp {
            name: "node-2".to_owned(),
            lag: 120,
        };
        assert_eq!(name(all.successor(Some("node-2"))), Err(behind));
        let refusal = name(all.successor(Some("node-9")));
        assert_eq!(refusal, Err(AdminRefusal::NotAVoter("node-9".to_owned())));
        let refusal = name(roster(3, &[1]).successor(Some("node-3")));
        assert_eq!(refusal, Err(AdminRefusal::NotAlive("node-3".to_owned())));
        let refusal = name(all.successor(Some("node-7")));
        assert_eq!(
            refusal,
            Err(AdminRefusal::UnknownMember("node-7".to_owned()))
        );
        assert_eq!(name(all.successor(Some("node-1"))).as_deref(), Ok("node-1"));
    }

    #[test]
    fn a_line_up_names_who_would_count() {
        let lineup = roster(3, &[1, 3]).lineup_of(&BTreeSet::from([1, 3, 9]), &BTreeSet::from([2]));
        assert_eq!(lineup.voters, ["node-1", "node-3", "node-9"]);
        assert_eq!((lineup.quorum, lineup.live.len()), (2, 2));
        let more = lineup.with_voter("node-0").with_learner("node-5");
        assert_eq!(
            (more.voters.len(), more.quorum, more.learners.len()),
            (4, 3, 1)
        );
    }
}
