//! Who was a member once and is none any more.
//!
//! Owns the list of removed incarnations, a part of the replicated state: every node computes it from
//! the memberships in the log, and snapshots carry it. It may not decide who goes. Invariant: an
//! incarnation on the list never comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::types::Membership;

/// Removed incarnations remembered; the oldest is forgotten first. It is still no member then, and its id
/// is never given again: that rests on the log alone.
pub(super) const REMOVED_MAX: usize = 256;

/// A member that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Removed {
    /// What its number was.
    pub(super) id: u64,
    /// Its data directory.
    pub(super) incarnation: u128,
    /// The entry of the log without it.
    pub(super) index: u64,
    /// What operators called it.
    pub(super) name: String,
}

/// The list, oldest first. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct RemovedMembers {
    /// Guards the list; held for a walk over at most [`REMOVED_MAX`].
    list: Arc<Mutex<Vec<Removed>>>,
}

impl RemovedMembers {
    /// Notes who is in `before` and not in `after`, the membership of entry `index`.
    pub(super) fn learn(&self, before: &Membership, after: &Membership, index: u64) {
        let gone = before
            .nodes()
            .filter(|(id, _)| after.get_node(id).is_none());
        let mut list = self.lock();
        list.extend(gone.map(|(id, member)| Removed {
            id: *id,
            incarnation: member.incarnation,
            index,
            name: member.name.clone(),
        }));
        let surplus = list.len().saturating_sub(REMOVED_MAX);
        list.drain(..surplus);
    }

    /// The index at which a data directory was removed, if it was.
    pub(super) fn index_of(&self, incarnation: u128) -> Option<u64> {
        let list = self.lock();
        let found = list.iter().find(|gone| gone.incarnation == incarnation);
        found.map(|gone| gone.index)
    }

    /// The index at which a member of this name was last removed, if one was.
    pub(super) fn index_of_name(&self, name: &str) -> Option<u64> {
        let list = self.lock();
        let found = list.iter().rev().find(|gone| gone.name == name);
        found.map(|gone| gone.index)
    }

    /// All of it, for a snapshot.
    pub(super) fn all(&self) -> Vec<Removed> {
        self.lock().clone()
    }

    /// Takes over what a snapshot holds.
    pub(super) fn replace(&self, list: Vec<Removed>) {
        *self.lock() = list;
    }

    /// No step under the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Vec<Removed>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::types::Member;
    use super::*;

    fn membership(ids: impl IntoIterator<Item = u64>) -> Membership {
        let members: BTreeMap<u64, Member> = ids
            .into_iter()
            .map(|id| {
                let member = Member {
                    id,
                    incarnation: u128::from(id) + 100,
                    name: format!("node-{id}"),
                    ..Member::default()
                };
                (id, member)
            })
            .collect();
        let voters: BTreeSet<u64> = members.keys().copied().collect();
        Membership::new(vec![voters], members).unwrap()
    }

    #[test]
    fn who_vanishes_from_the_membership_is_remembered_with_the_index() {
        let removed = RemovedMembers::default();
        removed.learn(&membership([1, 2, 3]), &membership([1, 3, 4]), 7);
        assert_eq!(removed.index_of(102), Some(7));
        assert_eq!(removed.index_of(104), None);
        assert_eq!(removed.index_of_name("node-2"), Some(7));
        assert_eq!(removed.index_of_name("node-4"), None);
    }

    #[test]
    fn the_list_is_bounded_and_forgets_the_oldest() {
        let removed = RemovedMembers::default();
        let many = REMOVED_MAX as u64 + 1;
        removed.learn(&membership([1, 2]), &membership([1]), 1);
        removed.learn(&membership(10..10 + many - 1), &membership([10_000]), 2);
        assert_eq!(removed.all().len(), REMOVED_MAX);
        assert_eq!(
            (removed.index_of(102), removed.index_of(110)),
            (None, Some(2))
        );
    }
}
