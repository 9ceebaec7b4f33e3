//! Reading a snapshot: record by record to install it, byte by byte to send it.
//!
//! Owns both readers. Each holds the file open, so a snapshot that is replaced meanwhile can still be
//! read to its end. They may not hand out a byte of a record whose checksum does not match.

use std::io;

use super::super::files::File;
use super::SnapshotMeta;
use super::format::{self, Envelopes};
use crate::codec::{Format, Stored};

/// Reads the records of a snapshot in the order written, one at a time. Blocks on the disk.
pub struct SnapshotReader {
    envelopes: Envelopes,
    left: u64,
}

impl SnapshotReader {
    pub(super) fn new(file: Box<dyn File>, meta: &SnapshotMeta) -> io::Result<Self> {
        let mut envelopes = Envelopes::new(file);
        // The header, verified when the snapshot was adopted.
        envelopes.next()?;
        Ok(Self {
            envelopes,
            left: meta.records,
        })
    }

    /// The next record, or `None` behind the last.
    ///
    /// # Errors
    /// `InvalidData` if the file has been damaged since it was verified, `Unsupported` if a newer release
    /// wrote the record; the disk's.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is generic in the record and fails: no iterator"
    )]
    pub fn next<T: Stored>(&mut self) -> io::Result<Option<T>> {
        let at = self.envelopes.offset;
        let found = self.envelopes.next()?;
        match found {
            Some((kind, _)) if kind == Format::SNAPSHOT_FOOTER.kind && self.left == 0 => Ok(None),
            Some((kind, envelope)) if kind != Format::SNAPSHOT_FOOTER.kind && self.left > 0 => {
                self.left -= 1;
                Ok(Some(format::decode(envelope, at)?))
            }
            _ => {
                let text = format!(
                    "snapshot damaged at byte {at}: {} records missing",
                    self.left
                );
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        }
    }
}

/// Reads a snapshot's bytes as they are, to send them to a peer. Blocks on the disk.
pub struct SnapshotSource {
    file: Box<dyn File>,
    size: u64,
}

impl SnapshotSource {
    pub(super) fn new(file: Box<dyn File>, meta: &SnapshotMeta) -> Self {
        Self {
            file,
            size: meta.size,
        }
    }

    /// The bytes of the file: what a receiver is told first.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// At most `max_bytes` from `offset`; empty only at the end. The receiver verifies them.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file is shorter than it was; the disk's.
    pub fn read_at(&mut self, offset: u64, max_bytes: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(max_bytes)];
        let read = self.file.read_at(offset, &mut bytes)?;
        if read < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}
