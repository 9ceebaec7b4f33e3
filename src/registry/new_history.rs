//! The same instances at the start of another cluster's history: after a restore, or when a quorum is
//! lost for good.
//!
//! Owns what a registry forgets then. It may not touch an instance. Invariant: no cursor that was ever
//! given out before is accepted after, and no lease is over before it has run its whole duration anew.

use super::change_log::ChangeLog;
use super::state::Registry;

/// How far the index moves: beyond what the old cluster may still reach, and eight thousand times
/// below 2^53, the largest integer that every JSON reader keeps.
pub const NEW_HISTORY_STEP: u64 = 1 << 40;

impl Registry {
    /// This registry as another cluster's first state: its index raised by [`NEW_HISTORY_STEP`], the
    /// delta's floor there, every lease renewed at the present lease time.
    ///
    /// # Panics
    /// If the index does not fit 64 bits any more: after sixteen million restores of restores.
    #[must_use]
    pub fn begin_new_history(mut self) -> Self {
        let raised = self.index.checked_add(NEW_HISTORY_STEP);
        self.index = raised.expect("fewer restores of restores than 2^24");
        self.changes = ChangeLog::new(self.index);
        self.catalogue.restore_index(self.index);
        self.leases.renew_all(self.lease_ms);
        self
    }
}
