//! Where the log was last known to end, outside of sled.
//!
//! Owns the file `LOG.end`. After a kill, one flipped bit makes sled take everything behind it for a
//! torn write and open without an error; this mark is how that is seen. It may not be relied on for
//! anything else.
//!
//! Invariant: on disk the mark is never above what is synced. It is raised without a sync, after the
//! log's own; it is lowered, with one, before a truncation. So a kill leaves it exact, and a power
//! cut can only leave it low.

use std::io;

use super::super::files::{File, Files};

/// The file's name.
pub const END_FILE: &str = "LOG.end";

/// Magic, index u64 LE, crc32 LE: one sector, so never torn.
const MAGIC: &[u8; 4] = b"END1";
const BYTES: usize = 16;

/// The open mark.
pub(super) struct EndMark {
    file: Box<dyn File>,
    index: u64,
}

impl EndMark {
    /// Opens the mark, creating it (0) if absent. A mark that is not whole reads as 0: it only ever
    /// adds a check.
    pub(super) fn open(files: &dyn Files) -> io::Result<Self> {
        let mut file = match files.open(END_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => files.create(END_FILE)?,
            other => other?,
        };
        let mut bytes = [0; BYTES];
        let read = file.read_at(0, &mut bytes)?;
        let index = parse(&bytes[..read]);
        let mut mark = Self {
            file,
            index: index.unwrap_or(0),
        };
        if index.is_none() {
            mark.write(0)?;
            mark.file.sync()?;
            files.sync_dir("")?;
        }
        Ok(mark)
    }

    /// The index up to which the log was synced at least.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// Notes that the log is synced up to `index`. Costs no sync.
    pub(super) fn raise(&mut self, index: u64) -> io::Result<()> {
        if index > self.index {
            self.write(index)?;
        }
        Ok(())
    }

    /// Notes, durably, that what lies behind `index` is about to be removed.
    pub(super) fn lower(&mut self, index: u64) -> io::Result<()> {
        if index < self.index {
            self.write(index)?;
            self.file.sync()?;
        }
        Ok(())
    }

    fn write(&mut self, index: u64) -> io::Result<()> {
        self.file.write_at(0, &bytes(index))?;
        self.index = index;
        Ok(())
    }
}

/// The mark as it lies on disk, `None` if there is no whole one. Changes nothing.
pub(super) fn look(files: &dyn Files) -> io::Result<Option<u64>> {
    let mut file = match files.open(END_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = [0; BYTES];
    let read = file.read_at(0, &mut bytes)?;
    Ok(parse(&bytes[..read]))
}

fn bytes(index: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..12].copy_from_slice(&index.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn parse(found: &[u8]) -> Option<u64> {
    let index = u64::from_le_bytes(found.get(4..12)?.try_into().ok()?);
    (found == bytes(index)).then_some(index)
}
