//! Where the log was last known to end, and whose it is, outside of sled.
//!
//! Owns the file `LOG.end`. After a kill, one flipped bit makes sled take everything behind it for a
//! torn write and open without an error; put together from two moments or two nodes, log and identity
//! look whole each by itself. This note is how that is seen. It may not be relied on for anything else.
//!
//! Invariant: on disk it never claims more than what is synced. It is raised without a sync, after the
//! log's or the identity's own; it is lowered, with one, before a truncation. So a kill leaves it
//! exact, and a power cut can only leave it low.

use std::io;

use serde::{Deserialize, Serialize};

use super::super::error::OpenError;
use super::super::files::{File, Files};
use super::super::identity::StoredVote;
use crate::codec::{self, CodecError, Format, Stored};

/// The file's name.
pub const END_FILE: &str = "LOG.end";

/// The envelope and zeros behind it: less than a sector, so never torn.
const BYTES: usize = 128;
/// The first layout: magic, index u64 LE, crc32 LE.
const MAGIC_1: &[u8; 4] = b"END1";
const BYTES_1: usize = 16;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// The incarnation of the data directory.
    pub(super) owner: u128,
    /// The log was synced up to here at least.
    pub(super) index: u64,
    /// The checksum of that record; `None` if it is purged, or of another layout.
    pub(super) crc: Option<u32>,
    /// The identity held this vote at least.
    pub(super) vote: Option<StoredVote>,
}

impl Stored for End {
    const FORMAT: Format = Format::LOG_END;
}

impl End {
    fn of(owner: u128) -> Self {
        Self {
            owner,
            index: 0,
            crc: None,
            vote: None,
        }
    }
}

/// What is found where the file should be.
pub(super) enum Found {
    /// A whole one.
    Whole(End),
    /// None, or one that is not whole, and why.
    Nothing(String),
}

/// Reads the file; `owner` is whose a file of the first layout, which does not say, is taken to be.
pub(super) fn read(files: &dyn Files, owner: u128) -> Result<Found, OpenError> {
    let mut file = match files.open(END_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Found::Nothing("there is no such file".to_owned()));
        }
        other => other.map_err(OpenError::io(format!("open {END_FILE}")))?,
    };
    let mut bytes = [0; BYTES];
    let read = file
        .read_at(0, &mut bytes)
        .map_err(OpenError::io(format!("read {END_FILE}")))?;
    match parse(&bytes[..read], owner) {
        Ok(end) => Ok(Found::Whole(end)),
        Err(error @ CodecError::Newer { .. }) => Err(OpenError::codec(END_FILE, "byte 0", &error)),
        Err(error) => Ok(Found::Nothing(error.to_string())),
    }
}

/// The index in the file as it lies on disk, `None` if there is no whole one. Changes nothing.
pub(super) fn look(files: &dyn Files) -> io::Result<Option<u64>> {
    match read(files, 0) {
        Ok(Found::Whole(end)) => Ok(Some(end.index)),
        Ok(Found::Nothing(_)) => Ok(None),
        Err(OpenError::Io { source, .. }) => Err(source),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

/// The open file.
pub(super) struct EndMark {
    file: Box<dyn File>,
    end: End,
}

impl EndMark {
    /// Opens the file for a log in which everything `end` says was found.
    pub(super) fn open(files: &dyn Files, end: End) -> io::Result<Self> {
        let file = files.open(END_FILE)?;
        Ok(Self { file, end })
    }

    /// Makes the file, durably, for the empty log of `owner`.
    pub(super) fn create(files: &dyn Files, owner: u128) -> io::Result<Self> {
        let mut mark = Self {
            file: files.create(END_FILE)?,
            end: End::of(owner),
        };
        mark.write(mark.end)?;
        mark.file.sync()?;
        files.sync_dir("")?;
        Ok(mark)
    }

    /// Notes that the log is synced up to `index`, a record with checksum `crc`. Costs no sync.
    pub(super) fn raise(&mut self, index: u64, crc: Option<u32>) -> io::Result<()> {
        if index > self.end.index || (index == 0 && crc != self.end.crc) {
            self.write(End {
                index,
                crc,
                ..self.end
            })?;
        }
        Ok(())
    }

    /// Notes that the identity holds `vote`, durably. Costs no sync.
    pub(super) fn note_vote(&mut self, vote: StoredVote) -> io::Result<()> {
        self.write(End {
            vote: self.end.vote.max(Some(vote)),
            ..self.end
        })
    }

    /// Notes, durably, that what lies behind `index` is about to be removed.
    pub(super) fn lower(&mut self, index: u64, crc: Option<u32>) -> io::Result<()> {
        let other_zero = index == self.end.index && crc != self.end.crc;
        if index < self.end.index || other_zero {
            self.write(End {
                index,
                crc,
                ..self.end
            })?;
            self.file.sync()?;
        }
        Ok(())
    }

    fn write(&mut self, end: End) -> io::Result<()> {
        let mut bytes = codec::encode(&end);
        bytes.resize(BYTES, 0);
        self.file.write_at(0, &bytes)?;
        self.end = end;
        Ok(())
    }
}

fn parse(found: &[u8], owner: u128) -> Result<End, CodecError> {
    if found.starts_with(MAGIC_1) {
        return parse_1(found, owner);
    }
    let header = codec::envelope_header(found, BYTES - codec::ENVELOPE_BYTES)?;
    let whole = codec::ENVELOPE_BYTES + header.len;
    let envelope = found.get(..whole).ok_or(CodecError::Truncated {
        need: whole,
        have: found.len(),
    })?;
    codec::decode(envelope, BYTES)
}

fn parse_1(found: &[u8], owner: u128) -> Result<End, CodecError> {
    let Some(found) = found.first_chunk::<BYTES_1>() else {
        return Err(CodecError::Truncated {
            need: BYTES_1,
            have: found.len(),
        });
    };
    let (checked, stored) = found.split_at(BYTES_1 - 4);
    let stored = u32::from_le_bytes(stored.try_into().expect("four bytes"));
    let computed = crc32fast::hash(checked);
    if stored != computed {
        return Err(CodecError::Checksum { stored, computed });
    }
    Ok(End {
        index: u64::from_le_bytes(checked[4..].try_into().expect("eight bytes")),
        ..End::of(owner)
    })
}
