//! A log whose disk can be made to fail.
//!
//! Owns one switch. It may not change anything else of the log behind it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use eureka_raft::store::SledLog;
use eureka_raft::store::identity::StoredVote;
use eureka_raft::store::log::{LogBounds, LogRecord, LogStorage, Synced};

/// Once `fails` is set, no append reaches the disk and each is told so.
pub struct FailingLog {
    pub log: Arc<SledLog>,
    pub fails: Arc<AtomicBool>,
}

impl LogStorage for FailingLog {
    fn bounds(&self) -> io::Result<LogBounds> {
        self.log.bounds()
    }

    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogRecord>> {
        self.log.read(range, max_bytes)
    }

    fn append(&self, records: Vec<LogRecord>, synced: Synced) {
        if self.fails.load(Ordering::SeqCst) {
            return synced(Err(io::Error::other("no space left on device")));
        }
        self.log.append(records, synced);
    }

    fn truncate_after(&self, last_kept: u64) {
        self.log.truncate_after(last_kept);
    }

    fn truncate_all(&self) {
        self.log.truncate_all();
    }

    fn purge_upto(&self, upto: u64, note: Bytes) {
        self.log.purge_upto(upto, note);
    }

    fn save_vote(&self, vote: StoredVote, synced: Synced) {
        self.log.save_vote(vote, synced);
    }

    fn vote(&self) -> Option<StoredVote> {
        self.log.vote()
    }

    fn note_committed(&self, index: u64) {
        self.log.note_committed(index);
    }
}
