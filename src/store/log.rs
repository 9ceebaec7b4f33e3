//! The log-storage trait.
//!
//! Owns the contract between Raft's log adapter and an engine that keeps records: order, durability,
//! refusal. It may not know what a record means. Engines: `sled_log` (the product), a simulated disk
//! (tests).

use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::identity::StoredVote;

/// One log record: an index and opaque bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its log index; records are contiguous.
    pub index: u64,
    /// Its bytes, as the Raft adapter encoded them.
    pub bytes: Bytes,
}

/// What an open log holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogBounds {
    /// The last purged index and its opaque note (the Raft adapter's log id), if anything was purged.
    pub purged: Option<(u64, Bytes)>,
    /// The first index held, if any record is.
    pub first: Option<u64>,
    /// The last index held, if any record is.
    pub last: Option<u64>,
}

/// Called once, when the operation and all submitted before it are synced, or storage failed.
pub type Synced = Box<dyn FnOnce(io::Result<()>) + Send + 'static>;

/// A durable log and the vote beside it, with one writer.
///
/// Every write goes through one queue and is carried out in the order submitted. Submitting never
/// blocks on the disk. After the first error every later write fails: the engine never retries.
pub trait LogStorage: Send + Sync + 'static {
    /// What the log holds, everything submitted included.
    fn bounds(&self) -> io::Result<LogBounds>;

    /// Reads records of `range` that are synced or queued, in order, stopping after about
    /// `max_bytes` (at least one record, if any is in range).
    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogRecord>>;

    /// Appends contiguous records behind the last; `synced` is called after `fdatasync`.
    fn append(&self, records: Vec<LogRecord>, synced: Synced);

    /// Removes every record with an index greater than `last_kept`. Not synced by itself: ordered
    /// before the next append's sync.
    fn truncate_after(&self, last_kept: u64);

    /// Removes every record, index 0 included; otherwise as [`LogStorage::truncate_after`].
    fn truncate_all(&self);

    /// Forgets records up to and including `upto`, noting `note`. Lazy and unsynced; the caller has
    /// already synced a snapshot that covers them.
    fn purge_upto(&self, upto: u64, note: Bytes);

    /// Stores a vote, after syncing all earlier appends; `synced` is called when it is durable.
    /// A vote lower than the stored one is an error.
    fn save_vote(&self, vote: StoredVote, synced: Synced);

    /// The stored vote.
    fn vote(&self) -> Option<StoredVote>;

    /// Notes (lazily, at most once a second) an index that is both synced and committed.
    fn note_committed(&self, index: u64);

    /// An index that was noted as synced and committed before this log was opened, 0 if none: about a
    /// second behind what was. A restarted node shows its state up to here before it hears of a leader.
    fn committed_mark(&self) -> u64 {
        0
    }

    /// Carries out and syncs what is queued, and lets the files go. Blocks.
    ///
    /// # Errors
    /// The first failure of this log, if it ever failed.
    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}
