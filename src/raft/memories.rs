//! What this node remembers of each data directory it has met.
//!
//! Owns the rows in memory and their bound. It may not write them: the keeper does. Invariant: a row only
//! grows, and rows of members are never dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::peer_memory::{MEMORIES_MAX, Memories as Rows, Memory};

/// The memory of one node.
#[derive(Debug, Default)]
pub(super) struct Memories {
    /// Guards the rows; held for a map operation or a copy.
    rows: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    rows: Rows,
    /// Whether there is something the disk does not have.
    changed: bool,
}

impl Memories {
    /// A memory that begins with what the disk holds.
    pub(super) fn new(rows: Rows) -> Self {
        let kept = Kept {
            rows,
            changed: false,
        };
        Self {
            rows: Mutex::new(kept),
        }
    }

    /// What is remembered of `incarnation`.
    pub(super) fn of(&self, incarnation: u128) -> Memory {
        self.kept()
            .rows
            .get(&incarnation)
            .copied()
            .unwrap_or_default()
    }

    /// Changes what is remembered of the member `incarnation`. If there is no room, somebody goes who is not
    /// a member: `is_member` tells.
    pub(super) fn learn(
        &self,
        incarnation: u128,
        change: impl FnOnce(&mut Memory),
        is_member: impl Fn(u128) -> bool,
    ) {
        let mut kept = self.kept();
        let before = kept.rows.get(&incarnation).copied().unwrap_or_default();
        let mut after = before;
        change(&mut after);
        if after == before {
            return;
        }
        if kept.rows.len() >= MEMORIES_MAX && !kept.rows.contains_key(&incarnation) {
            let gone = kept.rows.keys().copied().find(|row| !is_member(*row));
            let Some(gone) = gone else { return };
            kept.rows.remove(&gone);
        }
        kept.rows.insert(incarnation, after);
        kept.changed = true;
    }

    /// What the disk should hold now, if that has changed since this was last asked.
    pub(super) fn take_changed(&self) -> Option<Rows> {
        let mut kept = self.kept();
        let changed = std::mem::take(&mut kept.changed);
        changed.then(|| kept.rows.clone())
    }

    /// What was taken could not be written.
    pub(super) fn not_written(&self) {
        self.kept().changed = true;
    }

    /// Every change to it is one step, so a panic elsewhere leaves it whole.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(to: u64) -> impl FnOnce(&mut Memory) {
        move |memory| memory.mark = memory.mark.max(to)
    }

    #[test]
    fn it_is_written_when_it_has_changed_and_again_when_that_failed() {
        let memories = Memories::new(Rows::new());
        memories.learn(1, mark(5), |_| true);
        assert_eq!(memories.take_changed().unwrap()[&1].mark, 5);
        assert_eq!(memories.take_changed(), None);
        memories.learn(1, mark(4), |_| true);
        assert_eq!(memories.take_changed(), None, "nothing was learnt");
        memories.not_written();
        assert_eq!(memories.take_changed().unwrap()[&1].mark, 5);
    }

    #[test]
    fn without_room_only_those_who_are_no_members_are_forgotten() {
        let memories = Memories::new(Rows::new());
        let member = |row: u128| row != 77;
        for row in 0..MEMORIES_MAX as u128 {
            memories.learn(row, mark(1), member);
        }
        memories.learn(5_000, mark(1), member);
        assert_eq!(memories.of(77), Memory::default(), "no member, and gone");
        assert_eq!(memories.of(5_000).mark, 1);
        memories.learn(5_001, mark(1), member);
        assert_eq!(
            memories.of(5_001),
            Memory::default(),
            "only members are left"
        );
        assert_eq!(memories.of(0).mark, 1);
    }
}
