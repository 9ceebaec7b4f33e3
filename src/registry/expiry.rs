//! Finding the leases that are over, without touching anything at a renewal.
//!
//! Owns [`DueQueue`]: slots in buckets by the second in which their lease was due when somebody
//! last looked. A renewal leaves its slot where it is; whoever looks at a bucket moves the renewed
//! ones on. It may not decide who goes: it only finds. Not part of the replicated state, and no
//! outcome depends on it: the invariant is that a live slot is never in a bucket *later* than the
//! second it is due in, so a search of the buckets up to now finds everybody.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The bucket of a slot that is in none.
const NOWHERE: u64 = u64::MAX;
/// Stale entries tolerated beyond twice the slots before the queue drops them all.
const STALE_MAX: usize = 1_024;

/// Slots by the second they may be due in.
#[derive(Debug, Default)]
pub(super) struct DueQueue {
    buckets: BTreeMap<u64, Vec<u32>>,
    /// By slot: the bucket it is in. An entry in any other bucket is stale.
    bucket_of: Vec<u64>,
    entries: usize,
    /// Buckets before this second hold nothing that was renewed before they passed.
    swept: u64,
}

impl DueQueue {
    /// Makes sure that `slot` is found by a search at `second`.
    pub(super) fn note(&mut self, slot: u32, second: u64) {
        let position = slot as usize;
        if position >= self.bucket_of.len() {
            self.bucket_of.resize(position + 1, NOWHERE);
        }
        if self.bucket_of[position] <= second {
            return;
        }
        self.bucket_of[position] = second;
        self.buckets.entry(second).or_default().push(slot);
        self.entries += 1;
        if self.entries > 2 * self.bucket_of.len() + STALE_MAX {
            self.drop_stale();
        }
    }

    /// Every slot that may be due in `second` or before.
    pub(super) fn candidates(&self, second: u64) -> impl Iterator<Item = u32> {
        let buckets = self.buckets.range(..=second);
        buckets.flat_map(|(_, slots)| slots.iter().copied())
    }

    /// Whether a search at `second` would look at `slot`.
    pub(super) fn finds(&self, slot: u32, second: u64) -> bool {
        let bucket = self.bucket_of[slot as usize];
        let slots = self.buckets.get(&bucket);
        bucket <= second && slots.is_some_and(|slots| slots.contains(&slot))
    }

    /// Looks once through the buckets that have passed since the last sweep.
    pub(super) fn sweep(&mut self, second: u64, expires_at: impl Fn(u32) -> Option<u64>) {
        while let Some(passed) = self.first_bucket(self.swept, second) {
            let due = self.settle(passed, &expires_at);
            self.put_back(passed, due);
            self.swept = passed + 1;
        }
        self.swept = self.swept.max(second);
    }

    /// Takes out the slots that are over at `until.0` ms: the `until.1` least by `order`. Their
    /// leases must end now.
    pub(super) fn due(
        &mut self,
        (lease_ms, max): (u64, usize),
        expires_at: impl Fn(u32) -> Option<u64>,
        order: impl Fn(&u32, &u32) -> Ordering,
    ) -> Vec<u32> {
        let mut taken = Vec::new();
        let mut from = 0;
        while taken.len() < max
            && let Some(second) = self.first_bucket(from, lease_ms / 1_000 + 1)
        {
            let settled = self.settle(second, &expires_at);
            let is_over = |slot: &u32| expires_at(*slot).is_some_and(|at| at <= lease_ms);
            let (mut over, mut rest): (Vec<u32>, Vec<u32>) = settled.into_iter().partition(is_over);
            let room = max - taken.len();
            if over.len() > room {
                over.select_nth_unstable_by(room, &order);
                rest.extend(over.split_off(room));
            }
            over.sort_unstable_by(&order);
            taken.extend(over);
            self.put_back(second, rest);
            from = second + 1;
        }
        taken
    }

    /// The first bucket from second `from` up to but not including `end`.
    fn first_bucket(&self, from: u64, end: u64) -> Option<u64> {
        let mut buckets = self.buckets.range(from..end.max(from));
        buckets.next().map(|(second, _)| *second)
    }

    /// Takes the bucket of `second` away, moves those due later on, and returns the others.
    fn settle(&mut self, second: u64, expires_at: &impl Fn(u32) -> Option<u64>) -> Vec<u32> {
        let mut slots = self.buckets.remove(&second).unwrap_or_default();
        self.entries -= slots.len();
        slots.retain(|slot| {
            // A second entry of the same slot finds it moved or taken, and goes.
            let bucket = &mut self.bucket_of[*slot as usize];
            if *bucket != second {
                return false;
            }
            *bucket = NOWHERE;
            let due_second = expires_at(*slot).map(|at| at / 1_000);
            if let Some(later) = due_second.filter(|due| *due > second) {
                self.note(*slot, later);
            }
            due_second == Some(second)
        });
        slots
    }

    fn put_back(&mut self, second: u64, slots: Vec<u32>) {
        for slot in slots {
            self.note(slot, second);
        }
    }

    /// Rebuilds every bucket from the slots that are in it by right.
    fn drop_stale(&mut self) {
        let bucket_of = &self.bucket_of;
        self.buckets.retain(|second, slots| {
            slots.retain(|slot| bucket_of[*slot as usize] == *second);
            slots.sort_unstable();
            slots.dedup();
            slots.shrink_to_fit();
            !slots.is_empty()
        });
        self.entries = self.buckets.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::{DueQueue, STALE_MAX};

    #[test]
    fn entries_left_behind_never_pile_up() {
        let mut queue = DueQueue::default();
        for second in (0..10 * STALE_MAX as u64).rev() {
            queue.note(0, second);
            assert!(queue.entries <= 2 + STALE_MAX, "at {second}");
            assert!(queue.finds(0, second));
        }
        let held: usize = queue.buckets.values().map(Vec::len).sum();
        assert_eq!(queue.entries, held, "the count is of the content");
    }

    #[test]
    fn a_sweep_moves_a_renewed_slot_once_and_leaves_one_that_is_over() {
        let mut queue = DueQueue::default();
        queue.note(0, 10);
        queue.note(1, 10);
        let expires_at = |slot| Some(if slot == 0 { 10_500 } else { 40_000 });
        queue.sweep(30, expires_at);
        let candidates: Vec<u32> = queue.candidates(39).collect();
        assert_eq!(candidates, [0]);
        assert!(queue.finds(1, 40));
    }
}
