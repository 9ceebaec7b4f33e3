//! How a snapshot comes to be a file: built here, or received from a peer.
//!
//! Owns the unfinished file and the steps that turn it into a snapshot: sync, verify, rename, sync of
//! the directory. It may not overwrite a snapshot before the new one is whole and durable.
//! Invariant: a received file gets its name only after whoever asked for it has judged its content.

use std::io;

use super::super::files::File;
use super::super::space::ROOM_MIN;
use super::encode::SnapshotEncoder;
use super::format::{self, CHUNK_BYTES};
use super::{SnapshotFiles, SnapshotMeta, SnapshotName, SnapshotReader};
use crate::codec::Stored;

/// A long file is synced each time it has grown by so much, 8 MiB: a disk that is handed hundreds at
/// once keeps the log's own syncs waiting behind them.
const SYNC_EVERY: u64 = 8 << 20;

/// A file that becomes a snapshot, or vanishes when dropped.
pub(super) struct Draft {
    pub(super) snapshots: SnapshotFiles,
    pub(super) name: SnapshotName,
    pub(super) temp: String,
    pub(super) file: Box<dyn File>,
    pub(super) written: u64,
    pub(super) synced: u64,
    pub(super) fate: Fate,
}

/// What becomes of the file when its draft is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Removed,
    /// It is a snapshot by now.
    Published,
    /// The rest of it may still come.
    Kept,
}

impl Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.written, bytes)?;
        self.written += bytes.len() as u64;
        if self.written - self.synced >= SYNC_EVERY {
            self.file.sync()?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Durable, and verified as read back.
    fn verify(&mut self) -> io::Result<SnapshotMeta> {
        self.file.sync()?;
        let file = self.snapshots.files().open(&self.temp)?;
        Ok(format::verify(file, Some(self.name))?)
    }

    /// Under its name, which is durable, too.
    fn publish(&mut self, meta: &SnapshotMeta) -> io::Result<()> {
        let files = self.snapshots.files();
        files.rename(&self.temp, &self.name.file())?;
        self.fate = Fate::Published;
        files.sync_dir(super::SNAPSHOT_DIR)?;
        self.snapshots.adopt(meta.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.snapshots.end_draft(&self.name, self.fate);
        if self.fate == Fate::Removed {
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
        let meta = self.draft.verify()?;
        self.draft.publish(&meta)?;
        Ok(meta)
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
    /// How many bytes there were when the volume was last asked for room.
    asked_at: u64,
}

impl SnapshotReceiver {
    /// `StorageFull` if the rest does not fit; the disk's.
    pub(super) fn new(draft: Draft, size: u64) -> io::Result<Self> {
        let asked_at = draft.written;
        let mut receiver = Self {
            draft,
            size,
            asked_at,
        };
        receiver.ask_for_room()?;
        Ok(receiver)
    }

    /// A write that finds no room ends the node: others write to the volume, too, so it is asked again and
    /// again on the way.
    fn ask_for_room(&mut self) -> io::Result<()> {
        self.asked_at = self.received();
        let left = self.size.saturating_sub(self.received());
        let free = self.draft.snapshots.files().space()?.free_bytes;
        if free < left.saturating_add(ROOM_MIN) {
            let text = format!("{left} bytes to come, {free} bytes of room");
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        Ok(())
    }

    /// How many bytes have come in: the offset the next chunk must have.
    pub fn received(&self) -> u64 {
        self.draft.written
    }

    /// How many bytes were announced.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the chunk at `offset`, which must be [`SnapshotReceiver::received`].
    ///
    /// # Errors
    /// `InvalidInput` for another offset or more bytes than announced, `StorageFull` if the volume has no
    /// room for the rest any more: nothing was written. The disk's.
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
        if received - self.asked_at >= SYNC_EVERY {
            self.ask_for_room()?;
        }
        self.draft.write(chunk)
    }

    /// Leaves what has come in for [`SnapshotFiles::receive`] to go on with, also after a restart.
    pub fn suspend(mut self) {
        self.draft.fate = Fate::Kept;
    }

    /// Syncs and verifies the whole: every checksum, the footer, the name. It is no snapshot yet.
    ///
    /// # Errors
    /// `InvalidInput` if bytes are missing, `InvalidData` if they are no whole snapshot of this name;
    /// the disk's. The directory is as before then.
    pub fn verify(mut self) -> io::Result<VerifiedSnapshot> {
        if self.received() != self.size {
            let text = format!("{} of {} bytes received", self.received(), self.size);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let meta = self.draft.verify()?;
        let draft = self.draft;
        Ok(VerifiedSnapshot { draft, meta })
    }
}

/// A whole file that came in and does not count yet. Dropped, it leaves nothing.
pub struct VerifiedSnapshot {
    draft: Draft,
    meta: SnapshotMeta,
}

impl VerifiedSnapshot {
    /// What it says of itself.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Reads its records, so that their content can be judged before it counts.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&self) -> io::Result<SnapshotReader> {
        let file = self.draft.snapshots.files().open(&self.draft.temp)?;
        SnapshotReader::new(file, &self.meta)
    }

    /// Makes it a snapshot: durable, and the newest unless a newer one came meanwhile.
    ///
    /// # Errors
    /// The disk's.
    pub fn publish(mut self) -> io::Result<SnapshotMeta> {
        self.draft.publish(&self.meta)?;
        Ok(self.meta.clone())
    }
}
