//! Where a log is copied to be looked at.
//!
//! Owns the choice of the place and that there is room for the copy. It may not touch the original.

use std::fmt;
use std::path::{Path, PathBuf};
use std::{io, process};

use crate::store::sled_log::{LogCopy, log_bytes};
use crate::store::{OpenError, StoppedDir};

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
    let copy = LogCopy::make(dir.root(), place).map_err(CopyError::Log)?;
    Ok((copy, bytes))
}

/// A name of this process below `parent` that nothing has.
fn unused(parent: &Path) -> Option<PathBuf> {
    let mut places = (0..COPIES_MAX)
        .map(|number| parent.join(format!("eureka-raft-{}-{number}", process::id())));
    places.find(|place| !place.exists())
}
