//! Waiting for another process.
//!
//! Owns the only pause in the tests: between two looks at something that cannot tell us by itself.

use std::time::{Duration, Instant};

/// How long to wait between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until `look` finds something; panics with `what` after `limit`.
#[allow(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Lets `duration` of real time go by, where that is what the test is about: an outage, a moment to kill at.
#[allow(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn outlast(duration: Duration) {
    let until = Instant::now() + duration;
    eventually(
        "the time has passed",
        duration + Duration::from_secs(5),
        || (Instant::now() >= until).then_some(()),
    );
}

/// What `work` gives, and how long it took.
#[allow(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (work(), started.elapsed())
}

/// As [`eventually`], without a pause between two looks: for what is over in a millisecond.
#[allow(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn closely<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::yield_now();
    }
}

/// As [`outlast`], to the microsecond.
#[allow(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn outlast_closely(duration: Duration) {
    let until = Instant::now() + duration;
    closely(
        "the time has passed",
        duration + Duration::from_secs(5),
        || (Instant::now() >= until).then_some(()),
    );
}
