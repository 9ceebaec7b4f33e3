//! The state hash of this node at each of the last indexes it applied.
//!
//! Owns a ring of hashes, so that two nodes can be compared at one index although neither stands still.
//! It may not compare. Invariant: what it answers for an index is the hash right after that entry.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Indexes remembered: some seconds under the heaviest load, an hour of an idle cluster. 130 KB.
const REMEMBERED: usize = 4_096;

/// Hashes by index, oldest first.
#[derive(Default)]
pub(super) struct StateHashes {
    /// Guards the ring; held for one step or a binary search.
    ring: Mutex<VecDeque<(u64, u128)>>,
}

impl StateHashes {
    /// Notes the hash after entry `index`.
    pub(super) fn note(&self, index: u64, hash: u128) {
        let mut ring = self.lock();
        // After an older snapshot was installed, what came later is another history's.
        while ring.back().is_some_and(|(last, _)| *last >= index) {
            ring.pop_back();
        }
        if ring.len() == REMEMBERED {
            ring.pop_front();
        }
        ring.push_back((index, hash));
    }

    /// The hash after entry `index`, if that is remembered.
    pub(super) fn at(&self, index: u64) -> Option<u128> {
        let ring = self.lock();
        let place = ring.binary_search_by_key(&index, |(at, _)| *at).ok()?;
        Some(ring[place].1)
    }

    /// No step under the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, u128)>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_indexes_are_remembered_and_no_others() {
        let hashes = StateHashes::default();
        let many = REMEMBERED as u64 + 10;
        for index in 1..=many {
            hashes.note(index, u128::from(index) * 3);
        }
        assert_eq!(hashes.at(10), None);
        assert_eq!(hashes.at(11), Some(33));
        assert_eq!(hashes.at(many), Some(u128::from(many) * 3));
        hashes.note(20, 1);
        assert_eq!((hashes.at(20), hashes.at(21)), (Some(1), None));
    }
}
