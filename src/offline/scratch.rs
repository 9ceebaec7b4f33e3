//! Where a log is copied to be looked at.
//!
//! Owns the choice of the place and that there is room for the copy. It may not touch the original.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io, process};

use crate::store::files::SharedFiles;
use crate::store::identity::IdentityFile;
use crate::store::sled_log::{LOG_DIR, LogCopy, log_bytes};
use crate::store::{DirFiles, OpenError, SledLog, StoppedDir};

use super::volume::Volume;

/// What must stay free beside a copy, 64 MiB: sled writes while it opens.
const MARGIN_BYTES: u64 = 64 << 20;
/// Copies one process may make.
const COPIES_MAX: u32 = 1_000;

/// Why there is no copy.
#[derive(Debug)]
pub enum CopyError {
    /// There is no log to copy.
    NoLog,
    /// No room for it.
    NoRoom {
        /// Where it should have gone.
        place: PathBuf,
        /// Bytes needed.
        need: u64,
        /// Bytes free.
        free: u64,
    },
    /// The log, or the copy of it, cannot be opened.
    Log(OpenError),
    /// The disk's, of the original or of the copy.
    Io(io::Error),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLog => write!(f, "there is no log/"),
            Self::NoRoom { place, need, free } => write!(
                f,
                "a copy of the log takes {need} bytes, {} has {free}: set TMPDIR",
                place.display()
            ),
            Self::Log(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the log cannot be copied: {error}"),
        }
    }
}

/// Copies the log of `dir` below `parent`, where a copy has room, and opens the copy. Blocks.
///
/// # Errors
/// [`CopyError`]; nothing is left below `parent` then.
pub fn copy_log(dir: &StoppedDir, parent: &Path) -> Result<(LogCopy, u64), CopyError> {
    let bytes = log_bytes(dir.root()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CopyError::NoLog,
        _ => CopyError::Io(error),
    })?;
    let free = Volume::of(parent).map_err(CopyError::Io)?.bytes_free;
    let need = bytes + MARGIN_BYTES;
    if free < need {
        return Err(CopyError::NoRoom {
            place: parent.to_owned(),
            need,
            free,
        });
    }
    let place = unused(parent).ok_or_else(|| CopyError::Io(io::ErrorKind::AlreadyExists.into()))?;
    let copy = LogCopy::make(dir.root(), &place).map_err(CopyError::Log)?;
    Ok((copy, bytes))
}

/// Opens a copy of identity and log as a start would: what it refuses, a start refuses. `parent` had
/// room for a copy before. Blocks.
///
/// # Errors
/// The refusal, or [`OpenError::Io`] of the copy.
pub fn rehearse(dir: &StoppedDir, parent: &Path) -> Result<(), OpenError> {
    let copying = |source| OpenError::Io {
        what: "copy the directory".to_owned(),
        source,
    };
    let place = unused(parent).ok_or_else(|| copying(io::ErrorKind::AlreadyExists.into()))?;
    let stage = Stage(place);
    stage.fill(dir.root()).map_err(copying)?;
    let files: SharedFiles = Arc::new(DirFiles::open(&stage.0)?);
    let Some(identity) = IdentityFile::open(Arc::clone(&files))? else {
        return Ok(());
    };
    let log = SledLog::open(&stage.0, &files, identity)?;
    log.close().map_err(copying)
}

/// A copy of identity and log; removed when dropped.
struct Stage(PathBuf);

impl Stage {
    fn fill(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(self.0.join(LOG_DIR))?;
        copy_files(root, &self.0)?;
        match copy_files(&root.join(LOG_DIR), &self.0.join(LOG_DIR)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            copied => copied,
        }
    }
}

/// The files of a directory, without its folders.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays behind is a copy in a directory for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A name of this process below `parent` that nothing has.
fn unused(parent: &Path) -> Option<PathBuf> {
    let mut places = (0..COPIES_MAX)
        .map(|number| parent.join(format!("eureka-raft-{}-{number}", process::id())));
    places.find(|place| !place.exists())
}
