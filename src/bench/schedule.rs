//! When each request is meant to be sent.
//!
//! Owns the open loop: the schedule is fixed before the first request, so a slow server is asked no
//! less often and its slowness is measured in full. It may not send anything.

use std::time::Duration;

/// A fixed number of requests at fixed times after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    count: u64,
    /// Requests a second; `None` when all are due at once.
    rate: Option<u64>,
}

impl Schedule {
    /// `rate` requests a second for `duration`.
    pub(super) fn paced(rate: u64, duration: Duration) -> Self {
        let exact = u128::from(rate) * duration.as_millis() / 1_000;
        Self {
            count: u64::try_from(exact).unwrap_or(u64::MAX),
            rate: Some(rate),
        }
    }

    /// `count` requests, all due at once: as fast as the connections carry them.
    pub(super) fn at_once(count: u64) -> Self {
        Self { count, rate: None }
    }

    /// How many requests there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// When request `number`, from 0, is meant to be sent.
    pub(super) fn intended(&self, number: u64) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many requests are due `elapsed` after the start.
    pub(super) fn due(&self, elapsed: Duration) -> u64 {
        let Some(rate) = self.rate else {
            return self.count;
        };
        // Request n is due at floor(n / rate), so one more than the whole periods has passed.
        let periods = elapsed.as_nanos() * u128::from(rate) / 1_000_000_000;
        u64::try_from(periods + 1)
            .unwrap_or(u64::MAX)
            .min(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_schedule_is_fixed_in_advance() {
        let schedule = Schedule::paced(20_000, Duration::from_secs(2));
        assert_eq!(schedule.count(), 40_000);
        assert_eq!(schedule.intended(0), Duration::ZERO);
        assert_eq!(schedule.intended(1), Duration::from_micros(50));
        assert_eq!(schedule.intended(39_999), Duration::from_micros(1_999_950));
    }

    #[test]
    fn a_request_is_due_exactly_when_it_is_intended() {
        for rate in [1, 3, 7, 999, 20_000, 123_457] {
            let schedule = Schedule::paced(rate, Duration::from_secs(1));
            for number in 0..schedule.count().min(2_000) {
                let intended = schedule.intended(number);
                let exact = u128::from(number) * 1_000_000_000 % u128::from(rate) == 0;
                // The intended time is rounded down to nanoseconds: one nanosecond later it is past.
                let by_then = if exact {
                    intended
                } else {
                    intended + Duration::from_nanos(1)
                };
                assert_eq!(schedule.due(by_then), number + 1, "{number} at {rate}/s");
            }
            assert_eq!(schedule.due(Duration::from_secs(60)), schedule.count());
        }
    }

    #[test]
    fn a_schedule_at_once_is_due_at_once() {
        let schedule = Schedule::at_once(5);
        assert_eq!(schedule.due(Duration::ZERO), 5);
        assert_eq!(schedule.intended(4), Duration::ZERO);
    }
}
