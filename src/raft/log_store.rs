//! openraft's log on ours.
//!
//! Owns the translation between openraft's log traits and [`LogStorage`]. It may not keep a record:
//! the engine has the hot end in memory. Invariant: openraft hears that an entry or a vote is on disk
//! only from the engine, after its sync.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use tokio::sync::oneshot;

use crate::codec::CodecError;
use crate::store::blocking;
use crate::store::identity::StoredVote;
use crate::store::log::{LogBounds, LogRecord, LogStorage};

use super::error::Failure;
use super::failure::FailureCell;
use super::records::{
    from_record, parse_purge_note, purge_note, to_record, to_stored_vote, to_vote,
};
use super::types::{LogEntry, LogId, TypeConfig, Vote};

/// Bytes of entries in one request to a follower, and read ahead of apply at a time.
const READ_BYTES: usize = 1 << 20;
/// Entries so far behind the end may have to be read from the disk: that is done on another thread.
const HOT_ENTRIES: u64 = 8_192;

/// The log of one node, for openraft. Clones share everything.
#[derive(Clone)]
pub(super) struct LogStore {
    log: Arc<dyn LogStorage>,
    /// Bytes of entries appended since it was last reset.
    appended_bytes: Arc<AtomicU64>,
    /// Told of an entry that only a newer release reads.
    failure: FailureCell,
    /// Guards three numbers; held for a comparison.
    progress: Arc<Mutex<Progress>>,
}

/// How far the log is synced and committed.
#[derive(Debug, Default)]
struct Progress {
    synced: u64,
    committed: u64,
    /// Counts truncations: what was appended before one may not be counted as synced after it.
    truncations: u64,
}

impl LogStore {
    /// The log as opened: all it holds is synced.
    pub(super) fn new(log: Arc<dyn LogStorage>, failure: FailureCell) -> io::Result<Self> {
        let store = Self {
            log,
            failure,
            appended_bytes: Arc::default(),
            progress: Arc::default(),
        };
        store.progress().synced = store.reach()?;
        Ok(store)
    }

    /// Every change to it is one step, so a panic elsewhere leaves it whole.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last index that is both synced here and known to be committed.
    pub(super) fn mark(&self) -> u64 {
        let progress = self.progress();
        progress.synced.min(progress.committed)
    }

    /// The stored vote.
    pub(super) fn vote(&self) -> Option<StoredVote> {
        self.log.vote()
    }

    /// Bytes of entries appended since the last reset: what a snapshot would save.
    pub(super) fn appended_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.appended_bytes)
    }

    /// The last index held or purged; 0 if none.
    pub(super) fn reach(&self) -> io::Result<u64> {
        let bounds = self.log.bounds()?;
        Ok(bounds
            .last
            .max(bounds.purged.map(|(index, _)| index))
            .unwrap_or(0))
    }

    /// Drops what contradicts a snapshot that came in whole just before the node ended: entries of an
    /// older leader, which openraft would have removed next.
    pub(super) async fn yield_to_snapshot(&self, last: LogId) -> io::Result<()> {
        let held = self.held(&(last.index()..=last.index()))?;
        if held.is_empty() || self.log_id_at(last.index()).await? == last {
            return Ok(());
        }
        tracing::warn!(
            index = last.index(),
            "the log gives way to a newer snapshot"
        );
        match last.index().checked_sub(1) {
            Some(before) => self.log.truncate_after(before),
            None => self.log.truncate_all(),
        }
        self.log.purge_upto(last.index(), purge_note(last));
        self.progress().synced = last.index();
        Ok(())
    }

    /// Entries of `range` in order, up to about `max_bytes` and at least one if there is any.
    async fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let hot_from = self
            .log
            .bounds()?
            .last
            .unwrap_or(0)
            .saturating_sub(HOT_ENTRIES);
        if range.start >= hot_from {
            return decode_all(&self.failure, &self.log.read(range, max_bytes)?);
        }
        let (log, failure) = (Arc::clone(&self.log), self.failure.clone());
        blocking(move || decode_all(&failure, &log.read(range, max_bytes)?)).await
    }

    /// The part of `range` that is held.
    fn held(&self, range: &impl RangeBounds<u64>) -> io::Result<Range<u64>> {
        let LogBounds {
            first: Some(first),
            last: Some(last),
            ..
        } = self.log.bounds()?
        else {
            return Ok(0..0);
        };
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        Ok(start.max(first)..end.min(last + 1))
    }

    /// `range` up to the last entry, all of which must be held: apply may not skip what is not there.
    fn all_held(&self, range: &impl RangeBounds<u64>) -> io::Result<Range<u64>> {
        let held = self.held(range)?;
        match range.start_bound() {
            Bound::Included(start) if !held.is_empty() && held.start != *start => {
                Err(missing(*start))
            }
            _ => Ok(held),
        }
    }

    async fn log_id_at(&self, index: u64) -> io::Result<LogId> {
        let found = self.read(index..index + 1, READ_BYTES).await?;
        found
            .first()
            .map(|entry| entry.log_id)
            .ok_or_else(|| missing(index))
    }
}

/// An entry that cannot be decoded is never skipped: openraft stops at the error.
fn decode_all(failure: &FailureCell, records: &[LogRecord]) -> io::Result<Vec<LogEntry>> {
    let decode = |record: &LogRecord| {
        from_record(record).map_err(|error| {
            let damaged = damaged(record.index, &error);
            if matches!(error, CodecError::Newer { .. }) {
                failure.fail(Failure::Newer(damaged.to_string()));
            }
            damaged
        })
    };
    records.iter().map(decode).collect()
}

/// Whether `entries` are one after the other from `start` on, and there is one.
fn follows(entries: &[LogEntry], start: u64) -> bool {
    let expected = (start..).take(entries.len());
    !entries.is_empty()
        && entries
            .iter()
            .map(|entry| entry.log_id.index())
            .eq(expected)
}

fn damaged(index: u64, error: &CodecError) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("log entry {index}: {error}"),
    )
}

fn missing(index: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("log entry {index} is missing"),
    )
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, io::Error> {
        let mut left = self.held(&range)?;
        let mut found = Vec::new();
        while !left.is_empty() {
            let more = self.read(left.clone(), READ_BYTES).await?;
            let Some(last) = more.last() else {
                return Err(missing(left.start));
            };
            left.start = last.log_id.index() + 1;
            found.extend(more);
        }
        Ok(found)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.log.vote().map(to_vote))
    }

    /// By bytes, so that a request to a follower is bounded whatever the entries weigh.
    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<LogEntry>, io::Error> {
        let found = self.read(start..end, READ_BYTES).await?;
        let purged = self.log.bounds()?.purged.map(|(index, _)| index);
        match found.first() {
            Some(first) if first.log_id.index() == start => Ok(found),
            // Purged under the reader: openraft looks again, and finds that it must send a snapshot.
            _ if start >= end || Some(start) <= purged => Ok(Vec::new()),
            _ => Err(missing(start)),
        }
    }

    /// Piece by piece: a restarted node may apply its whole log in one go.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<LogEntry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let store = self.clone();
        let left = self.all_held(&range);
        let start = EntryFeed {
            store,
            ready: Vec::new().into_iter(),
            left,
        };
        stream::unfold(start, |mut feed| async move {
            let next = feed.next().await?;
            Some((next, feed))
        })
    }
}

/// A range of entries, read a piece at a time.
struct EntryFeed {
    store: LogStore,
    ready: std::vec::IntoIter<LogEntry>,
    left: io::Result<Range<u64>>,
}

impl EntryFeed {
    async fn next(&mut self) -> Option<io::Result<LogEntry>> {
        if let Some(entry) = self.ready.next() {
            return Some(Ok(entry));
        }
        let range = match &self.left {
            Ok(range) if range.is_empty() => return None,
            Ok(range) => range.clone(),
            Err(_) => return std::mem::replace(&mut self.left, Ok(0..0)).err().map(Err),
        };
        self.left = Ok(0..0);
        match self.store.read(range.clone(), READ_BYTES).await {
            Ok(found) if !follows(&found, range.start) => Some(Err(missing(range.start))),
            Ok(found) => {
                self.left = Ok(range.start + found.len() as u64..range.end);
                self.ready = found.into_iter();
                self.ready.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let bounds = self.log.bounds()?;
        let purged = match &bounds.purged {
            Some((index, note)) => {
                Some(parse_purge_note(note).map_err(|error| damaged(*index, &error))?)
            }
            None => None,
        };
        let last = match bounds.last {
            Some(last) => Some(self.log_id_at(last).await?),
            None => purged,
        };
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: last,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (done, saved) = oneshot::channel();
        let synced = Box::new(move |result| {
            // Who asked may be gone only because the node stops.
            let _ = done.send(result);
        });
        self.log.save_vote(to_stored_vote(vote), synced);
        saved
            .await
            .map_err(|_dropped| io::Error::other("the log closed before the vote was stored"))?
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        if let Some(committed) = committed {
            self.log.note_committed(committed.index());
            let mut progress = self.progress();
            progress.committed = progress.committed.max(committed.index());
        }
        Ok(())
    }

    /// What the durable mark says, unless a snapshot covers it: without it a restarted node would show
    /// its last snapshot until a leader commits, which may be an empty registry.
    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        let mark = self.log.committed_mark();
        let held = self.held(&(mark..=mark))?;
        match held.contains(&mark) && mark > 0 {
            true => self.log_id_at(mark).await.map(Some),
            false => Ok(None),
        }
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records: Vec<LogRecord> = entries.into_iter().map(to_record).collect();
        let bytes: usize = records.iter().map(|record| record.bytes.len()).sum();
        self.appended_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        let last = records.last().map_or(0, |record| record.index);
        let progress = Arc::clone(&self.progress);
        let truncations = self.progress().truncations;
        let synced = Box::new(move |result: io::Result<()>| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            if result.is_ok() && progress.truncations == truncations {
                progress.synced = progress.synced.max(last);
            }
            drop(progress);
            callback.io_completed(result);
        });
        self.log.append(records, synced);
        Ok(())
    }

    async fn truncate_after(&mut self, last_kept: Option<LogId>) -> Result<(), io::Error> {
        let mut progress = self.progress();
        progress.truncations += 1;
        progress.synced = progress
            .synced
            .min(last_kept.map_or(0, |kept| kept.index()));
        drop(progress);
        match last_kept {
            Some(last_kept) => self.log.truncate_after(last_kept.index()),
            None => self.log.truncate_all(),
        }
        Ok(())
    }

    /// openraft purges only what a snapshot covers, and a snapshot is reported only once it is synced.
    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.log.purge_upto(upto.index(), purge_note(upto));
        Ok(())
    }
}
