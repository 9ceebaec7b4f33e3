//! The log's writer: the only thread of the product, and the only one that changes log or vote.
//!
//! Owns the order of operations and when they are acknowledged: it takes what has queued up, hands it
//! to sled, syncs once, and only then calls back. It may not be told to skip a sync.
//!
//! Invariant: after the first error nothing is acknowledged any more, and sled is not touched again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::identity::{IdentityFile, StoredVote};
use super::super::log::{LogRecord, Synced};
use super::super::sync_file_range;
use super::Shared;
use super::end_mark::EndMark;
use super::engine::Engine;
use super::guard::guarded;

/// Bytes taken from the queue before one sync, 1 MiB: more only delays the first of them.
pub const DRAIN_BYTES: usize = 1 << 20;
/// The durable mark lags behind what is synced and committed at most so long.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// The durable mark lags behind what is synced and committed at most so many entries.
pub const MARK_ENTRIES: u64 = 1_000;

/// One operation, as submitted.
pub(super) enum Op {
    Append(Vec<LogRecord>, Synced),
    Truncate(Option<u64>),
    Purge(u64, Bytes),
    Vote(StoredVote, Synced),
}

/// An operation with its place in the order and what it weighs in the queue.
pub(super) struct Queued {
    pub(super) number: u64,
    pub(super) bytes: usize,
    pub(super) op: Op,
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) identity: IdentityFile,
    pub(super) end_mark: EndMark,
    /// `None` after the first error: sled is left alone then.
    pub(super) engine: Option<Engine>,
    pub(super) batch: Batch,
    pub(super) purging: bool,
    /// The last index, or purge, that is synced.
    pub(super) synced: u64,
    pub(super) marked_at: Instant,
}

/// What has been handed to sled and not been synced.
#[derive(Default)]
pub(super) struct Batch {
    callbacks: Vec<Synced>,
    bytes: usize,
    /// Whether there is anything whose durability somebody waits for.
    dirty: bool,
    number: u64,
}

impl Writer {
    /// Serves the queue until every sender is gone, then closes the log.
    pub(super) fn run(mut self, queue: &Receiver<Queued>) {
        assert!(
            tokio::runtime::Handle::try_current().is_err(),
            "a disk that hangs would hold up the async tasks of the thread it is waited for on"
        );
        loop {
            let wait = if self.purging {
                Duration::ZERO
            } else {
                MARK_EVERY
            };
            match queue.recv_timeout(wait) {
                Ok(first) => self.drain(first, queue),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.guarded(Self::between_batches);
        }
        self.guarded(Self::close);
        if let Some(engine) = self.engine.take() {
            // sled's own closing writes too, and may fail by panic.
            if let Err(panic) = guarded(|| drop(engine)) {
                self.shared.fail(&panic);
            }
        }
    }

    /// Takes what has queued up, at most about [`DRAIN_BYTES`], and syncs it once.
    fn drain(&mut self, first: Queued, queue: &Receiver<Queued>) {
        let shared = Arc::clone(&self.shared);
        let _watched = shared.disk.syncs.begin();
        let mut next = Some(first);
        while let Some(queued) = next {
            self.guarded_op(queued);
            next = (self.batch.bytes < DRAIN_BYTES)
                .then(|| queue.try_recv().ok())
                .flatten();
        }
        self.guarded(Self::finish_batch);
    }

    fn guarded_op(&mut self, queued: Queued) {
        self.batch.number = queued.number;
        self.batch.bytes += queued.bytes;
        let bytes = queued.bytes as u64;
        self.guarded(|writer| writer.shared.disk.space.make_room(bytes));
        match queued.op {
            Op::Append(records, synced) => {
                self.batch.callbacks.push(synced);
                self.guarded(|writer| writer.append(&records));
            }
            Op::Truncate(last_kept) => self.guarded(|writer| writer.truncate(last_kept)),
            Op::Purge(upto, note) => self.guarded(|writer| {
                writer.purging = true;
                writer.engine()?.purge_upto(upto, &note)
            }),
            Op::Vote(vote, synced) => {
                // Whoever hears of a vote may conclude that all appends before it are on disk.
                self.guarded(Self::finish_batch);
                self.save_vote(vote, synced);
            }
        }
    }

    /// Runs one step; an error or a panic in it is the log's first failure, and fails all that wait.
    fn guarded(&mut self, step: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.shared.failure().is_none() {
            let failed = match guarded(|| step(self)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic,
            };
            self.shared.fail(&failed);
        }
        // Closing a failed sled could wait for ever on a thread of its that died: it is left as it is.
        std::mem::forget(self.engine.take());
        self.fail_batch();
    }

    fn engine(&mut self) -> io::Result<&mut Engine> {
        self.engine
            .as_mut()
            .ok_or_else(|| io::Error::other("the log has failed before"))
    }

    fn append(&mut self, records: &[LogRecord]) -> io::Result<()> {
        self.batch.dirty = true;
        let engine = self.engine()?;
        records.iter().try_for_each(|record| engine.append(record))
    }

    fn truncate(&mut self, last_kept: Option<u64>) -> io::Result<()> {
        let known = self.identity.get().durable_mark;
        let kept = last_kept.unwrap_or(0);
        if kept < known {
            return Err(io::Error::other(format!(
                "refusing to remove entries behind {kept}: they are committed up to {known}"
            )));
        }
        self.batch.dirty = true;
        let engine = self.engine()?;
        // A truncation below the purge mark removes what is held, and the log still reaches that mark.
        let reach = kept.max(engine.purged.unwrap_or(0));
        let crc = match last_kept {
            Some(_) => engine.crc_at(reach)?,
            None => None,
        };
        self.end_mark.lower(reach, crc)?;
        self.engine()?.truncate_after(last_kept)?;
        self.synced = self.synced.min(reach);
        Ok(())
    }

    fn save_vote(&mut self, vote: StoredVote, synced: Synced) {
        if self.shared.failure().is_some() {
            return synced(Err(self.shared.failure_error()));
        }
        let saved = self
            .identity
            .update(|identity| identity.vote = Some(vote))
            .and_then(|()| self.end_mark.note_vote(vote));
        let noted = saved.is_ok();
        match &saved {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            Err(error) => self.shared.fail(&error.to_string()),
            Ok(()) => {}
        }
        self.guarded(|writer| {
            synced(saved);
            match noted {
                true => writer.engine()?.note_vote(vote),
                false => Ok(()),
            }
        });
    }

    /// Syncs what was handed to sled, notes how far the log reaches, and calls back.
    fn finish_batch(&mut self) -> io::Result<()> {
        let dirty = self.batch.dirty;
        let engine = self.engine()?;
        if dirty {
            engine.sync()?;
            let (reach, crc) = engine.reach();
            self.synced = reach;
            self.end_mark.raise(reach, crc)?;
        } else {
            engine.unpack()?;
        }
        let batch = self.take_batch();
        for synced in batch.callbacks {
            synced(Ok(()));
        }
        Ok(())
    }

    fn fail_batch(&mut self) {
        let batch = self.take_batch();
        for synced in batch.callbacks {
            synced(Err(self.shared.failure_error()));
        }
    }

    fn take_batch(&mut self) -> Batch {
        let batch = std::mem::take(&mut self.batch);
        self.shared
            .queued_bytes
            .fetch_sub(batch.bytes, Ordering::Relaxed);
        if batch.number > 0 {
            self.shared.done.store(batch.number, Ordering::Release);
        }
        batch
    }

    /// What can wait: a slice of a purge, and the durable mark.
    fn between_batches(&mut self) -> io::Result<()> {
        sync_file_range::check()?;
        if self.purging {
            let shared = Arc::clone(&self.shared);
            let _watched = shared.disk.syncs.begin_other();
            self.purging = !self.engine()?.purge_slice()?;
        }
        let candidate = self.mark_candidate();
        let marked = self.identity.get().durable_mark;
        let due = candidate >= marked.saturating_add(MARK_ENTRIES)
            || (candidate > marked && self.marked_at.elapsed() >= MARK_EVERY);
        if due {
            let shared = Arc::clone(&self.shared);
            let _watched = shared.disk.syncs.begin();
            self.identity.raise_mark(candidate)?;
            self.marked_at = Instant::now();
        }
        Ok(())
    }

    /// Only what is synced here and committed by the cluster: a legal truncation stays above it.
    fn mark_candidate(&self) -> u64 {
        self.synced
            .min(self.shared.committed.load(Ordering::Acquire))
    }

    fn close(&mut self) -> io::Result<()> {
        self.batch.dirty = true;
        self.finish_batch()?;
        self.identity.raise_mark(self.mark_candidate())
    }
}
