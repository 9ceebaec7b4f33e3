//! What became of the requests.
//!
//! Owns the counts and the histogram of one phase. It may not know time: it is told latencies.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told apart: a minute. Longer ones count as a minute.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Counts and latencies of one phase.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    /// Requests written to a connection.
    pub(super) sent: u64,
    /// Answers with a 2xx status.
    pub(super) succeeded: u64,
    /// Other ends, by status or `connection`.
    pub(super) errors: BTreeMap<String, u64>,
    /// From the intended time to the whole answer, µs; 2xx only.
    latency: Histogram<u64>,
    /// The longest time without a 2xx answer.
    longest_gap: Duration,
    /// From the intended time to the request being written, µs: the generator's own part.
    late: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = || {
            Histogram::new_with_max(LATENCY_US_MAX, 3).expect("a minute in µs fits with 3 digits")
        };
        Self {
            sent: 0,
            succeeded: 0,
            errors: BTreeMap::new(),
            latency: histogram(),
            late: histogram(),
            longest_gap: Duration::ZERO,
        }
    }

    /// There was no 2xx answer for `gap`.
    pub(super) fn silent(&mut self, gap: Duration) {
        self.longest_gap = self.longest_gap.max(gap);
    }

    /// The longest time without a 2xx answer, ms.
    pub(super) fn longest_gap_ms(&self) -> f64 {
        millis(micros(self.longest_gap))
    }

    /// A request was written `late` after its intended time.
    pub(super) fn sent(&mut self, late: Duration) {
        self.sent += 1;
        self.late.saturating_record(micros(late));
    }

    /// An answer came `latency` after the request's intended time.
    pub(super) fn answered(&mut self, status: u16, latency: Duration) {
        if (200..300).contains(&status) {
            self.succeeded += 1;
            self.latency.saturating_record(micros(latency));
        } else {
            *self.errors.entry(status.to_string()).or_default() += 1;
        }
    }

    /// `count` requests were on a connection that broke: their fate is unknown.
    pub(super) fn lost(&mut self, count: u64) {
        if count > 0 {
            *self.errors.entry("connection".to_owned()).or_default() += count;
        }
    }

    /// How many ended without a 2xx.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// How many are on their way.
    pub(super) fn unanswered(&self) -> u64 {
        self.sent - self.succeeded - self.failed()
    }

    /// Latency at `quantile` (0 to 1), ms.
    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        millis(self.latency.value_at_quantile(quantile))
    }

    /// How late requests were written at `quantile` (0 to 1), ms.
    pub(super) fn late_ms(&self, quantile: f64) -> f64 {
        millis(self.late.value_at_quantile(quantile))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(LATENCY_US_MAX)
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_recorded_latencies() {
        let mut tally = Tally::new();
        for latency_ms in 1..=1_000 {
            tally.sent(Duration::ZERO);
            tally.answered(204, Duration::from_millis(latency_ms));
        }
        for (quantile, expected_ms) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)]
        {
            let found = tally.latency_ms(quantile);
            let error = (found - expected_ms).abs() / expected_ms;
            assert!(error <= 0.001, "{quantile}: {found}");
        }
    }

    #[test]
    fn every_request_is_counted_once() {
        let mut tally = Tally::new();
        for _ in 0..10 {
            tally.sent(Duration::ZERO);
        }
        tally.answered(200, Duration::from_secs(90));
        tally.answered(404, Duration::ZERO);
        tally.answered(503, Duration::ZERO);
        tally.answered(503, Duration::ZERO);
        tally.lost(3);
        tally.lost(0);
        assert_eq!(
            (tally.succeeded, tally.failed(), tally.unanswered()),
            (1, 6, 3)
        );
        let errors: Vec<(&str, u64)> = tally
            .errors
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        assert_eq!(errors, [("404", 1), ("503", 2), ("connection", 3)]);
        assert!(
            tally.latency_ms(1.0) >= 60_000.0,
            "longer than a minute counts as a minute"
        );
    }
}
