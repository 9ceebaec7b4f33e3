//! A data directory that begins a cluster with a registry in it.
//!
//! Owns the identity, the snapshot and the empty log of the one voter it begins with, and the way from a
//! backup to them. It may not reuse an id: cluster and incarnation are new, and the index is raised, so
//! that neither an old node nor an old cursor is ever taken for one of the new cluster's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::registry::Registry;
use crate::store::files::SharedFiles;
use crate::store::identity::{IdentityFile, PlannedMember, StoredVote};
use crate::store::log::LogStorage;
use crate::store::snapshot_files::SnapshotName;
use crate::store::{Ancestry, DirFiles, Interrupted, Rebuild, SledLog, SnapshotFiles};

use super::super::records::{Position, purge_note, snapshot_note};
use super::super::snapshots;
use super::super::start::builder_of;
use super::super::types::{Goal, LogId, Member, Membership, RaftMeta, StoredMembership};
use super::{BackupFile, SuccessionError};

/// The id of a restored node: the cluster begins with it.
const FIRST_ID: u64 = 1;

/// Two numbers that nobody else has, from the caller's source of randomness.
#[derive(Debug, Clone, Copy)]
pub struct FreshIds {
    /// The new cluster's.
    pub cluster: u128,
    /// The new data directory's.
    pub incarnation: u128,
}

/// What was founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// The new cluster.
    pub cluster: u128,
    /// Its first voter's name.
    pub name: String,
    /// The index it begins at.
    pub index: u64,
    /// Its instances.
    pub instances: u64,
    /// Where what was there before is kept, if there was something.
    pub kept: Option<PathBuf>,
}

/// Where to restore to, and as whom.
#[derive(Debug, Clone)]
pub struct RestoreOrder {
    /// An empty or absent directory.
    pub data_dir: PathBuf,
    /// The name of the node that will run on it.
    pub name: String,
    /// Where its peers will reach it, `host:port`.
    pub peer_addr: String,
    /// Where its clients will reach it, `http://host:port`.
    pub http_addr: String,
}

/// Makes a new cluster of one node from `backup`, in an empty directory. Killed at any step, it is run
/// again.
///
/// # Errors
/// [`SuccessionError::NotEmpty`], and nothing has changed; [`SuccessionError::Open`], [`SuccessionError::Io`].
pub fn restore(
    backup: BackupFile,
    order: &RestoreOrder,
    ids: FreshIds,
) -> Result<Founded, SuccessionError> {
    let rebuild = Rebuild::open(&order.data_dir)?;
    let io = |what: &str| SuccessionError::io(format!("{what} {}", order.data_dir.display()));
    let interrupted = rebuild.resume().map_err(io("complete"))?;
    if interrupted == Interrupted::Completed
        && let Some(founded) = completed(&rebuild, &backup, &order.name)?
    {
        return Ok(founded);
    }
    if let Some(found) = rebuild.content().map_err(io("list"))?.first() {
        return Err(SuccessionError::NotEmpty {
            dir: order.data_dir.display().to_string(),
            found: found.clone(),
        });
    }
    let ancestry = ancestry_of(&backup);
    let term = backup.last().term;
    let founder = Member {
        id: FIRST_ID,
        name: order.name.clone(),
        incarnation: ids.incarnation,
        peer_addr: order.peer_addr.clone(),
        http_addr: order.http_addr.clone(),
        goal: Goal::Stay,
    };
    let founding = Founding {
        cluster: ids.cluster,
        founder,
        term,
        ancestry,
    };
    founding.replace(&rebuild, backup.into_registry(), "restore")
}

/// What an earlier run made of the same backup under the same name, if it did.
fn completed(
    rebuild: &Rebuild,
    backup: &BackupFile,
    name: &str,
) -> Result<Option<Founded>, SuccessionError> {
    let files = rebuild.files();
    let ancestry = Ancestry::read(&files)?;
    let identity = IdentityFile::open(files)?.map(|file| file.get());
    let (Some(ancestry), Some(identity)) = (ancestry, identity) else {
        return Ok(None);
    };
    let same = ancestry == ancestry_of(backup) && identity.name == name;
    let founded = identity.cluster_id.map(|cluster| Founded {
        cluster,
        name: identity.name,
        index: identity.durable_mark,
        instances: backup.registry().view().instance_count(),
        kept: None,
    });
    Ok(founded.filter(|_| same))
}

fn ancestry_of(backup: &BackupFile) -> Ancestry {
    Ancestry::Restored {
        cluster: backup.cluster(),
        index: backup.last().index,
    }
}

/// A cluster that is about to begin.
pub(super) struct Founding {
    pub(super) cluster: u128,
    pub(super) founder: Member,
    /// The last term of the old cluster: votes go on from it.
    pub(super) term: u64,
    pub(super) ancestry: Ancestry,
}

impl Founding {
    /// Makes the directory's new content and puts it in place; what was there is kept by `label`.
    pub(super) fn replace(
        self,
        rebuild: &Rebuild,
        registry: Registry,
        label: &str,
    ) -> Result<Founded, SuccessionError> {
        let io = |what: &str| SuccessionError::io(format!("{what} {}", rebuild.root().display()));
        let registry = registry.begin_new_history();
        let had_content = !rebuild.content().map_err(io("list"))?.is_empty();
        let staging = rebuild.begin().map_err(io("begin in"))?;
        if let Err(error) = self.fill(&staging, &registry) {
            // The first error is the one to tell.
            drop(rebuild.abandon());
            return Err(error);
        }
        rebuild
            .install(label)
            .map_err(io("replace the content of"))?;
        Ok(Founded {
            cluster: self.cluster,
            name: self.founder.name,
            index: registry.index(),
            instances: registry.view().instance_count(),
            kept: had_content.then(|| rebuild.kept(label)),
        })
    }

    /// Identity, snapshot, log: all synced when this returns.
    fn fill(&self, staging: &Path, registry: &Registry) -> Result<(), SuccessionError> {
        let files: SharedFiles = Arc::new(DirFiles::open(staging)?);
        let founder = &self.founder;
        let identity =
            IdentityFile::create(Arc::clone(&files), &founder.name, founder.incarnation)?;
        let at = Position {
            term: self.term,
            node: founder.id,
            index: registry.index(),
        };
        let last = LogId::from(at);
        self.write_snapshot(&files, registry, last)?;
        let log = SledLog::open(staging, &files, identity.clone())?;
        log.purge_upto(at.index, purge_note(last));
        LogStorage::close(&log).map_err(SuccessionError::io("close the new log"))?;
        let updated = identity.update(|identity| {
            identity.cluster_id = Some(self.cluster);
            identity.node_id = Some(founder.id);
            identity.plan = vec![planned(founder)];
            identity.vote = Some(StoredVote {
                term: at.term,
                node_id: founder.id,
                committed: true,
            });
            identity.durable_mark = at.index;
        });
        updated.map_err(SuccessionError::io("write the new identity"))?;
        self.ancestry
            .write(&files)
            .map_err(SuccessionError::io("write ANCESTRY"))
    }

    fn write_snapshot(
        &self,
        files: &SharedFiles,
        registry: &Registry,
        last: LogId,
    ) -> Result<(), SuccessionError> {
        let founder = &self.founder;
        let members = BTreeMap::from([(founder.id, founder.clone())]);
        let membership = Membership::new(vec![BTreeSet::from([founder.id])], members)
            .expect("its one voter is its one member");
        let covers = RaftMeta {
            last_log_id: Some(last),
            last_membership: StoredMembership::new(Some(last), membership),
        };
        let name = SnapshotName {
            term: self.term,
            index: last.index(),
            id: builder_of(founder.incarnation),
        };
        let snapshots = SnapshotFiles::open(Arc::clone(files), None)?;
        snapshots::write(
            &snapshots,
            name,
            // The new cluster has no former members: its ids begin anew, under another cluster id.
            &snapshot_note(&covers, Vec::new()),
            &registry.snapshot(),
        )
        .map(drop)
        .map_err(SuccessionError::io("write the first snapshot"))
    }
}

fn planned(founder: &Member) -> PlannedMember {
    PlannedMember {
        id: founder.id,
        name: founder.name.clone(),
        incarnation: founder.incarnation,
        peer_addr: founder.peer_addr.clone(),
        http_addr: founder.http_addr.clone(),
    }
}
