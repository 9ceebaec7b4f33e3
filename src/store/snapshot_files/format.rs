//! What a snapshot file looks like, and how it is read and verified.
//!
//! Owns the order of envelopes: header, records, footer, end. It may not know what a record means.
//! Every envelope carries its own checksum; the footer counts records and bytes and sums them all, so
//! that a file cut at a record's end, or put together from two, is no snapshot.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::files::File;
use crate::codec::{self, CodecError, ENVELOPE_BYTES, Format, Stored};

/// Bytes read or written at a time.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

/// Which snapshot: the log position it covers, and a number that tells two of one position apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotName {
    /// The term of the last entry it covers.
    pub term: u64,
    /// The index of that entry.
    pub index: u64,
    /// Random, from whoever built it.
    pub id: u64,
}

impl SnapshotName {
    /// The order in which snapshots replace each other.
    pub(super) fn rank(&self) -> (u64, u64, u64) {
        (self.index, self.term, self.id)
    }

    pub(super) fn file(&self) -> String {
        format!("{}/{self}.snap", super::SNAPSHOT_DIR)
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:016x}", self.term, self.index, self.id)
    }
}

/// The text is not `<term>-<index>-<id>` as [`SnapshotName`] writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a snapshot's name")]
pub struct NotASnapshotName;

impl FromStr for SnapshotName {
    type Err = NotASnapshotName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('-');
            let name = Self {
                term: parts.next()?.parse().ok()?,
                index: parts.next()?.parse().ok()?,
                id: u64::from_str_radix(parts.next()?, 16).ok()?,
            };
            // Only the one spelling: a name that comes from a peer ends up in a path.
            (name.to_string() == text).then_some(name)
        };
        parse().ok_or(NotASnapshotName)
    }
}

/// A verified snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// Which.
    pub name: SnapshotName,
    /// The bytes of the file.
    pub size: u64,
    /// The records in it.
    pub records: u64,
    /// The Raft adapter's note, as given to the writer.
    pub note: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) name: SnapshotName,
    pub(super) note: Vec<u8>,
}

impl Stored for Header {
    const FORMAT: Format = Format::SNAPSHOT_HEADER;
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) records: u64,
    /// Bytes before the footer.
    pub(super) bytes: u64,
    /// The checksum of those bytes.
    pub(super) crc: u32,
}

impl Stored for Footer {
    const FORMAT: Format = Format::SNAPSHOT_FOOTER;
}

/// Why a file is no snapshot.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The disk's error.
    Io(io::Error),
    /// What the bytes at `offset` are not.
    Bytes { offset: u64, error: CodecError },
}

impl From<Unreadable> for io::Error {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Io(error) => error,
            Unreadable::Bytes { offset, error } => {
                let (kind, what) = match error {
                    CodecError::Newer { .. } => (io::ErrorKind::Unsupported, "unreadable"),
                    _ => (io::ErrorKind::InvalidData, "damaged"),
                };
                Self::new(kind, format!("snapshot {what} at byte {offset}: {error}"))
            }
        }
    }
}

/// Reads a file envelope by envelope, holding one and a chunk.
pub(super) struct Envelopes {
    file: Box<dyn File>,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
    /// Where in the file that is.
    pub(super) offset: u64,
    pub(super) hasher: crc32fast::Hasher,
}

impl Envelopes {
    pub(super) fn new(file: Box<dyn File>) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            hasher: crc32fast::Hasher::new(),
        }
    }

    /// The next whole envelope with its kind, or `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<(u8, &[u8])>, Unreadable> {
        let limit = codec::SNAPSHOT_RECORD_MAX;
        self.fetch(ENVELOPE_BYTES)?;
        if self.unread().is_empty() {
            return Ok(None);
        }
        let header = codec::envelope_header(self.unread(), limit).map_err(|e| self.damage(e))?;
        let len = ENVELOPE_BYTES + header.len;
        self.fetch(len)?;
        let have = self.unread().len().min(len);
        let kind = codec::check_envelope(&self.unread()[..have], limit);
        let kind = kind.map_err(|error| self.damage(error))?;
        let envelope = &self.buffer[self.start..self.start + len];
        if kind != Format::SNAPSHOT_FOOTER.kind {
            self.hasher.update(envelope);
        }
        self.start += len;
        self.offset += len as u64;
        Ok(Some((kind, envelope)))
    }

    /// An error at the current place.
    pub(super) fn damage(&self, error: CodecError) -> Unreadable {
        Unreadable::Bytes {
            offset: self.offset,
            error,
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Makes `wanted` bytes available, fewer at the end of the file.
    fn fetch(&mut self, wanted: usize) -> Result<(), Unreadable> {
        if self.unread().len() >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        self.buffer.resize(wanted.max(CHUNK_BYTES), 0);
        let at = self.offset + held as u64;
        let read = self.file.read_at(at, &mut self.buffer[held..]);
        self.buffer
            .truncate(held + read.as_ref().map_or(0, |read| *read));
        read.map(drop).map_err(Unreadable::Io)
    }
}

/// Decodes an envelope found in a snapshot.
pub(super) fn decode<T: Stored>(envelope: &[u8], offset: u64) -> Result<T, Unreadable> {
    codec::decode(envelope, codec::SNAPSHOT_RECORD_MAX)
        .map_err(|error| Unreadable::Bytes { offset, error })
}

/// Reads a whole file and checks that it is the snapshot `name`; of a file that came without a name of
/// its own, any.
pub(super) fn verify(
    file: Box<dyn File>,
    name: Option<SnapshotName>,
) -> Result<SnapshotMeta, Unreadable> {
    let mut envelopes = Envelopes::new(file);
    let header: Header = match envelopes.next()? {
        Some((_, envelope)) => decode(envelope, 0)?,
        None => return Err(envelopes.damage(cut_short())),
    };
    if name.is_some_and(|name| header.name != name) {
        let reason = format!("it is snapshot {}", header.name);
        return Err(envelopes.damage(malformed(reason)));
    }
    let mut records = 0;
    let footer: Footer = loop {
        let at = envelopes.offset;
        match envelopes.next()? {
            Some((kind, envelope)) if kind == Format::SNAPSHOT_FOOTER.kind => {
                break decode(envelope, at)?;
            }
            Some(_) => records += 1,
            None => return Err(envelopes.damage(cut_short())),
        }
    };
    check_footer(&mut envelopes, &footer, records)?;
    Ok(SnapshotMeta {
        name: header.name,
        size: envelopes.offset,
        records,
        note: header.note,
    })
}

fn check_footer(
    envelopes: &mut Envelopes,
    footer: &Footer,
    records: u64,
) -> Result<(), Unreadable> {
    let expected = Footer {
        records,
        bytes: footer.bytes,
        crc: envelopes.hasher.clone().finalize(),
    };
    let footer_bytes = codec::encode(footer).len() as u64;
    if *footer != expected || footer.bytes + footer_bytes != envelopes.offset {
        return Err(envelopes.damage(malformed(format!("footer {footer:?}, found {expected:?}"))));
    }
    if envelopes.next()?.is_some() {
        return Err(envelopes.damage(malformed("bytes behind the footer".to_owned())));
    }
    Ok(())
}

fn cut_short() -> CodecError {
    malformed("it ends without a footer".to_owned())
}

fn malformed(reason: String) -> CodecError {
    CodecError::Malformed {
        what: "snapshot",
        reason,
    }
}
