//! Who is right when state hashes differ.
//!
//! Owns the rule, as a function of what the members reported. It may not act on it. Invariant: a member
//! is odd only against a strict majority of all voters at one index; silence never counts as agreement.

use std::collections::BTreeMap;

use crate::raft::HashPoint;

/// What one member reported.
#[derive(Debug, Clone)]
pub(super) struct Reported {
    pub(super) id: u64,
    pub(super) voter: bool,
    /// By index.
    points: BTreeMap<u64, u128>,
}

impl Reported {
    pub(super) fn new(id: u64, voter: bool, points: &[HashPoint]) -> Self {
        let points = points.iter().map(|point| (point.index, point.hash));
        Self {
            id,
            voter,
            points: points.collect(),
        }
    }

    pub(super) fn at(&self, index: u64) -> Option<u128> {
        self.points.get(&index).copied()
    }
}

/// A member whose state is not the majority's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Odd {
    pub(super) id: u64,
    /// Where it was seen.
    pub(super) index: u64,
    /// Its hash.
    pub(super) its: u128,
    /// The majority's.
    pub(super) theirs: u128,
}

/// What a round of reports says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Judgement {
    /// Members that agree with a majority of the voters, and the newest index at which they do.
    pub(super) agreed: BTreeMap<u64, u64>,
    /// Members that do not.
    pub(super) odd: Vec<Odd>,
    /// The newest index at which all voters that reported differ so that none has a majority.
    pub(super) split_at: Option<u64>,
}

/// Judges `reports` in a cluster of `voters` voters.
pub(super) fn judge(reports: &[Reported], voters: usize) -> Judgement {
    let quorum = voters / 2 + 1;
    let majority = |index: u64| {
        let votes = reports.iter().filter(|report| report.voter);
        let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
        for hash in votes.filter_map(|report| report.at(index)) {
            *counts.entry(hash).or_default() += 1;
        }
        let found = counts.into_iter().find(|(_, count)| *count >= quorum);
        found.map(|(hash, _)| hash)
    };
    let common = newest_common(reports, quorum);
    if let Some(index) = common.filter(|index| majority(*index).is_none()) {
        return Judgement {
            split_at: Some(index),
            ..Judgement::default()
        };
    }
    let mut judgement = Judgement::default();
    for report in reports {
        // Its newest word that can be judged: it may lag behind the others, or they behind it.
        let newest = report.points.iter().rev();
        let judged = newest.filter_map(|(index, its)| Some((*index, *its, majority(*index)?)));
        match judged.map(|found| (found, report.id)).next() {
            Some(((index, its, theirs), id)) if its != theirs => judgement.odd.push(Odd {
                id,
                index,
                its,
                theirs,
            }),
            Some(((index, ..), id)) => {
                judgement.agreed.insert(id, index);
            }
            None => {}
        }
    }
    judgement
}

/// The newest index that every voter which reported anything has, if a quorum did.
fn newest_common(reports: &[Reported], quorum: usize) -> Option<u64> {
    let reporting = reports
        .iter()
        .filter(|report| report.voter && !report.points.is_empty());
    let reporting: Vec<&Reported> = reporting.collect();
    let first = reporting.first().filter(|_| reporting.len() >= quorum)?;
    let all_have = |index: &u64| reporting.iter().all(|report| report.at(*index).is_some());
    first.points.keys().rev().copied().find(all_have)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a member votes, and the index and hash of each of its points.
    type Said<'a> = (bool, &'a [(u64, u128)]);

    fn reports(of: &[Said<'_>]) -> Vec<Reported> {
        let member = |(id, (voter, points)): (u64, &Said<'_>)| {
            let points: Vec<HashPoint> = points
                .iter()
                .map(|(index, hash)| HashPoint {
                    index: *index,
                    hash: *hash,
                })
                .collect();
            Reported::new(id, *voter, &points)
        };
        (1..).zip(of).map(member).collect()
    }

    fn odd_ids(judgement: &Judgement) -> Vec<u64> {
        judgement.odd.iter().map(|odd| odd.id).collect()
    }

    #[test]
    fn equal_hashes_agree_at_their_newest_index() {
        let all = reports(&[
            (true, &[(10, 1), (20, 2)]),
            (true, &[(10, 1), (20, 2)]),
            (true, &[(10, 1)]),
        ]);
        let judgement = judge(&all, 3);
        assert_eq!(
            judgement.agreed,
            BTreeMap::from([(1, 20), (2, 20), (3, 10)])
        );
        assert!(judgement.odd.is_empty() && judgement.split_at.is_none());
    }

    #[test]
    fn one_of_three_is_odd_also_when_another_lags() {
        let all = reports(&[
            (true, &[(10, 1), (20, 2)]),
            (true, &[(10, 9), (20, 8)]),
            (true, &[(10, 1)]),
        ]);
        let judgement = judge(&all, 3);
        assert_eq!(odd_ids(&judgement), [2]);
        assert_eq!((judgement.odd[0].index, judgement.odd[0].theirs), (10, 1));
        assert_eq!(judgement.split_at, None);
    }

    #[test]
    fn a_learner_can_be_odd_and_never_makes_a_majority() {
        let odd = reports(&[(true, &[(10, 1)]), (false, &[(10, 9)])]);
        assert_eq!(odd_ids(&judge(&odd, 1)), [2]);
        let outvoting = [
            (true, &[(10, 1)][..]),
            (false, &[(10, 9)]),
            (false, &[(10, 9)]),
        ];
        assert_eq!(odd_ids(&judge(&reports(&outvoting), 1)), [2, 3]);
    }

    #[test]
    fn no_majority_is_a_split_and_accuses_nobody() {
        let pairwise = reports(&[
            (true, &[(5, 0), (10, 1)]),
            (true, &[(5, 0), (10, 2)]),
            (true, &[(5, 0), (10, 3)]),
        ]);
        let judgement = judge(&pairwise, 3);
        assert_eq!(judgement.split_at, Some(10));
        assert!(judgement.odd.is_empty() && judgement.agreed.is_empty());
        let third_away = reports(&[(true, &[(10, 1)]), (true, &[(10, 2)]), (true, &[])]);
        assert_eq!(judge(&third_away, 3).split_at, Some(10));
    }

    #[test]
    fn too_few_reports_or_no_common_index_say_nothing() {
        let alone = reports(&[(true, &[(10, 1)]), (true, &[]), (true, &[])]);
        assert_eq!(judge(&alone, 3), Judgement::default());
        let apart = reports(&[(true, &[(10, 1)]), (true, &[(20, 2)]), (true, &[])]);
        assert_eq!(judge(&apart, 3), Judgement::default());
    }
}
