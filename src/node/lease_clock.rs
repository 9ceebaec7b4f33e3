//! The leader's stamping of the replicated lease clock.
//!
//! Owns how a leader turns its monotonic clock into `lease_ms` (architecture: two clocks). It may not
//! read a clock itself, and decides nothing about leases. Invariant: lease time never runs ahead of the
//! leader's monotonic clock, and one entry moves it by at most [`STEP_MAX`].

use std::collections::VecDeque;
use std::time::Duration;

/// The most that one entry moves the lease clock: what a pause, an election or an outage costs a lease.
pub(super) const STEP_MAX: Duration = Duration::from_secs(2);

/// Stamps of entries proposed and not yet applied; more than ever in flight.
const STAMPS_MAX: usize = 64;

/// A lease-clock reading and the monotonic time at which it was true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Anchor {
    lease_ms: u64,
    at: Duration,
}

/// The lease clock of one term of leadership.
///
/// A stamp is the last *applied* lease time plus what went by since that entry was *stamped*, so that
/// the time an entry spends being committed is counted once (docs/decisions/0004).
#[derive(Debug)]
pub(super) struct LeaseClock {
    term: u64,
    anchor: Anchor,
    stamped: VecDeque<Anchor>,
}

impl LeaseClock {
    /// The clock of `term`, which starts from the lease time applied when this node became ready to
    /// lead it, `now` by the monotonic clock.
    pub(super) fn starting(term: u64, applied_lease_ms: u64, now: Duration) -> Self {
        Self {
            term,
            anchor: Anchor {
                lease_ms: applied_lease_ms,
                at: now,
            },
            stamped: VecDeque::new(),
        }
    }

    /// The term it stamps for.
    pub(super) fn term(&self) -> u64 {
        self.term
    }

    /// What an entry stamped `now` would carry, in ms of lease time.
    pub(super) fn reading(&self, applied_lease_ms: u64, now: Duration) -> u64 {
        let anchor = self.anchor_at(applied_lease_ms);
        let elapsed = now.saturating_sub(anchor.at).min(STEP_MAX);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        anchor
            .lease_ms
            .saturating_add(elapsed_ms)
            .max(applied_lease_ms)
    }

    /// Stamps an entry `now`, given the lease time applied so far, in ms.
    pub(super) fn stamp(&mut self, applied_lease_ms: u64, now: Duration) -> u64 {
        self.anchor = self.anchor_at(applied_lease_ms);
        while self
            .stamped
            .front()
            .is_some_and(|stamp| stamp.lease_ms <= applied_lease_ms)
        {
            self.stamped.pop_front();
        }
        let lease_ms = self.reading(applied_lease_ms, now);
        if self.stamped.len() == STAMPS_MAX {
            self.stamped.pop_front();
        }
        self.stamped.push_back(Anchor { lease_ms, at: now });
        lease_ms
    }

    /// The last stamp known to be applied, or the start of the term.
    fn anchor_at(&self, applied_lease_ms: u64) -> Anchor {
        let applied = self
            .stamped
            .iter()
            .rev()
            .find(|stamp| stamp.lease_ms <= applied_lease_ms);
        applied.copied().unwrap_or(self.anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn lease_time_keeps_pace_with_the_monotonic_clock_under_load() {
        // Each entry takes 40 ms from stamp to apply, and the next is stamped when it is applied:
        // counting only from the apply would stop the clock.
        let mut clock = LeaseClock::starting(1, 500, ms(0));
        let mut applied = 500;
        for turn in 1..=100 {
            applied = clock.stamp(applied, ms(turn * 40));
        }
        assert_eq!(applied, 500 + 100 * 40);
    }

    #[test]
    fn a_pause_costs_a_lease_at_most_two_seconds() {
        let mut clock = LeaseClock::starting(1, 0, ms(0));
        let before = clock.stamp(0, ms(1_000));
        let after = clock.stamp(before, ms(3_601_000));
        assert_eq!(after - before, 2_000);
        assert_eq!(clock.stamp(after, ms(3_601_250)) - after, 250);
    }

    #[test]
    fn a_term_starts_from_the_last_applied_lease_time() {
        let clock = LeaseClock::starting(7, 123_000, ms(900_000));
        assert_eq!(clock.reading(123_000, ms(900_000)), 123_000);
    }

    #[test]
    fn entries_in_flight_together_are_stamped_by_what_is_applied() {
        let mut clock = LeaseClock::starting(1, 0, ms(0));
        let first = clock.stamp(0, ms(10));
        let second = clock.stamp(0, ms(15));
        assert_eq!((first, second), (10, 15));
        assert_eq!(clock.stamp(second, ms(20)), 20);
    }

    #[test]
    fn two_entries_of_one_millisecond_do_not_move_it_twice() {
        let mut clock = LeaseClock::starting(1, 0, ms(0));
        let mut applied = 0;
        for _ in 0..1_000 {
            applied = clock.stamp(applied, ms(3));
        }
        assert_eq!(applied, 3);
    }
}
