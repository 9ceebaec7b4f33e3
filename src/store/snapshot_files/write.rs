//! How a snapshot comes to be a file: built here, or received from a peer.
//!
//! Owns the temporary file and the steps that turn it into a snapshot: sync, verify, rename, sync of
//! the directory. It may not overwrite a snapshot before the new one is whole and durable.

use std::io;

use super::super::files::File;
use super::encode::SnapshotEncoder;
use super::format::{self, CHUNK_BYTES};
use super::{SnapshotFiles, SnapshotMeta, SnapshotName};
use crate::codec::Stored;

/// A file that becomes a snapshot, or vanishes when dropped.
pub(super) struct Draft {
    pub(super) snapshots: SnapshotFiles,
    pub(super) name: SnapshotName,
    pub(super) temp: String,
    pub(super) file: Box<dyn File>,
    pub(super) written: u64,
    pub(super) published: bool,
}

impl Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.written, bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Durable, verified as read back, and under its name: in this order.
    fn publish(&mut self) -> io::Result<SnapshotMeta> {
        self.file.sync()?;
        let files = self.snapshots.files();
        let meta = format::verify(files.open(&self.temp)?, Some(self.name))?;
        files.rename(&self.temp, &self.name.file())?;
        self.published = true;
        files.sync_dir(super::SNAPSHOT_DIR)?;
        self.snapshots.adopt(meta.clone())?;
        Ok(meta)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.snapshots.end_draft(&self.name);
        if !self.published {
            // If this fails too, the next start removes it.
            drop(self.snapshots.files().remove(&self.temp));
        }
    }
}

/// Writes a snapshot record by record, holding one chunk in memory. Blocks on the disk. Dropped
/// unfinished, it leaves nothing.
pub struct SnapshotWriter {
    draft: Draft,
    buffer: Vec<u8>,
    encoder: SnapshotEncoder,
}

impl SnapshotWriter {
    pub(super) fn new(draft: Draft, note: &[u8]) -> Self {
        let mut encoder = SnapshotEncoder::default();
        let mut buffer = Vec::with_capacity(CHUNK_BYTES);
        buffer.extend_from_slice(&encoder.header(draft.name, note));
        Self {
            draft,
            buffer,
            encoder,
        }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `InvalidInput` if it is longer than [`crate::codec::SNAPSHOT_RECORD_MAX`]; the disk's.
    pub fn append<T: Stored>(&mut self, record: &T) -> io::Result<()> {
        self.buffer.extend_from_slice(&self.encoder.record(record)?);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Completes the snapshot: when this returns it is durable, verified and the newest, unless a
    /// newer one came in meanwhile.
    ///
    /// # Errors
    /// The disk's, or `InvalidData` if what was read back is not what was written.
    pub fn finish(mut self) -> io::Result<SnapshotMeta> {
        self.buffer.extend_from_slice(&self.encoder.footer());
        self.flush()?;
        self.draft.publish()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Takes a snapshot in from a peer, chunk by chunk. Blocks on the disk. Dropped unfinished, it leaves
/// nothing.
pub struct SnapshotReceiver {
    draft: Draft,
    size: u64,
}

impl SnapshotReceiver {
    pub(super) fn new(draft: Draft, size: u64) -> Self {
        Self { draft, size }
    }

    /// How many bytes have come in: the offset the next chunk must have.
    pub fn received(&self) -> u64 {
        self.draft.written
    }

    /// Adds the chunk at `offset`, which must be [`SnapshotReceiver::received`].
    ///
    /// # Errors
    /// `InvalidInput` for another offset or more bytes than announced: nothing was written. The disk's.
    pub fn write_at(&mut self, offset: u64, chunk: &[u8]) -> io::Result<()> {
        let received = self.received();
        if offset != received {
            let text = format!("chunk at byte {offset}, expected byte {received}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if self.size - received < chunk.len() as u64 {
            let text = format!("more than the {} bytes announced", self.size);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.draft.write(chunk)
    }

    /// Verifies the whole and completes it: durable and the newest when this returns.
    ///
    /// # Errors
    /// `InvalidInput` if bytes are missing, `InvalidData` if they are no whole snapshot of this name;
    /// the disk's. The directory is as before then.
    pub fn finish(mut self) -> io::Result<SnapshotMeta> {
        if self.received() != self.size {
            let text = format!("{} of {} bytes received", self.received(), self.size);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.draft.publish()
    }
}
