//! The calls on sled.
//!
//! Owns the two trees, the sync behind a flush, and the order of changes inside one operation. It may
//! not call back, wait or know who asked; only the writer thread changes anything through it.
//!
//! sled writes all trees into one sequence, so what is recovered after a crash is a prefix of what was
//! written here: each operation orders its steps so that every prefix is a whole log.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::super::files::File;
use super::super::identity::StoredVote;
use super::super::log::LogRecord;
use super::super::sync_file_range;
use super::value::{self, Assembler, Key, Packer};

/// Keys removed in one slice of a purge.
pub const PURGE_SLICE: usize = 1_000;

/// Where the log begins after a purge: index u64 LE, crc32 of index and note, note.
pub(super) const PURGED: &str = "purged";
/// The first index ever, while nothing was purged.
pub(super) const ORIGIN: &str = "origin";
/// A vote that the identity holds: term u64 LE, node u64 LE, committed u8. Only a witness.
pub(super) const VOTE: &str = "vote";

/// The open database.
pub(super) struct Engine {
    pub(super) db: sled::Db,
    pub(super) log: sled::Tree,
    pub(super) meta: sled::Tree,
    /// A descriptor of our own on sled's one file: its `fdatasync` is the one that is believed.
    pub(super) db_file: Box<dyn File>,
    pub(super) packer: Packer,
    pub(super) purged: Option<u64>,
    /// The last index in the log tree, or none.
    pub(super) last: Option<u64>,
    /// The checksum of that record's bytes.
    pub(super) last_crc: Option<u32>,
}

impl Engine {
    /// Adds one record behind the last; it may wait in the packer.
    pub(super) fn append(&mut self, record: &LogRecord) -> io::Result<()> {
        if self.last.is_none() && self.purged.is_none() {
            insert(&self.meta, ORIGIN, &record.index.to_le_bytes())?;
        }
        let log = &self.log;
        self.packer
            .push(record, |key, value| insert(log, key.to_bytes(), &value))?;
        self.last = Some(record.index);
        self.last_crc = Some(crc32fast::hash(&record.bytes));
        Ok(())
    }

    /// How far the log reaches, purged entries included, and the checksum of the last one held.
    pub(super) fn reach(&self) -> (u64, Option<u32>) {
        match (self.last, self.purged) {
            (Some(last), purged) if Some(last) >= purged => (last, self.last_crc),
            (_, purged) => (purged.unwrap_or(0), None),
        }
    }

    /// The checksum of the record at `index`, if it is held.
    pub(super) fn crc_at(&mut self, index: u64) -> io::Result<Option<u32>> {
        self.unpack()?;
        let found = read(&self.log, &(index..index + 1), 1)?;
        Ok(found.first().map(|record| crc32fast::hash(&record.bytes)))
    }

    /// Notes a vote that the identity holds, without a sync.
    pub(super) fn note_vote(&self, vote: StoredVote) -> io::Result<()> {
        insert(&self.meta, VOTE, &vote_bytes(vote))
    }

    /// Hands what waits in the packer to sled, without a sync.
    pub(super) fn unpack(&mut self) -> io::Result<()> {
        let log = &self.log;
        self.packer
            .finish(|key, value| insert(log, key.to_bytes(), &value))
    }

    /// Makes everything so far durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.unpack()?;
        self.db.flush().map_err(sled_error)?;
        sync_file_range::check()?;
        self.db_file.sync()
    }

    /// Removes everything behind `last_kept`, from the end backwards, without a sync.
    pub(super) fn truncate_after(&mut self, last_kept: Option<u64>) -> io::Result<()> {
        self.unpack()?;
        let next = last_kept.map_or(0, |last| last + 1);
        for item in self.log.range(Key::first(next).to_bytes()..).rev() {
            let (key, _) = item.map_err(sled_error)?;
            self.log.remove(key).map_err(sled_error)?;
        }
        if let (Some(last_kept), Some((key, value))) =
            (last_kept, self.log.last().map_err(sled_error)?)
        {
            let parsed = Key::parse(&key).map_err(damaged)?;
            if let Some(kept) = value::shorten(parsed, &value, last_kept).map_err(damaged)? {
                insert(&self.log, key, &kept)?;
            }
        }
        let empty = self.log.last().map_err(sled_error)?.is_none();
        self.last = last_kept
            .filter(|_| !empty)
            .and_then(|kept| self.last.map(|last| last.min(kept)));
        self.last_crc = match self.last {
            Some(last) => self.crc_at(last)?,
            None => None,
        };
        Ok(())
    }

    /// Notes that everything up to `upto` is gone, without a sync. The records go by
    /// [`Engine::purge_slice`].
    pub(super) fn purge_upto(&mut self, upto: u64, note: &Bytes) -> io::Result<()> {
        self.unpack()?;
        insert(&self.meta, PURGED, &purged_bytes(upto, note))?;
        self.purged = Some(upto);
        if self.last.is_some_and(|last| last <= upto) {
            self.last = None;
        }
        Ok(())
    }

    /// Removes at most [`PURGE_SLICE`] purged keys from the head; answers whether all are gone.
    pub(super) fn purge_slice(&mut self) -> io::Result<bool> {
        let Some(upto) = self.purged else {
            return Ok(true);
        };
        for _ in 0..PURGE_SLICE {
            let Some((key, value)) = self.log.first().map_err(sled_error)? else {
                return Ok(true);
            };
            if last_index(&key, &value)? > upto {
                return Ok(true);
            }
            self.log.remove(key).map_err(sled_error)?;
        }
        Ok(false)
    }
}

/// The last index a value holds something of.
fn last_index(key: &[u8], value: &[u8]) -> io::Result<u64> {
    let key = Key::parse(key).map_err(damaged)?;
    if value::is_part(value) {
        return Ok(key.index);
    }
    let records = value::records(key, value).map_err(damaged)?;
    Ok(records.last().map_or(key.index, |record| record.index))
}

/// Reads `range` from the log tree; stops after about `max_bytes`, or where it has a hole.
pub(super) fn read(
    log: &sled::Tree,
    range: &Range<u64>,
    max_bytes: usize,
) -> io::Result<Vec<LogRecord>> {
    let mut assembler = Assembler::default();
    let mut found: Vec<LogRecord> = Vec::new();
    let mut bytes = 0;
    let end = Key::first(range.end).to_bytes();
    for item in log.range(start_key(log, range.start)?.to_bytes()..end) {
        let (key, value) = item.map_err(sled_error)?;
        let key = Key::parse(&key).map_err(damaged)?;
        for record in assembler.push(key, &value).map_err(damaged)? {
            if !range.contains(&record.index) {
                continue;
            }
            let expected = range.start + found.len() as u64;
            bytes += record.bytes.len().max(1);
            if record.index != expected || (!found.is_empty() && bytes > max_bytes) {
                return Ok(found);
            }
            found.push(record);
        }
    }
    Ok(found)
}

/// The key at which reading must begin to see the record `index`.
pub(super) fn start_key(log: &sled::Tree, index: u64) -> io::Result<Key> {
    let own = Key::first(index);
    let below = log.get_lt(own.to_bytes()).map_err(sled_error)?;
    match below {
        // The value below may hold whole records that reach up to `index`.
        Some((key, value)) if !value::is_part(&value) => Key::parse(&key).map_err(damaged),
        _ => Ok(own),
    }
}

pub(super) fn purged_bytes(upto: u64, note: &[u8]) -> Vec<u8> {
    let index = upto.to_le_bytes();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&index);
    hasher.update(note);
    let mut bytes = Vec::with_capacity(12 + note.len());
    bytes.extend_from_slice(&index);
    bytes.extend_from_slice(&hasher.finalize().to_le_bytes());
    bytes.extend_from_slice(note);
    bytes
}

pub(super) fn parse_purged(bytes: &[u8]) -> Result<(u64, Bytes), String> {
    let Some((header, note)) = bytes.split_at_checked(12) else {
        return Err("the purge mark is cut short".to_owned());
    };
    let index = u64::from_le_bytes(header[..8].try_into().expect("eight bytes"));
    if purged_bytes(index, note) != bytes {
        return Err("the purge mark fails its checksum".to_owned());
    }
    Ok((index, Bytes::copy_from_slice(note)))
}

pub(super) fn vote_bytes(vote: StoredVote) -> [u8; 17] {
    let mut bytes = [0; 17];
    bytes[..8].copy_from_slice(&vote.term.to_le_bytes());
    bytes[8..16].copy_from_slice(&vote.node_id.to_le_bytes());
    bytes[16] = u8::from(vote.committed);
    bytes
}

pub(super) fn parse_vote(bytes: &[u8]) -> Result<StoredVote, String> {
    let whole: [u8; 17] = bytes
        .try_into()
        .map_err(|_| format!("a vote of {} bytes", bytes.len()))?;
    Ok(StoredVote {
        term: u64::from_le_bytes(whole[..8].try_into().expect("eight bytes")),
        node_id: u64::from_le_bytes(whole[8..16].try_into().expect("eight bytes")),
        committed: whole[16] != 0,
    })
}

pub(super) fn insert(tree: &sled::Tree, key: impl AsRef<[u8]>, value: &[u8]) -> io::Result<()> {
    tree.insert(key, value).map(drop).map_err(sled_error)
}

pub(super) fn sled_error(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Io(error) => match sync_file_range::check() {
            Err(sync) => sync,
            Ok(()) => io::Error::new(error.kind(), format!("write log/db: {error}")),
        },
        error @ sled::Error::Corruption { .. } => {
            io::Error::new(io::ErrorKind::InvalidData, format!("log/db: {error}"))
        }
        error => io::Error::other(format!("log/db: {error}")),
    }
}

pub(super) fn damaged(reason: impl Into<String>) -> io::Error {
    let reason = reason.into();
    io::Error::new(io::ErrorKind::InvalidData, format!("log/db: {reason}"))
}
