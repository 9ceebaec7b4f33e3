//! Snapshots as files: `snapshots/<term>-<index>-<id>.snap`.
//!
//! Owns the directory: which snapshot is the newest, that every one was verified before use, and that
//! two are kept. It may not know what a record means, nor purge a log. Every call blocks on the disk
//! unless it says otherwise.
//!
//! Invariant: under a name ending in `.snap` there is never an unfinished file. What a crash leaves of
//! one being built ends in `.tmp` and is removed at the next start; what came in of a peer's ends in
//! `.part`, and at most one of those is kept, to be gone on with.

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
use super::files::{File, SharedFiles};
use crate::codec::CONTROL_MAX;
use format::Unreadable;
use write::{Draft, Fate};

pub use encode::SnapshotEncoder;
pub use format::{NotASnapshotName, SnapshotMeta, SnapshotName};
pub use look::SnapshotFound;
pub use loose::LooseSnapshot;
pub use read::{SnapshotReader, SnapshotSource};
pub use write::{SnapshotReceiver, SnapshotWriter, VerifiedSnapshot};

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
    /// Being written, by index, term and id.
    drafts: BTreeSet<(u64, u64, u64)>,
    /// Received in part, by a receiver that was suspended.
    partial: Option<SnapshotName>,
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
        let found = prepare(&files).map_err(OpenError::io("open the snapshot directory"))?;
        let mut held = Held::default();
        for name in found.whole {
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
        let reach = held.whole.last().map(|meta| meta.name.rank());
        for name in found.partial {
            // The newest, if it is of use; each takes the place of the one before.
            let useful = Some(name.rank()) > reach;
            let useless = match useful {
                true => held.partial.replace(name),
                false => Some(name),
            };
            if let Some(useless) = useless {
                files
                    .remove(&partial_file(&useless))
                    .map_err(OpenError::io(format!("remove {}", partial_file(&useless))))?;
            }
        }
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
        let temp = format!("{}.tmp", name.file());
        let draft = self.draft(name, &temp, |files| Ok((files.create(&temp)?, 0)))?;
        Ok(SnapshotWriter::new(draft, note))
    }

    /// Begins to take in a snapshot of `size` bytes from a peer, or goes on with it where a suspended
    /// receiver of the same name ended. What was received in part of any other is removed.
    ///
    /// # Errors
    /// `AlreadyExists` if this one is being written, `InvalidInput` if it is over
    /// [`SNAPSHOT_BYTES_MAX`], `StorageFull` if the volume has no room for it; the disk's.
    pub fn receive(&self, name: SnapshotName, size: u64) -> io::Result<SnapshotReceiver> {
        if size > SNAPSHOT_BYTES_MAX {
            let text = format!("a snapshot of {size} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let draft = self.draft(name, &partial_file(&name), |files| {
            self.open_partial(files, name, size)
        })?;
        SnapshotReceiver::new(draft, size)
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

    /// Removes every whole snapshot but the newest: room is worth more than a second copy.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep_newest(&self) -> io::Result<()> {
        let superfluous: Vec<SnapshotName> = {
            let mut held = self.held();
            let surplus = held.whole.len().saturating_sub(1);
            held.whole.drain(..surplus).map(|old| old.name).collect()
        };
        for name in superfluous {
            self.files().remove(&name.file())?;
        }
        Ok(())
    }

    fn files(&self) -> &SharedFiles {
        &self.inner.files
    }

    /// Every change to it is one step: a panic elsewhere leaves it whole.
    fn held(&self) -> MutexGuard<'_, Held> {
        let held = self.inner.held.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file `temp` of the snapshot `name`; `open` says how, and how many bytes it has.
    fn draft(
        &self,
        name: SnapshotName,
        temp: &str,
        open: impl FnOnce(&SharedFiles) -> io::Result<(Box<dyn File>, u64)>,
    ) -> io::Result<Draft> {
        if !self.held().drafts.insert(name.rank()) {
            let text = format!("snapshot {name} is being written already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let opened = open(self.files());
        if opened.is_err() {
            self.end_draft(&name, Fate::Removed);
        }
        let (file, written) = opened?;
        Ok(Draft {
            snapshots: self.clone(),
            name,
            temp: temp.to_owned(),
            file,
            written,
            synced: written,
            fate: Fate::Removed,
        })
    }

    fn open_partial(
        &self,
        files: &SharedFiles,
        name: SnapshotName,
        size: u64,
    ) -> io::Result<(Box<dyn File>, u64)> {
        let partial = self.held().partial.take();
        if let Some(other) = partial.filter(|partial| *partial != name) {
            files.remove(&partial_file(&other))?;
        }
        if partial == Some(name) {
            let file = files.open(&partial_file(&name))?;
            let received = file.len()?;
            if received <= size {
                return Ok((file, received));
            }
        }
        Ok((files.create(&partial_file(&name))?, 0))
    }

    fn end_draft(&self, name: &SnapshotName, fate: Fate) {
        let mut held = self.held();
        held.drafts.remove(&name.rank());
        let other = match fate {
            Fate::Kept => held.partial.replace(*name),
            Fate::Removed | Fate::Published => None,
        };
        drop(held);
        if let Some(other) = other.filter(|other| other != name) {
            // If this fails, the next start removes it.
            drop(self.files().remove(&partial_file(&other)));
        }
    }

    /// Counts a durable snapshot in and removes what it makes superfluous.
    fn adopt(&self, meta: SnapshotMeta) -> io::Result<()> {
        let outlived = |partial: &mut SnapshotName| partial.rank() <= meta.name.rank();
        if let Some(partial) = self.held().partial.take_if(outlived) {
            self.files().remove(&partial_file(&partial))?;
        }
        let superfluous: Vec<SnapshotName> = {
            let mut held = self.held();
            held.whole.retain(|known| known.name != meta.name);
            // A damaged one of the same name has just been replaced.
            held.damaged.retain(|(name, _)| *name != meta.name);
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

/// Where a peer's snapshot lies while it comes in.
fn partial_file(name: &SnapshotName) -> String {
    format!("{}.part", name.file())
}

/// What a directory holds, oldest first.
struct Found {
    whole: Vec<SnapshotName>,
    partial: Vec<SnapshotName>,
}

/// Removes what was being built; names the rest. Foreign files are left alone.
fn prepare(files: &SharedFiles) -> io::Result<Found> {
    files.create_dir(SNAPSHOT_DIR)?;
    files.sync_dir("")?;
    let (mut whole, mut partial) = (Vec::new(), Vec::new());
    for file in files.list(SNAPSHOT_DIR)? {
        let (unfinished, name) = match file.strip_suffix(".tmp") {
            Some(name) => (true, name),
            None => (false, file.as_str()),
        };
        let part = name.strip_suffix(".snap.part").map(str::parse);
        let snap = name.strip_suffix(".snap").map(str::parse);
        match (unfinished, snap, part) {
            (true, Some(Ok(_)), _) => files.remove(&format!("{SNAPSHOT_DIR}/{file}"))?,
            (false, Some(Ok(name)), _) => whole.push(name),
            (false, _, Some(Ok(name))) => partial.push(name),
            _ => {}
        }
    }
    whole.sort_by_key(SnapshotName::rank);
    partial.sort_by_key(SnapshotName::rank);
    Ok(Found { whole, partial })
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
