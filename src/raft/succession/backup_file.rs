//! A backup, checked from its first byte to its state hash.
//!
//! Owns what a backup says and whether it is whole. It may not write anything.

use std::path::Path;

use crate::codec::Format;
use crate::registry::{Registry, SnapshotRecord};
use crate::store::snapshot_files::LooseSnapshot;

use super::super::records::{Position, parse_backup_note};
use super::super::types::{Membership, RaftMeta};
use super::{KnownMember, LastEntry, SuccessionError};

/// A backup, or a snapshot out of a data directory, found whole.
#[derive(Debug)]
pub struct BackupFile {
    file: LooseSnapshot,
    cluster: Option<u128>,
    covers: RaftMeta,
    registry: Registry,
}

impl BackupFile {
    /// Reads the file at `path` and checks all of it: every checksum, every count, every reference, and
    /// the state hash, computed anew. Takes as much memory as a node with that registry.
    ///
    /// # Errors
    /// [`SuccessionError::Open`] naming the damaged byte, [`SuccessionError::Damaged`] if whole records make
    /// no whole state.
    pub fn open(path: &Path) -> Result<Self, SuccessionError> {
        let file = LooseSnapshot::open(path)?;
        let shown = path.display().to_string();
        let (cluster, covers) =
            parse_backup_note(&file.meta().note).map_err(SuccessionError::codec(&shown))?;
        let registry = registry_of(&file, &shown)?;
        let last = covers.last_log_id.map_or(0, |last| last.index());
        if registry.index() != last || last != file.meta().name.index {
            let reason = format!("it covers entry {last} and holds {}", registry.index());
            return Err(SuccessionError::damaged(shown, &reason));
        }
        Ok(Self {
            file,
            cluster,
            covers,
            registry,
        })
    }

    /// The cluster it is of; a snapshot out of a data directory does not say.
    pub fn cluster(&self) -> Option<u128> {
        self.cluster
    }

    /// The last entry it covers.
    pub fn last(&self) -> LastEntry {
        last_entry(&self.covers)
    }

    /// The members at that entry, by id.
    pub fn members(&self) -> Vec<KnownMember> {
        members_of(self.covers.last_membership.membership())
    }

    /// The state it holds.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The state it holds, to be restored from.
    pub(super) fn into_registry(self) -> Registry {
        self.registry
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.file.meta().size
    }

    /// The versions of its parts, for people. Another version would not have been read.
    pub fn format(&self) -> String {
        format!(
            "snapshot header {}, record {}",
            Format::SNAPSHOT_HEADER.version,
            Format::SNAPSHOT_RECORD.version
        )
    }

    /// Its records.
    pub fn records(&self) -> u64 {
        self.file.meta().records
    }
}

pub(super) fn last_entry(covers: &RaftMeta) -> LastEntry {
    let last = covers.last_log_id.map(Position::from);
    last.map_or_else(LastEntry::default, |at| LastEntry {
        term: at.term,
        index: at.index,
    })
}

pub(super) fn members_of(membership: &Membership) -> Vec<KnownMember> {
    let voters: Vec<u64> = membership.voter_ids().collect();
    let members = membership.nodes().map(|(id, member)| KnownMember {
        member: member.clone(),
        voter: voters.contains(id),
    });
    members.collect()
}

fn registry_of(file: &LooseSnapshot, shown: &str) -> Result<Registry, SuccessionError> {
    let mut reader = file
        .read()
        .map_err(SuccessionError::io(format!("read {shown}")))?;
    let mut failed = None;
    let records = std::iter::from_fn(|| match reader.next::<SnapshotRecord>() {
        Ok(record) => record,
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let restored = Registry::restore(records);
    match failed {
        Some(error) => Err(SuccessionError::damaged(shown, &error)),
        None => restored.map_err(|reason| SuccessionError::damaged(shown, &reason)),
    }
}
