//! A stopped node's log, read from a copy.
//!
//! Owns what an operator can be shown of a log, damaged or not: opening sled changes its files, so a
//! [`LogCopy`] is opened in a directory of its own, and the original is only read. It may not judge or
//! repair.
//!
//! Invariant: a walk ends, whatever the bytes are, and hands out no record whose checksum is wrong.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::super::error::OpenError;
use super::super::files::Files;
use super::super::log::LogRecord;
use super::end_mark;
use super::engine::{ORIGIN, PURGED, parse_purged};
use super::guard::guarded;
use super::open::{self, LOG_DIR};
use super::value::{Assembler, Key};

/// Half-written by a kill inside sled's own opening; a start removes it.
const GENERATING: &str = ".generating";

/// One thing found on the way through a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A record whose checksum matches.
    Record(LogRecord),
    /// Something that is no record, and where.
    Damage {
        /// Where: an entry, or a part of the database.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Found {
    fn damage(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damage {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

/// An open copy of a log. The copy is removed when this is dropped.
pub struct LogCopy {
    log: sled::Tree,
    meta: sled::Tree,
    /// The last of the files; dropped last.
    _files: Scratch,
}

/// A directory that is removed when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a copy in a directory for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The bytes of the log below the data directory `root`: what a copy takes.
///
/// # Errors
/// `NotFound` if there is no log; the disk's.
pub fn log_bytes(root: &Path) -> io::Result<u64> {
    let lengths = log_files(root)?
        .into_iter()
        .map(|path| Ok(fs::metadata(path)?.len()));
    lengths.sum()
}

/// What a start would refuse or remove, by name below `log/`: values outside of the log's file, and
/// what sled had begun to write.
///
/// # Errors
/// The disk's, but `NotFound` is an empty list.
pub fn strays(files: &dyn Files) -> io::Result<Vec<String>> {
    let list = |name: &str| match files.list(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    };
    let blobs = list(&format!("{LOG_DIR}/blobs"))?;
    let mut strays: Vec<String> = blobs.iter().map(|blob| format!("blobs/{blob}")).collect();
    let begun = list(LOG_DIR)?
        .into_iter()
        .filter(|name| name.ends_with(GENERATING));
    strays.extend(begun);
    Ok(strays)
}

/// The index in `LOG.end`: where the log was last known to end. `None` if there is no whole mark.
///
/// # Errors
/// The disk's, but `NotFound` is `None`.
pub fn end_mark_of(files: &dyn Files) -> io::Result<Option<u64>> {
    end_mark::look(files)
}

/// Sled's files: those of its directory, not those of `blobs/`.
fn log_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join(LOG_DIR))? {
        let entry = entry?;
        let begun = entry.file_name().to_string_lossy().ends_with(GENERATING);
        if entry.file_type()?.is_file() && !begun {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

impl LogCopy {
    /// Copies the log below `root` into `scratch`, which must not exist, and opens the copy. Blocks.
    ///
    /// # Errors
    /// [`OpenError::Io`] if it cannot be copied, [`OpenError::Corrupt`] if sled cannot make anything of it.
    pub fn make(root: &Path, scratch: &Path) -> Result<Self, OpenError> {
        let copying = || {
            format!(
                "copy {} to {}",
                root.join(LOG_DIR).display(),
                scratch.display()
            )
        };
        fs::create_dir(scratch).map_err(OpenError::io(copying()))?;
        let files = Scratch(scratch.to_owned());
        copy_files(root, &files.0).map_err(OpenError::io(copying()))?;
        let db = open::open_sled(&files.0.join(LOG_DIR))?;
        let held = db.clone();
        let trees = guarded(|| Ok((db.open_tree("log")?, db.open_tree("meta")?)));
        let broken = |reason: String| OpenError::corrupt(open::DB_FILE, "its trees", reason);
        match trees {
            Ok(Ok((log, meta))) => Ok(Self {
                log,
                meta,
                _files: files,
            }),
            Ok(Err(error)) => {
                let error: sled::Error = error;
                Err(broken(error.to_string()))
            }
            Err(panic) => {
                // Closing it would wait for threads that may have died.
                std::mem::forget(held);
                Err(broken(panic))
            }
        }
    }

    /// The purge mark: the last purged index and its note.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn purged(&self) -> Result<Option<(u64, Bytes)>, String> {
        let found = self.get(PURGED)?;
        found.map(|bytes| parse_purged(&bytes)).transpose()
    }

    /// The index the log should begin at: behind the purge mark, or where its first entry ever was.
    ///
    /// # Errors
    /// What is wrong with the mark.
    pub fn origin(&self) -> Result<Option<u64>, String> {
        if let Some((purged, _note)) = self.purged()? {
            return Ok(Some(purged + 1));
        }
        let found = self.get(ORIGIN)?;
        Ok(found.and_then(|bytes| Some(u64::from_le_bytes(bytes.as_ref().try_into().ok()?))))
    }

    fn get(&self, key: &str) -> Result<Option<sled::IVec>, String> {
        guarded(|| self.meta.get(key)).and_then(|found| found.map_err(|error| error.to_string()))
    }

    /// Walks over everything the copy holds, in order; goes on behind damage as far as sled lets it,
    /// and until `visit` breaks.
    pub fn walk(&self, mut visit: impl FnMut(Found) -> ControlFlow<()>) {
        let mut walk = Walk {
            assembler: Assembler::default(),
            last: None,
        };
        let forward = guarded(|| walk.forward(self.log.iter(), &mut visit));
        match forward {
            Ok(Stopped::Broken | Stopped::AtTheEnd) => {}
            Ok(Stopped::AtDamage) => self.behind_damage(&walk, visit),
            Err(panic) => {
                let place = walk.near();
                if visit(Found::damage(place, panic)).is_continue() {
                    self.behind_damage(&walk, visit);
                }
            }
        }
    }

    /// What can be read behind the damage, found from the other end and handed out in order.
    fn behind_damage(&self, walk: &Walk, mut visit: impl FnMut(Found) -> ControlFlow<()>) {
        let from = walk.last.map_or(0, |last| last + 1);
        let mut values = Vec::new();
        let read = guarded(|| {
            let range = self.log.range(Key::first(from).to_bytes()..);
            for item in range.rev() {
                let Ok(item) = item else { return };
                values.push(item);
            }
        });
        // A panic or an error ends what can be read: it is the damage that was reported already.
        drop(read);
        let mut behind = Walk {
            assembler: Assembler::default(),
            last: None,
        };
        behind.forward(values.into_iter().rev().map(Ok), &mut visit);
    }
}

/// Why a walk stopped.
enum Stopped {
    AtTheEnd,
    /// Sled itself could not read on.
    AtDamage,
    /// By who asked.
    Broken,
}

struct Walk {
    assembler: Assembler,
    /// The last index seen.
    last: Option<u64>,
}

impl Walk {
    fn near(&self) -> String {
        let next = self.last.map_or(0, |last| last + 1);
        format!("entry {next}")
    }

    fn forward(
        &mut self,
        values: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
        visit: &mut impl FnMut(Found) -> ControlFlow<()>,
    ) -> Stopped {
        for item in values {
            let (key, value) = match item {
                Ok(item) => item,
                Err(error) => {
                    let damage = Found::damage(self.near(), error.to_string());
                    return match visit(damage) {
                        ControlFlow::Continue(()) => Stopped::AtDamage,
                        ControlFlow::Break(()) => Stopped::Broken,
                    };
                }
            };
            if self.value(&key, &value, visit).is_break() {
                return Stopped::Broken;
            }
        }
        if let Some(index) = self.assembler.incomplete() {
            let reason = "its last parts were never written: it was never acknowledged";
            if visit(Found::damage(format!("entry {index}"), reason)).is_break() {
                return Stopped::Broken;
            }
        }
        Stopped::AtTheEnd
    }

    fn value(
        &mut self,
        key: &[u8],
        value: &[u8],
        visit: &mut impl FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let key = match Key::parse(key) {
            Ok(key) => key,
            Err(reason) => return visit(Found::damage(self.near(), reason)),
        };
        match self.assembler.push(key, value) {
            Ok(records) => {
                for record in records {
                    self.last = Some(record.index);
                    visit(Found::Record(record))?;
                }
                ControlFlow::Continue(())
            }
            Err(reason) => {
                self.assembler = Assembler::default();
                self.last = self.last.max(Some(key.index));
                visit(Found::damage(format!("entry {}", key.index), reason))
            }
        }
    }
}

fn copy_files(root: &Path, scratch: &Path) -> io::Result<()> {
    let log = scratch.join(LOG_DIR);
    fs::create_dir(&log)?;
    for path in log_files(root)? {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        fs::copy(&path, log.join(name))?;
    }
    Ok(())
}

impl std::fmt::Debug for LogCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogCopy").finish_non_exhaustive()
    }
}
