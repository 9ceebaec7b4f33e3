//! The only clocks of the process.
//!
//! Owns the wall clock (for people) and the monotonic clock (for leases and deadlines). Everything
//! else is handed a [`Clock`]; clippy's `disallowed-methods` holds that. It may not interpret time:
//! what a lease is belongs to `registry`, what a leader stamps to `node`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A source of time: one wall clock and one monotonic clock.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch, as people read it. May jump in both directions.
    fn wall_ms(&self) -> u64;

    /// Time since an arbitrary start; never goes back.
    fn monotonic(&self) -> Duration;
}

/// A clock shared by the parts of one node.
pub type SharedClock = Arc<dyn Clock>;

/// The clocks of the operating system. Monotonic time is tokio's, so that a test that pauses tokio
/// and a simulation that drives it move this clock too.
#[derive(Debug)]
pub struct SystemClock {
    started: tokio::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at zero now.
    pub fn new() -> Self {
        Self {
            started: tokio::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn wall_ms(&self) -> u64 {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A wall clock before 1970 reads as the epoch: it is shown to people and decides nothing.
        since_epoch.map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that reads `wall_ms`, with its monotonic reading at zero.
    pub fn starting_at(wall_ms: u64) -> Self {
        Self {
            wall_ms: AtomicU64::new(wall_ms),
            monotonic_ms: AtomicU64::new(0),
        }
    }

    /// Moves both clocks forward by `elapsed`, rounded down to milliseconds.
    pub fn advance(&self, elapsed: Duration) {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.wall_ms.fetch_add(elapsed_ms, Ordering::SeqCst);
        self.monotonic_ms.fetch_add(elapsed_ms, Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as NTP or an operator does.
    pub fn step_wall(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}
