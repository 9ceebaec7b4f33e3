//! What a stopped node holds, and how it goes on alone when its quorum is lost for good.
//!
//! Owns reading a data directory to the last entry of its log. It may not decide whether anything is
//! lost: it says what is here, the operator knows what else there was. Entries that were not known to
//! be committed here are kept: one of them may have been acknowledged, none of them contradicts.

use std::path::{Path, PathBuf};

use openraft::EntryPayload;

use crate::codec;
use crate::registry::{Entry, Registry};
use crate::store::files::SharedFiles;
use crate::store::identity::{Identity, IdentityFile};
use crate::store::log::LogStorage;
use crate::store::{Ancestry, Interrupted, Rebuild, SledLog, SnapshotFiles};

use super::super::records::{Position, from_record};
use super::super::snapshots::SnapshotFile;
use super::super::types::{Goal, LogEntry, LogId, Member, Membership};
use super::backup_file::members_of;
use super::founding::{Founded, Founding, FreshIds};
use super::{KnownMember, LastEntry, SuccessionError};

/// Bytes of the log read at a time.
const READ_BYTES: usize = 1 << 20;

/// What a directory was found as.
#[derive(Debug)]
pub enum Past {
    /// A stopped node.
    Stopped(Box<Survivor>),
    /// An interrupted command had made everything: its last steps were done now.
    Completed(Identity),
}

/// What a stopped node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurvivorReport {
    /// The cluster it was of.
    pub cluster: u128,
    /// Its own id.
    pub id: u64,
    /// The last entry of its log.
    pub last: LastEntry,
    /// An index it knew to be committed, up to a second old.
    pub committed: u64,
    /// The members as of its last entry, by id.
    pub members: Vec<KnownMember>,
    /// Instances in the state at the last entry.
    pub instances: u64,
    /// The state hash there.
    pub state_hash: u128,
}

/// A stopped node's directory, locked, with its state at the last entry of its log.
#[derive(Debug)]
pub struct Survivor {
    rebuild: Rebuild,
    identity: Identity,
    cluster: u128,
    me: Member,
    held: Held,
}

/// A state and how far it reaches.
#[derive(Debug)]
struct Held {
    registry: Registry,
    last: Option<LogId>,
    membership: Membership,
}

/// Reads the stopped node `name` at `root`.
///
/// # Errors
/// [`SuccessionError`]; the directory is as it was.
pub fn survivor_at(root: &Path, name: &str) -> Result<Past, SuccessionError> {
    let no_member = |reason: &str| SuccessionError::NoMember {
        dir: root.display().to_string(),
        reason: reason.to_owned(),
    };
    if !root.is_dir() {
        return Err(no_member("there is no such directory"));
    }
    let rebuild = Rebuild::open(root)?;
    let interrupted = rebuild
        .resume()
        .map_err(SuccessionError::io("complete an interrupted command"))?;
    let files = rebuild.files();
    let file = IdentityFile::open(SharedFiles::clone(&files))?
        .ok_or_else(|| no_member("it has no identity file"))?;
    let identity = file.get();
    if identity.name != name {
        return Err(SuccessionError::OtherName {
            stored: identity.name,
        });
    }
    if interrupted == Interrupted::Completed {
        return Ok(Past::Completed(identity));
    }
    let (Some(cluster), Some(id)) = (identity.cluster_id, identity.node_id) else {
        return Err(no_member("it has not been part of a cluster yet"));
    };
    let held = Held::read(root, &files, file)?;
    let me = held
        .membership
        .get_node(&id)
        .filter(|member| member.incarnation == identity.incarnation)
        .cloned()
        .ok_or_else(|| no_member("its last membership does not have it"))?;
    Ok(Past::Stopped(Box::new(Survivor {
        rebuild,
        identity,
        cluster,
        me,
        held,
    })))
}

impl Survivor {
    /// What is here.
    pub fn report(&self) -> SurvivorReport {
        let last = self.held.last.map(Position::from);
        SurvivorReport {
            cluster: self.cluster,
            id: self.me.id,
            last: last.map_or_else(LastEntry::default, |at| LastEntry {
                term: at.term,
                index: at.index,
            }),
            committed: self.identity.durable_mark,
            members: members_of(&self.held.membership),
            instances: self.held.registry.view().instance_count(),
            state_hash: self.held.registry.state_hash(),
        }
    }

    /// Where [`Survivor::force`] would keep what is here.
    pub fn kept(&self) -> PathBuf {
        self.rebuild.kept(&self.label())
    }

    /// Makes this node the only voter of a new cluster that holds what it holds, and the old cluster
    /// one that has ended. Killed at any step, it is run again.
    ///
    /// # Errors
    /// [`SuccessionError::Alone`] if there is nobody to go on without; the disk's.
    pub fn force(self, ids: FreshIds) -> Result<Founded, SuccessionError> {
        let voters: Vec<u64> = self.held.membership.voter_ids().collect();
        if voters == [self.me.id] {
            return Err(SuccessionError::Alone);
        }
        let last = self.report().last;
        let voted = self.identity.vote.map_or(0, |vote| vote.term);
        let label = self.label();
        let founding = Founding {
            cluster: ids.cluster,
            founder: Member {
                incarnation: ids.incarnation,
                goal: Goal::Stay,
                ..self.me
            },
            term: last.term.max(voted),
            ancestry: Ancestry::Forced {
                cluster: self.cluster,
                index: last.index,
            },
        };
        founding.replace(&self.rebuild, self.held.registry, &label)
    }

    fn label(&self) -> String {
        format!("force-{:08x}", self.cluster >> 96)
    }
}

impl Held {
    /// The newest snapshot and every entry behind it.
    fn read(root: &Path, files: &SharedFiles, file: IdentityFile) -> Result<Self, SuccessionError> {
        let log = SledLog::open(root, files, file)?;
        let bounds = log.bounds().map_err(SuccessionError::io("read the log"))?;
        let purged = bounds.purged.as_ref().map(|(index, _note)| *index);
        let snapshots = SnapshotFiles::open(SharedFiles::clone(files), purged)?;
        let mut held = match SnapshotFile::newest(&snapshots) {
            Some(file) => Self::from_snapshot(&file)?,
            None => Self {
                registry: Registry::new(),
                last: None,
                membership: Membership::default(),
            },
        };
        if held.is_continued_by(&log)? {
            held.replay(&log, bounds.last.unwrap_or(0))?;
        }
        LogStorage::close(&log).map_err(SuccessionError::io("close the log"))?;
        Ok(held)
    }

    fn from_snapshot(file: &SnapshotFile) -> Result<Self, SuccessionError> {
        let damaged = |error: std::io::Error| SuccessionError::damaged("snapshots", &error);
        let (covers, _removed) = file.covers().map_err(damaged)?;
        Ok(Self {
            registry: file.restore().map_err(damaged)?,
            last: covers.last_log_id,
            membership: covers.last_membership.membership().clone(),
        })
    }

    /// Whether the log goes on from the snapshot. An entry of another leader in the snapshot's place is
    /// what openraft would have removed next: the log gives way to the snapshot.
    fn is_continued_by(&self, log: &SledLog) -> Result<bool, SuccessionError> {
        let Some(last) = self.last else {
            return Ok(true);
        };
        let at = read(log, last.index())?;
        Ok(at.first().is_none_or(|entry| entry.log_id == last))
    }

    fn replay(&mut self, log: &SledLog, end: u64) -> Result<(), SuccessionError> {
        let mut next = self.last.map_or(0, |last| last.index() + 1);
        while next <= end {
            let entries = read(log, next)?;
            if entries.first().map(|entry| entry.log_id.index()) != Some(next) {
                let reason = format!("entry {next} is missing");
                return Err(SuccessionError::damaged("log", &reason));
            }
            for entry in entries {
                next = entry.log_id.index() + 1;
                self.apply(entry)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, entry: LogEntry) -> Result<(), SuccessionError> {
        let index = entry.log_id.index();
        match entry.payload {
            EntryPayload::Normal(blob) => {
                let entry: Entry = codec::decode(&blob.0, codec::ENTRY_MAX)
                    .map_err(SuccessionError::codec(format!("log entry {index}")))?;
                self.registry.apply_owned(index, entry);
            }
            EntryPayload::Membership(membership) => {
                self.membership = membership;
                self.registry.skip(index);
            }
            EntryPayload::Blank => self.registry.skip(index),
        }
        self.last = Some(entry.log_id);
        Ok(())
    }
}

/// Entries from `start` on, as many as are held up to about [`READ_BYTES`].
fn read(log: &SledLog, start: u64) -> Result<Vec<LogEntry>, SuccessionError> {
    let records = log
        .read(start..u64::MAX, READ_BYTES)
        .map_err(SuccessionError::io("read the log"))?;
    let entries = records.iter().map(|record| {
        from_record(record).map_err(SuccessionError::codec(format!(
            "log entry {}",
            record.index
        )))
    });
    entries.collect()
}
