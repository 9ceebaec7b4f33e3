//! What follows from the voters' disks.
//!
//! Owns the three decisions: whether this node stands for election, whether it hands leadership over,
//! and whether what grows is refused. Pure; it may not act.

use std::time::Duration;

use crate::raft::Candidacy;
use crate::store::space::SpaceState;

use super::DiskSpeed;

/// Without a leader for so long, even a node with a bad disk stands for election: nobody else can win.
pub(super) const LEADERLESS_MAX: Duration = Duration::from_secs(3);

/// One voter's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) space: SpaceState,
    pub(super) speed: DiskSpeed,
}

impl Condition {
    /// Whether a leader may stand on it.
    fn is_fit(self) -> bool {
        self.space != SpaceState::Full && self.speed == DiskSpeed::Ok
    }
}

/// Another voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) id: u64,
    /// As it said itself, not long ago; `None` if it did not.
    pub(super) disk: Option<Condition>,
    /// The last index it is known to hold.
    pub(super) matched: u64,
}

/// Who leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// This node.
    Me,
    /// Another one.
    Another,
    /// Nobody, for so long.
    Nobody(Duration),
}

/// Whether leadership is to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandOver {
    /// It stays.
    No,
    /// To this voter, or to whoever takes it.
    To(Option<u64>),
}

/// What becomes of writes that make the state grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// They are taken.
    Taken,
    /// They are refused: a majority could not store them for long.
    Refused,
}

/// The three decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) candidacy: Candidacy,
    pub(super) hand_over: HandOver,
    pub(super) growth: Growth,
}

/// Judges. `me` is this voter's own disk.
pub(super) fn judge(me: Condition, leads: Leads, others: &[Other]) -> Verdict {
    let best = others
        .iter()
        .filter(|other| other.disk.is_some_and(Condition::is_fit))
        .max_by_key(|other| other.matched)
        .map(|other| other.id);
    Verdict {
        candidacy: candidacy(me, leads, best),
        hand_over: hand_over(me, leads, best, others),
        growth: growth(me, others),
    }
}

fn candidacy(me: Condition, leads: Leads, best: Option<u64>) -> Candidacy {
    let too_long = matches!(leads, Leads::Nobody(since) if since >= LEADERLESS_MAX);
    if me.is_fit() || best.is_none() || too_long {
        Candidacy::Allowed
    } else {
        Candidacy::Withheld
    }
}

fn hand_over(me: Condition, leads: Leads, best: Option<u64>, others: &[Other]) -> HandOver {
    if leads != Leads::Me || me.is_fit() {
        return HandOver::No;
    }
    // A leader whose disk has stalled need not know that another's is better.
    let unknown = others.iter().any(|other| other.disk.is_none());
    match best {
        None if me.speed == DiskSpeed::Stalled && unknown => HandOver::To(None),
        None => HandOver::No,
        best => HandOver::To(best),
    }
}

/// Refused once somebody is full and fewer than a majority are known to have room: a full disk that goes
/// on being written to ends its node, and with it the majority.
fn growth(me: Condition, others: &[Other]) -> Growth {
    let voters = others.len() + 1;
    let known = || {
        let others = others.iter().filter_map(|other| other.disk);
        others.chain([me]).map(|disk| disk.space)
    };
    let roomy = known().filter(|space| *space != SpaceState::Full).count();
    let somebody_is_full = known().any(|space| space == SpaceState::Full);
    match somebody_is_full && roomy <= voters / 2 {
        true => Growth::Refused,
        false => Growth::Taken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: Condition = Condition {
        space: SpaceState::Low,
        speed: DiskSpeed::Ok,
    };
    const FULL: Condition = Condition {
        space: SpaceState::Full,
        ..FIT
    };
    const SLOW: Condition = Condition {
        speed: DiskSpeed::Slow,
        ..FIT
    };
    const STALLED: Condition = Condition {
        speed: DiskSpeed::Stalled,
        ..FIT
    };

    fn others(two: Option<Condition>, three: Option<Condition>) -> [Other; 2] {
        [(2, two, 10), (3, three, 11)].map(|(id, disk, matched)| Other { id, disk, matched })
    }

    #[test]
    fn a_leader_with_a_bad_disk_hands_over_to_the_fit_voter_that_holds_most() {
        for bad in [FULL, SLOW, STALLED] {
            let to = |two, three| judge(bad, Leads::Me, &others(two, three)).hand_over;
            assert_eq!(to(Some(FIT), Some(FIT)), HandOver::To(Some(3)), "{bad:?}");
            assert_eq!(to(Some(FIT), Some(FULL)), HandOver::To(Some(2)), "{bad:?}");
            assert_eq!(to(Some(FIT), None), HandOver::To(Some(2)), "{bad:?}");
            assert_eq!(to(Some(SLOW), Some(FULL)), HandOver::No, "{bad:?}");
        }
        let fit = judge(FIT, Leads::Me, &others(Some(FIT), Some(FIT)));
        assert_eq!(fit.hand_over, HandOver::No);
        let follower = judge(FULL, Leads::Another, &others(Some(FIT), Some(FIT)));
        assert_eq!(follower.hand_over, HandOver::No);
    }

    #[test]
    fn only_a_stalled_leader_steps_aside_for_voters_it_knows_nothing_of() {
        let of = |me| judge(me, Leads::Me, &others(None, None)).hand_over;
        assert_eq!(of(STALLED), HandOver::To(None));
        assert_eq!(of(SLOW), HandOver::No);
        assert_eq!(of(FULL), HandOver::No);
        assert_eq!(judge(STALLED, Leads::Me, &[]).hand_over, HandOver::No);
    }

    #[test]
    fn a_bad_disk_stands_back_while_a_fit_voter_may_win_and_not_for_ever() {
        let fit = others(Some(FIT), None);
        let just_now = Leads::Nobody(Duration::ZERO);
        for bad in [FULL, SLOW, STALLED] {
            assert_eq!(
                judge(bad, Leads::Another, &fit).candidacy,
                Candidacy::Withheld
            );
            assert_eq!(judge(bad, just_now, &fit).candidacy, Candidacy::Withheld);
            let long = Leads::Nobody(LEADERLESS_MAX);
            assert_eq!(judge(bad, long, &fit).candidacy, Candidacy::Allowed);
            let none = others(Some(FULL), None);
            assert_eq!(judge(bad, just_now, &none).candidacy, Candidacy::Allowed);
        }
        assert_eq!(judge(FIT, just_now, &fit).candidacy, Candidacy::Allowed);
    }

    #[test]
    fn growth_is_refused_when_fewer_than_a_majority_have_room() {
        let of = |me, two, three| judge(me, Leads::Another, &others(two, three)).growth;
        assert_eq!(of(FULL, Some(FULL), Some(FULL)), Growth::Refused);
        assert_eq!(of(FULL, Some(FULL), Some(FIT)), Growth::Refused);
        assert_eq!(of(FULL, Some(FIT), Some(FIT)), Growth::Taken);
        assert_eq!(of(FIT, Some(FULL), Some(SLOW)), Growth::Taken);
        // One is away, and of the two that are left one is full.
        assert_eq!(of(FIT, Some(FULL), None), Growth::Refused);
        // Nobody is known to be full: silence alone refuses nothing.
        assert_eq!(of(FIT, None, None), Growth::Taken);
        assert_eq!(judge(FULL, Leads::Me, &[]).growth, Growth::Refused);
        assert_eq!(judge(FIT, Leads::Me, &[]).growth, Growth::Taken);
    }
}
