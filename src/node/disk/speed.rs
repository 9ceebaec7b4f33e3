//! Whether the disk answers, and how fast.
//!
//! Owns the two judgements on syncs: stalled, by the one under way, and slow, by those that ended. It may
//! not read a clock: each call says how much time it stands for, so that a process that was stopped for
//! a minute does not take that minute for its disk's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A sync under way for so long means that the disk has stalled: the leader steps aside.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(2);
/// A sync under way for so long is given up, and with it the process: it cannot be cancelled.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);
/// A second whose 99th percentile is beyond this is a slow one.
pub(super) const SLOW_SYNC: Duration = Duration::from_millis(250);
/// So many slow seconds one after the other make a slow disk, and so many others end that.
pub(super) const SLOW_SECONDS: u32 = 10;

/// How the disk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskSpeed {
    /// As it should.
    #[default]
    Ok,
    /// Too slowly for a leader.
    Slow,
    /// Not at all, at the moment.
    Stalled,
}

impl DiskSpeed {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
        }
    }
}

/// Follows the step under way.
#[derive(Debug, Default)]
pub(super) struct Stall {
    step: Option<u64>,
    waited: Duration,
}

impl Stall {
    /// Notes that `step` is under way, seen again after `passed`; answers for how long it has been seen.
    pub(super) fn note(&mut self, step: Option<u64>, passed: Duration) -> Duration {
        match step {
            Some(_) if step == self.step => self.waited += passed,
            _ => self.waited = Duration::ZERO,
        }
        self.step = step;
        self.waited
    }
}

/// Counts slow seconds.
#[derive(Debug, Default)]
pub(super) struct Slowness {
    slow: bool,
    /// Seconds in a row that speak against `slow` as it is.
    against: u32,
    p99: Duration,
}

impl Slowness {
    /// Notes what ended in one second, and for how long another has been under way. A second without
    /// any tells nothing.
    pub(super) fn note_second(&mut self, mut ended: Vec<Duration>, under_way: Duration) {
        if under_way > SLOW_SYNC {
            ended.push(under_way);
        }
        let Some(p99) = percentile_99(&mut ended) else {
            return;
        };
        self.p99 = p99;
        if (p99 > SLOW_SYNC) == self.slow {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against >= SLOW_SECONDS {
            self.slow = !self.slow;
            self.against = 0;
        }
    }

    /// Whether the disk is slow.
    pub(super) fn is_slow(&self) -> bool {
        self.slow
    }

    /// The 99th percentile of the last second that had a sync.
    pub(super) fn p99(&self) -> Duration {
        self.p99
    }
}

/// By the nearest rank; of fewer than a hundred it is the longest.
fn percentile_99(durations: &mut [Duration]) -> Option<Duration> {
    durations.sort_unstable();
    let rank = (durations.len() * 99).div_ceil(100);
    durations.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn ten_slow_seconds_in_a_row_make_a_slow_disk_and_ten_good_ones_end_it() {
        let mut disk = Slowness::default();
        for second in 1..=10 {
            assert!(!disk.is_slow(), "second {second}");
            disk.note_second(vec![MS(300); 3], Duration::ZERO);
        }
        assert!(disk.is_slow());
        for second in 1..=10 {
            assert!(disk.is_slow(), "second {second}");
            disk.note_second(vec![MS(4)], Duration::ZERO);
        }
        assert!(!disk.is_slow());
    }

    #[test]
    fn a_good_second_in_between_or_one_sync_in_a_thousand_makes_no_slow_disk() {
        let mut disk = Slowness::default();
        for second in 0..40 {
            let took = if second % 10 == 9 { MS(4) } else { MS(300) };
            disk.note_second(vec![took], Duration::ZERO);
            let mut many = vec![MS(4); 999];
            many.push(MS(2_000));
            disk.note_second(many, Duration::ZERO);
        }
        assert!(!disk.is_slow());
    }

    #[test]
    fn a_sync_that_does_not_end_counts_in_every_second_and_silence_in_none() {
        let mut disk = Slowness::default();
        for _ in 0..9 {
            disk.note_second(Vec::new(), MS(900));
            disk.note_second(Vec::new(), Duration::ZERO);
        }
        assert!(!disk.is_slow());
        disk.note_second(Vec::new(), MS(9_900));
        assert!(disk.is_slow());
        assert_eq!(disk.p99(), MS(9_900));
    }

    #[test]
    fn a_stall_is_the_time_one_step_was_seen_and_starts_over_with_the_next() {
        let mut stall = Stall::default();
        assert_eq!(stall.note(Some(7), MS(100)), MS(0));
        assert_eq!(stall.note(Some(7), MS(100)), MS(100));
        assert_eq!(stall.note(Some(7), MS(100)), MS(200));
        assert_eq!(stall.note(Some(8), MS(100)), MS(0));
        assert_eq!(stall.note(None, MS(100)), MS(0));
        assert_eq!(stall.note(None, MS(100)), MS(0));
    }
}
