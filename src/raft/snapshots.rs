//! Snapshots between the registry and its files.
//!
//! Owns how a registry is written to a snapshot and read back. It may not touch the running state: a
//! builder works on a copy taken before, a restored registry is handed over whole. Invariant: what is
//! handed to openraft is on disk and verified already.

use std::fmt;
use std::io;

use openraft::storage::RaftSnapshotBuilder;

use crate::codec::CodecError;
use crate::registry::{Registry, SnapshotData, SnapshotRecord};
use crate::store::snapshot_files::{SnapshotMeta, SnapshotName, SnapshotReader};
use crate::store::{SnapshotFiles, blocking};

use super::records::{Position, parse_snapshot_note, snapshot_note};
use super::removed::Removed;
use super::types::{RaftMeta, TypeConfig};

/// openraft's snapshot: what it covers, and ours.
pub(super) type Snapshot = openraft::alias::SnapshotOf<TypeConfig, Handover>;

/// A whole snapshot on disk.
#[derive(Clone)]
pub(super) struct SnapshotFile {
    pub(super) meta: SnapshotMeta,
    pub(super) files: SnapshotFiles,
}

impl fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {}", self.meta.name)
    }
}

/// A snapshot handed over for installing.
#[derive(Debug)]
pub(super) struct Handover {
    pub(super) file: SnapshotFile,
    /// Its registry, restored before, so that installing is a swap.
    pub(super) registry: Option<Box<Registry>>,
}

impl SnapshotFile {
    /// The newest snapshot of `files`, if there is one.
    pub(super) fn newest(files: &SnapshotFiles) -> Option<Self> {
        Some(Self {
            meta: files.latest()?,
            files: files.clone(),
        })
    }

    /// What it covers, and who was removed before.
    pub(super) fn covers(&self) -> io::Result<(RaftMeta, Vec<Removed>)> {
        covers(&self.meta)
    }

    /// Reads it into a registry. Blocks on the disk.
    pub(super) fn restore(&self) -> io::Result<Registry> {
        restore(self.files.read(&self.meta)?, &self.meta)
    }
}

/// What the snapshot `meta` covers, and who was removed before, by its own note.
pub(super) fn covers(meta: &SnapshotMeta) -> io::Result<(RaftMeta, Vec<Removed>)> {
    let (covers, removed) = parse_snapshot_note(&meta.note).map_err(|error| match error {
        CodecError::Newer { .. } => io::Error::new(
            io::ErrorKind::Unsupported,
            format!("snapshot {}: {error}", meta.name),
        ),
        _ => damaged(meta, &error),
    })?;
    let last = covers.last_log_id.map(Position::from);
    let (term, index) = last.map_or((0, 0), |at| (at.term, at.index));
    if (term, index) != (meta.name.term, meta.name.index) {
        return Err(damaged(
            meta,
            &format!("it covers entry {index} of term {term}"),
        ));
    }
    Ok((covers, removed))
}

/// Rebuilds the registry of the snapshot `meta`, and with it the state hash: a record at a time, so that
/// nothing but the new registry grows. Blocks on the disk.
pub(super) fn restore(mut reader: SnapshotReader, meta: &SnapshotMeta) -> io::Result<Registry> {
    let mut failed = None;
    let records = std::iter::from_fn(|| match reader.next::<SnapshotRecord>() {
        Ok(record) => record,
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let restored = Registry::restore(records);
    if let Some(error) = failed {
        return Err(error);
    }
    let registry = restored.map_err(|reason| damaged(meta, &reason))?;
    if registry.index() != meta.name.index {
        let reason = format!("it holds the state of index {}", registry.index());
        return Err(damaged(meta, &reason));
    }
    Ok(registry)
}

fn damaged(meta: &SnapshotMeta, reason: &dyn fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("snapshot {}: {reason}", meta.name),
    )
}

/// Writes out a copy of the state taken when it was made.
pub(super) struct SnapshotBuilder {
    pub(super) files: SnapshotFiles,
    pub(super) covers: RaftMeta,
    /// Who was removed up to there.
    pub(super) removed: Vec<Removed>,
    /// Taken by the one build.
    pub(super) data: Option<SnapshotData>,
    /// Whose build: tells two nodes' snapshots of one position apart.
    pub(super) builder: u64,
}

impl SnapshotBuilder {
    fn name(&self) -> SnapshotName {
        let last = self.covers.last_log_id.map(Position::from);
        let (term, index) = last.map_or((0, 0), |at| (at.term, at.index));
        SnapshotName {
            term,
            index,
            id: self.builder,
        }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = Handover;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let data = self
            .data
            .take()
            .ok_or_else(|| io::Error::other("a snapshot is built once"))?;
        let (files, name, covers) = (self.files.clone(), self.name(), self.covers.clone());
        let note = snapshot_note(&covers, std::mem::take(&mut self.removed));
        let meta = blocking(move || write(&files, name, &note, &data)).await?;
        let file = SnapshotFile {
            meta,
            files: self.files.clone(),
        };
        tracing::info!(snapshot = %file.meta.name, bytes = file.meta.size, "snapshot built");
        Ok(openraft::storage::Snapshot {
            meta: covers,
            snapshot: Handover {
                file,
                registry: None,
            },
        })
    }
}

/// Writes `data` as the snapshot `name`; it is the newest of `files` when this returns. Blocks.
pub(super) fn write(
    files: &SnapshotFiles,
    name: SnapshotName,
    note: &[u8],
    data: &SnapshotData,
) -> io::Result<SnapshotMeta> {
    let mut writer = files.begin(name, note)?;
    for record in data.records() {
        writer.append(&record)?;
    }
    writer.finish()
}
