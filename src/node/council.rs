//! Changes of the members and of the leader, on the leader.
//!
//! Owns the order in which a change is checked and made. It may not forward an order. Invariant: one
//! change at a time, and none that leaves fewer living voters than a quorum.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use crate::raft::{ChangeError, Goal, Member, MemberChange, MemberView, Raft, TransferError};

use super::invitations::Invitations;
use super::lineup::Roster;
use super::membership::Members;
use super::operator::{AdminRefusal, Change, Lineup, Mode, Order, Report};
use super::welcome::Guest;

/// How long a change may take before the order is answered with what is known by then.
const CHANGE_MAX: Duration = Duration::from_secs(3);

/// Who changes the members.
pub(super) struct Council {
    pub(super) raft: Raft,
    pub(super) cluster_id: u128,
    pub(super) members: Arc<Members>,
    pub(super) invitations: Invitations,
    /// Held for one change; a second one is refused, not queued.
    turn: Arc<Mutex<()>>,
}

/// The right to make one change, and what it is decided on.
pub(super) struct Floor {
    pub(super) roster: Roster,
    /// The entry that made the members what they are.
    based_on: u64,
    _turn: OwnedMutexGuard<()>,
}

/// A change that was found to be right.
pub(super) struct Motion {
    pub(super) change: MemberChange,
    pub(super) steps: Vec<String>,
    pub(super) after: Lineup,
    pub(super) message: String,
    pub(super) reach: Reach,
}

/// How far a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All the way.
    Whole,
    /// The rest is done by itself when it can be.
    Begun,
}

/// What an order comes to.
pub(super) enum Decision {
    /// There is nothing to do, or nothing yet: all of it has happened, or will by itself.
    Stands(Reach, String),
    /// Something is to be changed.
    Change(Box<Motion>),
}

impl Decision {
    pub(super) fn change(motion: Motion) -> Self {
        Self::Change(Box::new(motion))
    }
}

impl Council {
    pub(super) fn new(raft: Raft, cluster_id: u128, members: Arc<Members>) -> Self {
        Self {
            raft,
            cluster_id,
            members,
            invitations: Invitations::default(),
            turn: Arc::default(),
        }
    }

    /// Checks `order`, and carries it out unless it is a dry run.
    ///
    /// # Errors
    /// [`AdminRefusal`]; [`AdminRefusal::NoLeader`] if this node does not lead.
    pub(super) async fn carry_out(&self, order: Order) -> Result<Report, AdminRefusal> {
        let floor = self.take_the_floor()?;
        let floor = self.with_the_living(floor).await;
        let decision = match order.change {
            Change::Transfer { to } => return self.transfer(&floor, to, order.mode).await,
            Change::Add { name, peer, seat } => {
                self.decide_add(&floor, &Guest { name, peer, seat }, order.mode)
                    .await?
            }
            Change::Promote { name } => self.decide_promote(&floor.roster, &name)?,
            Change::Remove { name } => self.decide_remove(&floor.roster, &name)?,
            Change::Replace { old, with } => self.decide_replace(&floor.roster, &old, &with)?,
            Change::Update { name, peer, http } => {
                self.decide_update(&floor.roster, &name, peer, http).await?
            }
        };
        let before = floor.roster.lineup();
        match (decision, order.mode) {
            (Decision::Stands(reach, message), _) => Ok(stands(before, reach, message)),
            (Decision::Change(motion), Mode::DryRun) => {
                Ok(report(before, *motion, Happened::Nothing))
            }
            (Decision::Change(motion), Mode::Execute) => self.make(&floor, before, *motion).await,
        }
    }

    /// The turn, if nobody has it.
    pub(super) fn try_turn(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.turn).try_lock_owned().ok()
    }

    /// The turn, on what is known of the members at this moment.
    ///
    /// # Errors
    /// [`AdminRefusal::NoLeader`], [`AdminRefusal::ChangeInProgress`].
    pub(super) fn take_the_floor(&self) -> Result<Floor, AdminRefusal> {
        let turn = self.try_turn().ok_or(AdminRefusal::ChangeInProgress)?;
        let leadership = *self.raft.leadership().borrow();
        if leadership.leader != Some(self.raft.me()) || !leadership.ready {
            return Err(AdminRefusal::NoLeader);
        }
        let status = self.raft.status();
        if status.joint {
            return Err(AdminRefusal::ChangeInProgress);
        }
        Ok(Floor {
            roster: Roster::new(&status, BTreeSet::new()),
            based_on: status.members_at,
            _turn: turn,
        })
    }

    /// `floor`, with who answers now. The wait changes nothing in what is fenced.
    pub(super) async fn with_the_living(&self, floor: Floor) -> Floor {
        self.members.refresh(&self.raft).await;
        let mut alive = self.members.alive();
        alive.insert(self.raft.me());
        Floor {
            roster: Roster::new(&self.raft.status(), alive),
            ..floor
        }
    }

    /// Puts a change through the log.
    ///
    /// # Errors
    /// What [`Raft::change_members`] refuses.
    pub(super) async fn change(
        &self,
        floor: &Floor,
        change: MemberChange,
    ) -> Result<u64, AdminRefusal> {
        let change = match change {
            MemberChange::Add(member) => MemberChange::Add(Member {
                id: self.raft.allocate_id().await.map_err(not_changed)?,
                ..member
            }),
            other => other,
        };
        let changed = self.raft.change_members(floor.based_on, change).await;
        changed.map_err(not_changed)
    }

    async fn make(
        &self,
        floor: &Floor,
        before: Lineup,
        motion: Motion,
    ) -> Result<Report, AdminRefusal> {
        tracing::info!(order = motion.message, "changing the members");
        let changing = self.change(floor, motion.change.clone());
        let happened = match timeout(CHANGE_MAX, changing).await {
            Ok(index) => {
                index?;
                Happened::Change
            }
            // The steward ends what stays half done.
            Err(_late) => Happened::Beginning,
        };
        Ok(report(before, motion, happened))
    }

    async fn transfer(
        &self,
        floor: &Floor,
        to: Option<String>,
        mode: Mode,
    ) -> Result<Report, AdminRefusal> {
        let target = floor.roster.successor(to.as_deref())?.member.clone();
        let lineup = floor.roster.lineup();
        if target.id == self.raft.me() {
            let mut report = stands(
                lineup,
                Reach::Whole,
                format!("{} leads already", target.name),
            );
            report.leader = Some(target.name);
            return Ok(report);
        }
        let mut report = Report {
            steps: vec![format!("hand leadership to {}", target.name)],
            ..stands(lineup, Reach::Begun, format!("{} would lead", target.name))
        };
        if mode == Mode::DryRun {
            return Ok(report);
        }
        let begun = Instant::now();
        let leader = self.raft.transfer_leadership(Some(target.id)).await;
        let leader = leader.map_err(not_transferred)?;
        let named = floor
            .roster
            .get(leader)
            .map(|view| view.member.name.clone());
        report.done = true;
        report.message = format!("{} leads", named.as_deref().unwrap_or("another"));
        report.leader = named;
        report.gap_ms = u64::try_from(begun.elapsed().as_millis()).ok();
        Ok(report)
    }

    /// Takes a member out, or says that it is out: an order whose answer was lost is given again.
    fn decide_remove(&self, roster: &Roster, name: &str) -> Result<Decision, AdminRefusal> {
        match (roster.find(name), self.raft.removed_by_name(name)) {
            (Err(_unknown), Some(index)) => Ok(Decision::Stands(
                Reach::Whole,
                format!("{name} was removed at index {index}"),
            )),
            (going, _) => motion_to_remove(roster, going?),
        }
    }

    fn decide_promote(&self, roster: &Roster, name: &str) -> Result<Decision, AdminRefusal> {
        let learner = roster.find_learner(name)?;
        self.fit_to_vote(roster, learner)?;
        let given = BTreeSet::from([learner.member.id]);
        let voters: BTreeSet<u64> = roster.voters().union(&given).copied().collect();
        roster.allow(&voters)?;
        Ok(Decision::change(Motion {
            after: roster.lineup_of(&voters, &BTreeSet::new()),
            steps: vec![format!("{name} votes")],
            message: format!("{name} is a voter"),
            change: MemberChange::Votes {
                given,
                taken: BTreeSet::new(),
            },
            reach: Reach::Whole,
        }))
    }

    /// Gives the place away in one change, now or as soon as the new member is fit.
    fn decide_replace(
        &self,
        roster: &Roster,
        old: &str,
        with: &str,
    ) -> Result<Decision, AdminRefusal> {
        if old == with {
            return Err(AdminRefusal::SameMember(old.to_owned()));
        }
        let going = roster.find(old)?;
        if !going.voter {
            return Err(AdminRefusal::NotAVoter(old.to_owned()));
        }
        let coming = roster.find_learner(with)?;
        let (gone, new) = (going.member.id, coming.member.id);
        let mut voters = roster.voters();
        voters.remove(&gone);
        voters.insert(new);
        let after = roster.lineup_of(&voters, &BTreeSet::from([gone]));
        let swap = format!("{with} votes and {old} goes, in one change");
        if self.fit_to_vote(roster, coming).is_err() {
            return Ok(Decision::change(Motion {
                change: MemberChange::Set(Member {
                    goal: Goal::Replace(gone),
                    ..coming.member.clone()
                }),
                steps: vec![format!("{with} catches up and is compared"), swap],
                after,
                message: format!("{with} takes the place of {old} once it is caught up"),
                reach: Reach::Begun,
            }));
        }
        roster.allow(&voters)?;
        Ok(Decision::change(Motion {
            change: swap_votes(new, gone),
            steps: vec![swap],
            after,
            message: format!("{with} has taken the place of {old}"),
            reach: Reach::Whole,
        }))
    }

    /// That a learner answers, is caught up, and holds the very state this node had at the same index.
    ///
    /// # Errors
    /// [`AdminRefusal::NotAlive`], [`AdminRefusal::NotCaughtUp`], [`AdminRefusal::StateDiffers`].
    pub(super) fn fit_to_vote(
        &self,
        roster: &Roster,
        learner: &MemberView,
    ) -> Result<(), AdminRefusal> {
        roster.able_to_vote(learner)?;
        let name = || learner.member.name.clone();
        let said = self.members.state_of(learner.member.id);
        match compare(said, |index| self.raft.state().hash_at(index)) {
            Comparison::Equal => Ok(()),
            Comparison::Unequal(index) => Err(AdminRefusal::StateDiffers {
                name: name(),
                index,
            }),
            Comparison::NotYet => Err(AdminRefusal::NotCaughtUp {
                name: name(),
                lag: roster.lag(learner),
            }),
        }
    }
}

/// How a learner's state compares with this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// One hash at one index.
    Equal,
    /// Two hashes at this index.
    Unequal(u64),
    /// There is no index of which both are known.
    NotYet,
}

/// Compares what a member said of its state with what this node had at the same index.
fn compare(said: Option<(u64, u128)>, own_hash: impl Fn(u64) -> Option<u128>) -> Comparison {
    let Some((index, theirs)) = said else {
        return Comparison::NotYet;
    };
    match own_hash(index) {
        None => Comparison::NotYet,
        Some(own) if own == theirs => Comparison::Equal,
        Some(_) => Comparison::Unequal(index),
    }
}

/// Takes a member out.
fn motion_to_remove(roster: &Roster, going: &MemberView) -> Result<Decision, AdminRefusal> {
    let name = going.member.name.as_str();
    let gone = BTreeSet::from([going.member.id]);
    let voters: BTreeSet<u64> = roster.voters().difference(&gone).copied().collect();
    if voters.is_empty() {
        return Err(AdminRefusal::LastVoter(name.to_owned()));
    }
    if going.voter {
        roster.allow(&voters)?;
    }
    Ok(Decision::change(Motion {
        after: roster.lineup_of(&voters, &gone),
        steps: vec![
            format!("{name} is no member any more"),
            format!("its process ends with exit 76, and its data directory never comes back"),
        ],
        message: format!("{name} is removed"),
        change: match going.voter {
            false => MemberChange::Forget(going.member.id),
            true => MemberChange::Votes {
                given: BTreeSet::new(),
                taken: gone,
            },
        },
        reach: Reach::Whole,
    }))
}

/// One vote goes from `gone` to `new`.
pub(super) fn swap_votes(new: u64, gone: u64) -> MemberChange {
    MemberChange::Votes {
        given: BTreeSet::from([new]),
        taken: BTreeSet::from([gone]),
    }
}

/// What has happened of a motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happened {
    Nothing,
    Beginning,
    Change,
}

fn report(before: Lineup, motion: Motion, happened: Happened) -> Report {
    let prefix = match happened {
        Happened::Nothing => "this would happen: ",
        Happened::Beginning => "not committed yet: ",
        Happened::Change => "",
    };
    Report {
        done: happened == Happened::Change && motion.reach == Reach::Whole,
        steps: motion.steps,
        before,
        after: motion.after,
        message: format!("{prefix}{}", motion.message),
        leader: None,
        gap_ms: None,
    }
}

fn stands(lineup: Lineup, reach: Reach, message: String) -> Report {
    Report {
        done: reach == Reach::Whole,
        steps: Vec::new(),
        after: lineup.clone(),
        before: lineup,
        message,
        leader: None,
        gap_ms: None,
    }
}

fn not_changed(error: ChangeError) -> AdminRefusal {
    match error {
        ChangeError::NotLeader => AdminRefusal::NoLeader,
        ChangeError::Outdated => AdminRefusal::ChangeInProgress,
        ChangeError::Impossible => AdminRefusal::Malformed(error.to_string()),
        ChangeError::Unknown => AdminRefusal::UnknownOutcome,
        ChangeError::Stopped => AdminRefusal::Stopping,
    }
}

fn not_transferred(error: TransferError) -> AdminRefusal {
    match error {
        TransferError::NotLeader => AdminRefusal::NoLeader,
        TransferError::NoTarget => AdminRefusal::NoTarget,
        TransferError::TimedOut => AdminRefusal::TransferTimedOut,
        TransferError::Stopped => AdminRefusal::Stopping,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_equal_only_if_it_was_compared_at_one_index() {
        let own = |index| (index == 7).then_some(0xA);
        assert_eq!(compare(Some((7, 0xA)), own), Comparison::Equal);
        assert_eq!(compare(Some((7, 0xB)), own), Comparison::Unequal(7));
        assert_eq!(compare(Some((8, 0xA)), own), Comparison::NotYet);
        assert_eq!(compare(None, own), Comparison::NotYet);
    }
}
