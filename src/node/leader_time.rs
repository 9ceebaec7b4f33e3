//! The time a leader stamps into its entries.
//!
//! Owns the lease clock of the current term, shared by the batcher (which stamps) and the leader's
//! sweep (which reads). Followers never stamp. It may not decide what is due.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::SharedClock;
use crate::registry::LogTime;

use super::lease_clock::LeaseClock;

/// Stamps entries while this node leads.
pub(super) struct LeaderTime {
    clock: SharedClock,
    /// Guards the stamps of one term; held for a few comparisons.
    lease: Mutex<Option<LeaseClock>>,
}

impl LeaderTime {
    pub(super) fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            lease: Mutex::new(None),
        })
    }

    /// Starts the lease clock of `term`, unless it runs already.
    pub(super) fn begin(&self, term: u64, applied_lease_ms: u64) {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if lease.as_ref().is_none_or(|running| running.term() != term) {
            *lease = Some(LeaseClock::starting(
                term,
                applied_lease_ms,
                self.clock.monotonic(),
            ));
        }
    }

    /// The time of an entry proposed now in `term`.
    pub(super) fn stamp(&self, term: u64, applied_lease_ms: u64) -> LogTime {
        self.begin(term, applied_lease_ms);
        let now = self.clock.monotonic();
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let lease_ms = lease.as_mut().map_or(applied_lease_ms, |running| {
            running.stamp(applied_lease_ms, now)
        });
        LogTime {
            wall_ms: self.clock.wall_ms(),
            lease_ms,
        }
    }

    /// The lease time an entry proposed now would carry.
    pub(super) fn reading(&self, applied_lease_ms: u64) -> u64 {
        let now = self.clock.monotonic();
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.as_ref().map_or(applied_lease_ms, |running| {
            running.reading(applied_lease_ms, now)
        })
    }
}
