//! How long the log's syncs take, seen from outside of the thread that does them.
//!
//! Owns the age of the one under way, the durations since they were last taken, and the histogram. It
//! may not wait for the disk: a hung sync is seen because nobody here waits for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::time::Instant;

/// Durations kept until they are taken: more in one second only makes its percentile coarser.
const SAMPLES_MAX: usize = 4_096;

/// What the watchdog reads.
#[derive(Debug)]
pub struct SyncGauge {
    /// Guards when the step under way began and what ended since; held for a copy.
    seen: Mutex<Seen>,
    histogram: Histogram,
}

#[derive(Debug, Default)]
struct Seen {
    /// The number of the last step, and when it began if it is under way.
    step: u64,
    began: Option<Instant>,
    ended: Vec<Duration>,
}

impl Default for SyncGauge {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            // 0.25 ms to 8 s, each twice the one before.
            histogram: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
        }
    }
}

impl SyncGauge {
    /// Begins a step that ends with a sync; it ends when the guard is dropped.
    pub fn begin(&self) -> SyncStep<'_> {
        self.step(Some(()))
    }

    /// Begins a step without a sync: how long it takes tells nothing, that it hangs does.
    pub fn begin_other(&self) -> SyncStep<'_> {
        self.step(None)
    }

    fn step(&self, measured: Option<()>) -> SyncStep<'_> {
        let began = Instant::now();
        let mut seen = self.seen();
        seen.began = Some(began);
        seen.step += 1;
        drop(seen);
        SyncStep {
            gauge: self,
            began,
            measured,
        }
    }

    /// The number of the step under way, and how long it has taken so far; `None` if none is.
    pub fn under_way(&self) -> Option<(u64, Duration)> {
        let seen = self.seen();
        seen.began.map(|began| (seen.step, began.elapsed()))
    }

    /// The durations of the steps that ended since the last call.
    pub fn take_ended(&self) -> Vec<Duration> {
        std::mem::take(&mut self.seen().ended)
    }

    /// All durations since the start, in seconds.
    pub fn histogram(&self) -> Histogram {
        self.histogram.clone()
    }

    /// Every change to it is one step: a panic elsewhere leaves it whole.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One step under way.
#[derive(Debug)]
pub struct SyncStep<'a> {
    gauge: &'a SyncGauge,
    began: Instant,
    measured: Option<()>,
}

impl Drop for SyncStep<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let mut seen = self.gauge.seen();
        seen.began = None;
        if self.measured.is_none() {
            return;
        }
        if seen.ended.len() < SAMPLES_MAX {
            seen.ended.push(took);
        }
        drop(seen);
        self.gauge.histogram.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_age_of_a_sync_grows_until_it_returns() {
        let gauge = SyncGauge::default();
        assert_eq!(gauge.under_way(), None);
        let step = gauge.begin();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(gauge.under_way(), Some((1, Duration::from_secs(3))));
        assert!(gauge.take_ended().is_empty());
        drop(step);
        assert_eq!(gauge.under_way(), None);
        assert_eq!(gauge.take_ended(), [Duration::from_secs(3)]);
        assert!(gauge.take_ended().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_does_not_grow_without_bound() {
        let gauge = SyncGauge::default();
        for _ in 0..SAMPLES_MAX + 10 {
            drop(gauge.begin());
        }
        assert_eq!(gauge.take_ended().len(), SAMPLES_MAX);
    }
}
