//! A look at the snapshots of a stopped node that changes nothing.
//!
//! Owns what an operator is shown of them, damaged or not. It may not remove what a crash left behind:
//! that is [`SnapshotFiles::open`]'s, for a node that goes on.

use std::io;
use std::sync::{Arc, Mutex};

use super::super::error::OpenError;
use super::super::files::SharedFiles;
use super::format::{self, SnapshotMeta, SnapshotName};
use super::{Held, Inner, SNAPSHOT_DIR, SnapshotFiles, refusal};

/// One file of the directory.
#[derive(Debug)]
pub enum SnapshotFound {
    /// Read to its end, every checksum right.
    Whole(SnapshotMeta),
    /// Under a snapshot's name, and none: [`OpenError::Corrupt`] or [`OpenError::Newer`] with the
    /// place, or [`OpenError::Io`].
    Damaged(SnapshotName, OpenError),
    /// Anything else, by name: what a crash left behind (`.tmp`), or foreign.
    Stray(String),
}

impl SnapshotFiles {
    /// Reads every snapshot to its end, oldest first, and names what is none. The first part can
    /// read the whole ones; it should write none. A directory that does not exist has no snapshots.
    ///
    /// # Errors
    /// [`OpenError::Io`] if the directory cannot be listed.
    pub fn look(files: SharedFiles) -> Result<(Self, Vec<SnapshotFound>), OpenError> {
        let listed = match files.list(SNAPSHOT_DIR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(OpenError::io("list the snapshot directory"))?,
        };
        let mut found = Vec::new();
        let mut names = Vec::new();
        for file in listed {
            match file.strip_suffix(".snap").map(str::parse::<SnapshotName>) {
                Some(Ok(name)) => names.push(name),
                _ => found.push(SnapshotFound::Stray(file)),
            }
        }
        names.sort_by_key(SnapshotName::rank);
        found.extend(names.into_iter().map(|name| look_at(&files, name)));
        let whole = found.iter().filter_map(|found| match found {
            SnapshotFound::Whole(meta) => Some(meta.clone()),
            _ => None,
        });
        let held = Held {
            whole: whole.collect(),
            ..Held::default()
        };
        let snapshots = Self {
            inner: Arc::new(Inner {
                files,
                held: Mutex::new(held),
            }),
        };
        Ok((snapshots, found))
    }
}

fn look_at(files: &SharedFiles, name: SnapshotName) -> SnapshotFound {
    let file = name.file();
    let opened = files
        .open(&file)
        .map_err(OpenError::io(format!("open {file}")));
    let verified = opened.and_then(|opened| {
        format::verify(opened, Some(name)).map_err(|unreadable| refusal(&file, unreadable))
    });
    match verified {
        Ok(meta) => SnapshotFound::Whole(meta),
        Err(error) => SnapshotFound::Damaged(name, error),
    }
}
