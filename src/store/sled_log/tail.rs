//! The hot end of the log, in memory.
//!
//! Owns what has been submitted and how far the log reaches, so that a record can be read as soon as
//! it is submitted and replication never reads sled. It may not touch the disk.
//!
//! Invariant: a record leaves only after the writer has put it into sled; what lies below the tail
//! is in sled as it was last submitted.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::super::log::{LogBounds, LogRecord};

/// Records kept in memory once they are in sled.
pub const TAIL_RECORDS: usize = 10_000;
/// Bytes of records kept in memory once they are in sled, 64 MiB.
pub const TAIL_BYTES: usize = 64 << 20;

/// The log as its readers see it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    purged: Option<(u64, Bytes)>,
    /// The first index held; equal to `next` when the log is empty.
    first: u64,
    /// The index the next record must have; `None` while any is accepted (nothing held or purged).
    next: Option<u64>,
    /// The newest records with the number of the operation that brought each; contiguous up to `next`.
    hot: VecDeque<(u64, LogRecord)>,
    hot_bytes: usize,
}

/// Where a range of records is.
#[derive(Debug)]
pub(super) enum Place {
    /// Nothing of it is held.
    Nowhere,
    /// In memory.
    Here(Vec<LogRecord>),
    /// In sled, this much of it.
    Disk(Range<u64>),
}

impl Tail {
    /// A log as found on disk: what was purged, and the records from `first` of which `hot` are the last.
    pub(super) fn opened(
        purged: Option<(u64, Bytes)>,
        held: Option<(u64, u64)>,
        hot: VecDeque<LogRecord>,
    ) -> Self {
        let behind_purged = purged.as_ref().map(|(index, _)| index + 1);
        let next = held.map(|(_, last)| last + 1).or(behind_purged);
        let first = held.map(|(first, _)| first).or(next).unwrap_or(0);
        let hot_bytes = hot.iter().map(|record| record.bytes.len()).sum();
        let hot = hot.into_iter().map(|record| (0, record)).collect();
        Self {
            purged,
            first,
            next,
            hot,
            hot_bytes,
        }
    }

    pub(super) fn bounds(&self) -> LogBounds {
        let next = self.next.filter(|next| *next > self.first);
        LogBounds {
            purged: self.purged.clone(),
            first: next.map(|_| self.first),
            last: next.map(|next| next - 1),
        }
    }

    /// Whether `records` continue the log.
    pub(super) fn continues(&self, records: &[LogRecord]) -> bool {
        let Some(first) = records.first() else {
            return true;
        };
        let contiguous = records
            .windows(2)
            .all(|pair| pair[0].index.checked_add(1) == Some(pair[1].index));
        contiguous && self.next.is_none_or(|next| next == first.index)
    }

    /// Adds records that [`Tail::continues`] the log; `op` brought them.
    pub(super) fn append(&mut self, op: u64, records: &[LogRecord]) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        if self.next.is_none() {
            self.first = first.index;
        }
        self.next = Some(last.index + 1);
        for record in records {
            self.hot_bytes += record.bytes.len();
            self.hot.push_back((op, record.clone()));
        }
    }

    /// Lets go of the oldest records over the limits that are in sled: those of operations up to `done`.
    pub(super) fn trim(&mut self, done: u64) {
        while self.hot.len() > TAIL_RECORDS || self.hot_bytes > TAIL_BYTES {
            match self.hot.front() {
                Some((op, _)) if *op <= done => self.pop_front(),
                _ => break,
            }
        }
    }

    /// Drops everything behind `last_kept`, or everything.
    pub(super) fn truncate_after(&mut self, last_kept: Option<u64>) {
        let next = last_kept.map_or(self.first, |last| last.saturating_add(1).max(self.first));
        if self.next.is_none_or(|now| next >= now) {
            return;
        }
        while self.hot.back().is_some_and(|(_, r)| r.index >= next) {
            if let Some((_, record)) = self.hot.pop_back() {
                self.hot_bytes -= record.bytes.len();
            }
        }
        // An empty log that nothing was purged from may begin anywhere.
        let restart = next == self.first && self.purged.is_none();
        self.next = (!restart).then_some(next);
    }

    /// Forgets everything up to `upto`; answers whether that is news.
    pub(super) fn purge_upto(&mut self, upto: u64, note: Bytes) -> bool {
        if self
            .purged
            .as_ref()
            .is_some_and(|(index, _)| *index >= upto)
        {
            return false;
        }
        while self.hot.front().is_some_and(|(_, r)| r.index <= upto) {
            self.pop_front();
        }
        self.purged = Some((upto, note));
        self.first = self.first.max(upto + 1);
        self.next = self.next.max(Some(self.first));
        true
    }

    /// Finds the beginning of `range`, clipped to what is held; at most about `max_bytes` if here.
    pub(super) fn find(&self, range: &Range<u64>, max_bytes: usize) -> Place {
        let start = range.start.max(self.first);
        let end = range.end.min(self.next.unwrap_or(0));
        if start >= end {
            return Place::Nowhere;
        }
        let hot_first = self.hot.front().map_or(end, |(_, record)| record.index);
        if start < hot_first {
            return Place::Disk(start..end.min(hot_first));
        }
        let skip = usize::try_from(start - hot_first).unwrap_or(usize::MAX);
        let wanted = usize::try_from(end - start).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let here = self.hot.iter().skip(skip).take(wanted);
        let here = here.map(|(_, record)| record).take_while(|record| {
            let first = bytes == 0;
            bytes += record.bytes.len().max(1);
            first || bytes <= max_bytes
        });
        Place::Here(here.cloned().collect())
    }

    /// The first index held or to come.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    fn pop_front(&mut self) {
        if let Some((_, record)) = self.hot.pop_front() {
            self.hot_bytes -= record.bytes.len();
        }
    }
}
