//! When a snapshot is built.
//!
//! Owns the two reasons, entries and bytes. It may not build one, nor purge: openraft does, and purges
//! only once the snapshot is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::async_runtime::WatchReceiver;
use tokio::sync::watch;

use super::service::Core;
use super::settings::RaftSettings;

/// Has snapshots built as the log grows.
pub(super) struct Compaction {
    pub(super) core: Core,
    pub(super) settings: RaftSettings,
    pub(super) applied: watch::Receiver<u64>,
    /// Bytes appended since the last snapshot was begun.
    pub(super) appended_bytes: Arc<AtomicU64>,
}

impl Compaction {
    /// Watches the log until Raft has ended.
    pub(super) async fn run(mut self) {
        let mut covered = snapshot_index(&self.core);
        while self.applied.changed().await.is_ok() {
            let applied = *self.applied.borrow_and_update();
            if self.is_due(applied.saturating_sub(covered)) {
                if self.core.trigger().snapshot().await.is_err() {
                    return;
                }
                // Counts from here on, whether or not it is done by then: two are never built at once.
                self.appended_bytes.store(0, Ordering::Relaxed);
                covered = applied;
            }
        }
    }

    fn is_due(&self, entries: u64) -> bool {
        let bytes = self.appended_bytes.load(Ordering::Relaxed);
        let reached = |value: u64, every: u64| every > 0 && value >= every;
        reached(entries, self.settings.snapshot_every_entries)
            || reached(bytes, self.settings.snapshot_every_bytes)
    }
}

/// The last index the newest snapshot covers.
pub(super) fn snapshot_index(core: &Core) -> u64 {
    core.metrics()
        .borrow_watched()
        .snapshot
        .as_ref()
        .map_or(0, |last| last.index())
}
