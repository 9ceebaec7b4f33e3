//! A snapshot file outside of a data directory: a backup.
//!
//! Owns reading and checking one file wherever it lies. It may not change it, nor leave anything
//! beside it. Every call blocks on the disk.

use std::io;
use std::path::{Path, PathBuf};

use super::super::dir_files::open_to_read;
use super::super::error::OpenError;
use super::format::{self, Unreadable};
use super::{SnapshotMeta, SnapshotReader};

/// A backup found whole.
#[derive(Debug, Clone)]
pub struct LooseSnapshot {
    path: PathBuf,
    meta: SnapshotMeta,
}

impl LooseSnapshot {
    /// Reads the file at `path` to its end and checks every envelope, the count and the checksum.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] with the byte at which it is no snapshot; [`OpenError::Newer`];
    /// [`OpenError::Io`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        let file =
            open_to_read(path).map_err(|source| OpenError::io(format!("open {shown}"))(source))?;
        let meta = format::verify(file, None).map_err(|unreadable| match unreadable {
            Unreadable::Io(error) => OpenError::io(format!("read {shown}"))(error),
            Unreadable::Bytes { offset, error } => {
                OpenError::codec(&shown, format!("byte {offset}"), &error)
            }
        })?;
        let path = path.to_owned();
        Ok(Self { path, meta })
    }

    /// What it says of itself.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads its records.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&self) -> io::Result<SnapshotReader> {
        SnapshotReader::new(open_to_read(&self.path)?, &self.meta)
    }
}
