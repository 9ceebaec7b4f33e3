//! Snapshots as files: `snapshots/<term>-<index>-<id>.snap`.
//!
//! Owns the directory: which snapshot is the newest, that every one was verified before use, and that
//! two are kept. It may not know what a record means, nor purge a log. Every call blocks on the disk
//! unless it says otherwise.
//!
//! Invariant: under a name ending in `.snap` there is never an unfinished file; what a crash leaves
//! behind ends in `.tmp` and is removed at the next start.

mod encode;
mod format;
mod look;
mod loose;
mod read;
mod write;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::OpenError;
use super::files::SharedFiles;
use crate::codec::CONTROL_MAX;
use format::Unreadable;
use write::Draft;

pub use encode::SnapshotEncoder;
pub use format::{NotASnapshotName, SnapshotMeta, SnapshotName};
pub use look::SnapshotFound;
pub use loose::LooseSnapshot;
pub use read::{SnapshotReader, SnapshotSource};
pub use write::{SnapshotReceiver, SnapshotWriter};

/// The directory below the data directory.
pub const SNAPSHOT_DIR: &str = "snapshots";
/// Whole snapshots kept.
pub const SNAPSHOTS_KEPT: usize = 2;
/// The largest snapshot taken in from a peer, 16 GiB.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// The snapshots of one node. Cheap to clone.
#[derive(Clone)]
pub struct SnapshotFiles {
    inner: Arc<Inner>,
}

struct Inner {
    files: SharedFiles,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Verified, oldest first.
    whole: Vec<SnapshotMeta>,
    /// Being written, by term, index and id.
    drafts: BTreeSet<(u64, u64, u64)>,
    /// Found damaged when the directory was opened.
    damaged: Vec<(SnapshotName, String)>,
}

impl SnapshotFiles {
    /// Opens the directory, creating it if absent: removes unfinished files and reads every snapshot
    /// to its end. `purged` is the last index the log no longer has.
    ///
    /// A damaged snapshot is no obstacle as long as an older one and the log together still hold
    /// everything; [`SnapshotFiles::damaged`] names it.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if no whole snapshot reaches up to `purged`, naming the damaged one;
    /// [`OpenError::Newer`]; [`OpenError::Io`].
    pub fn open(files: SharedFiles, purged: Option<u64>) -> Result<Self, OpenError> {
        let names = prepare(&files).map_err(OpenError::io("open the snapshot directory"))?;
        let mut held = Held::default();
        for name in names {
            let file = files
                .open(&name.file())
                .map_err(OpenError::io(format!("open {}", name.file())))?;
            match format::verify(file, Some(name)) {
                Ok(meta) => held.whole.push(meta),
                Err(unreadable) => match refusal(&name.file(), unreadable) {
                    OpenError::Corrupt { place, reason, .. } => {
                        held.damaged.push((name, format!("{place}: {reason}")));
                    }
                    other => return Err(other),
                },
            }
        }
        check_reach(&held, purged)?;
        Ok(Self {
            inner: Arc::new(Inner {
                files,
                held: Mutex::new(held),
            }),
        })
    }

    /// The newest whole snapshot. Does not block.
    pub fn latest(&self) -> Option<SnapshotMeta> {
        self.held().whole.last().cloned()
    }

    /// Snapshots found damaged at the start, with what is wrong: for a warning. Does not block.
    pub fn damaged(&self) -> Vec<(SnapshotName, String)> {
        self.held().damaged.clone()
    }

    /// Begins a snapshot; `note` is kept in its header.
    ///
    /// # Errors
    /// `AlreadyExists` if this one is being written, `InvalidInput` if `note` is over 64 KiB; the
    /// disk's.
    pub fn begin(&self, name: SnapshotName, note: &[u8]) -> io::Result<SnapshotWriter> {
        if note.len() > CONTROL_MAX {
            let text = format!("a snapshot note of {} bytes", note.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(SnapshotWriter::new(self.draft(name)?, note))
    }

    /// Begins to take in a snapshot of `size` bytes from a peer.
    ///
    /// # Errors
    /// `AlreadyExists` if this one is being written, `InvalidInput` if it is over
    /// [`SNAPSHOT_BYTES_MAX`]; the disk's.
    pub fn receive(&self, name: SnapshotName, size: u64) -> io::Result<SnapshotReceiver> {
        if size > SNAPSHOT_BYTES_MAX {
            let text = format!("a snapshot of {size} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(SnapshotReceiver::new(self.draft(name)?, size))
    }

    /// Reads the records of a snapshot.
    ///
    /// # Errors
    /// `NotFound` if it has been replaced by two newer ones; the disk's.
    pub fn read(&self, meta: &SnapshotMeta) -> io::Result<SnapshotReader> {
        SnapshotReader::new(self.files().open(&meta.name.file())?, meta)
    }

    /// Reads the bytes of a snapshot.
    ///
    /// # Errors
    /// As [`SnapshotFiles::read`].
    pub fn source(&self, meta: &SnapshotMeta) -> io::Result<SnapshotSource> {
        let file = self.files().open(&meta.name.file())?;
        Ok(SnapshotSource::new(file, meta))
    }

    fn files(&self) -> &SharedFiles {
        &self.inner.files
    }

    /// Every change to it is one step: a panic elsewhere leaves it whole.
    fn held(&self) -> MutexGuard<'_, Held> {
        let held = self.inner.held.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    fn draft(&self, name: SnapshotName) -> io::Result<Draft> {
        if !self.held().drafts.insert(name.rank()) {
            let text = format!("snapshot {name} is being written already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let temp = format!("{}.tmp", name.file());
        let created = self.files().create(&temp);
        if created.is_err() {
            self.end_draft(&name);
        }
        Ok(Draft {
            snapshots: self.clone(),
            name,
            temp,
            file: created?,
            written: 0,
            published: false,
        })
    }

    fn end_draft(&self, name: &SnapshotName) {
        self.held().drafts.remove(&name.rank());
    }

    /// Counts a durable snapshot in and removes what it makes superfluous.
    fn adopt(&self, meta: SnapshotMeta) -> io::Result<()> {
        let superfluous: Vec<SnapshotName> = {
            let mut held = self.held();
            held.whole.retain(|known| known.name != meta.name);
            held.whole.push(meta);
            held.whole.sort_by_key(|known| known.name.rank());
            let surplus = held.whole.len().saturating_sub(SNAPSHOTS_KEPT);
            let mut superfluous: Vec<_> = held.whole.drain(..surplus).map(|old| old.name).collect();
            if held.whole.len() == SNAPSHOTS_KEPT {
                let oldest_kept = held.whole[0].name.rank();
                let outlived = |(name, _): &mut (SnapshotName, String)| name.rank() < oldest_kept;
                superfluous.extend(held.damaged.extract_if(.., outlived).map(|(name, _)| name));
            }
            superfluous
        };
        for name in superfluous {
            self.files().remove(&name.file())?;
        }
        Ok(())
    }
}

impl fmt::Debug for SnapshotFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotFiles")
            .field("latest", &self.latest())
            .finish_non_exhaustive()
    }
}

/// Removes unfinished files; names the others, oldest first. Foreign files are left alone.
fn prepare(files: &SharedFiles) -> io::Result<Vec<SnapshotName>> {
    files.create_dir(SNAPSHOT_DIR)?;
    files.sync_dir("")?;
    let mut names = Vec::new();
    for file in files.list(SNAPSHOT_DIR)? {
        if file.ends_with(".tmp") {
            files.remove(&format!("{SNAPSHOT_DIR}/{file}"))?;
        } else if let Some(name) = file.strip_suffix(".snap") {
            names.extend(name.parse::<SnapshotName>());
        }
    }
    names.sort_by_key(SnapshotName::rank);
    Ok(names)
}

fn refusal(file: &str, unreadable: Unreadable) -> OpenError {
    match unreadable {
        Unreadable::Io(error) => OpenError::io(format!("read {file}"))(error),
        Unreadable::Bytes { offset, error } => {
            OpenError::codec(file, format!("byte {offset}"), &error)
        }
    }
}

/// What the log no longer has must be in a snapshot.
fn check_reach(held: &Held, purged: Option<u64>) -> Result<(), OpenError> {
    let reach = held.whole.last().map(|meta| meta.name.index);
    if reach >= purged {
        return Ok(());
    }
    let wanted =
        format!("the log begins behind {purged:?}, the newest whole snapshot is at {reach:?}");
    Err(match held.damaged.last() {
        Some((name, reason)) => OpenError::corrupt(name.file(), reason.as_str(), wanted),
        None => OpenError::corrupt(SNAPSHOT_DIR, "its newest snapshot", wanted),
    })
}
