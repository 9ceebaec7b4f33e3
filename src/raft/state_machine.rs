//! openraft's state machine on the registry.
//!
//! Owns the one pass of apply: decode, apply, publish, answer. It may not judge a command: that is the
//! registry's. Invariant: an entry that cannot be decoded stops the node; it is never skipped, or two
//! nodes of different releases would silently differ.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};

use crate::codec::{self, CodecError};
use crate::registry::{Entry, Outcome, SnapshotData};
use crate::store::{SnapshotFiles, blocking};

use super::error::{Failure, StartError};
use super::failure::FailureCell;
use super::hash_points::{HashPoint, is_point};
use super::removed::RemovedMembers;
use super::snapshots::{Handover, Snapshot, SnapshotBuilder, SnapshotFile};
use super::state_cell::StateCell;
use super::types::{LogEntry, LogId, Outcomes, RaftMeta, StoredMembership, TypeConfig};

/// Entries applied before their outcomes are shown and answered.
const ANSWER_EVERY: usize = 64;

/// What a state machine is made of.
pub(super) struct MachineParts {
    pub(super) snapshots: SnapshotFiles,
    pub(super) failure: FailureCell,
    /// Who was removed; shared with whoever refuses them.
    pub(super) removed: RemovedMembers,
    /// Counts bytes appended; set back when a snapshot is begun.
    pub(super) appended_bytes: Arc<AtomicU64>,
    /// Names this node's snapshots.
    pub(super) builder: u64,
}

/// A state that can be written out while the registry moves on.
pub(super) struct Picture {
    pub(super) covers: RaftMeta,
    pub(super) data: SnapshotData,
}

/// The state machine of one node.
pub(super) struct StateMachine {
    parts: MachineParts,
    cell: Arc<StateCell>,
    last: Option<LogId>,
    membership: StoredMembership,
    /// The last one installed, until a newer one is built.
    installed: Option<SnapshotFile>,
}

impl StateMachine {
    /// Restores the newest snapshot, if there is one.
    pub(super) async fn open(parts: MachineParts) -> Result<Self, StartError> {
        let Some(file) = SnapshotFile::newest(&parts.snapshots) else {
            return Ok(Self::empty(parts));
        };
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::Unsupported => StartError::Newer(error.to_string()),
            _ => StartError::Storage(error.to_string()),
        };
        let (covers, removed) = file.covers().map_err(unreadable)?;
        parts.removed.replace(removed);
        let registry = blocking(move || file.restore()).await.map_err(unreadable)?;
        Ok(Self {
            cell: Arc::new(StateCell::new(registry)),
            last: covers.last_log_id,
            membership: covers.last_membership,
            installed: None,
            parts,
        })
    }

    fn empty(parts: MachineParts) -> Self {
        Self {
            parts,
            cell: Arc::new(StateCell::new(crate::registry::Registry::new())),
            last: None,
            membership: StoredMembership::default(),
            installed: None,
        }
    }

    /// The last entry the state reflects.
    pub(super) fn last(&self) -> Option<LogId> {
        self.last
    }

    #[cfg(test)]
    pub(super) fn failure(&self) -> &FailureCell {
        &self.parts.failure
    }

    /// The applied state, for readers.
    pub(super) fn cell(&self) -> Arc<StateCell> {
        Arc::clone(&self.cell)
    }

    fn apply_one(&mut self, entry: LogEntry) -> io::Result<Vec<Outcome>> {
        let id = entry.log_id;
        if self.last.is_some_and(|last| id.index() <= last.index()) {
            let again = format!("log entry {} was to be applied again", id.index());
            return Err(io::Error::new(io::ErrorKind::InvalidData, again));
        }
        let outcomes = match entry.payload {
            EntryPayload::Normal(blob) => self.apply_commands(id.index(), &blob.0)?,
            EntryPayload::Blank => self.skip(id.index()),
            EntryPayload::Membership(membership) => {
                let before = self.membership.membership();
                self.parts.removed.learn(before, &membership, id.index());
                self.membership = StoredMembership::new(Some(id), membership);
                self.skip(id.index())
            }
        };
        self.cell.note_hash();
        self.last = Some(id);
        Ok(outcomes)
    }

    fn apply_commands(&self, index: u64, bytes: &[u8]) -> io::Result<Vec<Outcome>> {
        let entry: Entry = codec::decode(bytes, codec::ENTRY_MAX).map_err(|error| {
            let what = format!("log entry {index} cannot be applied: {error}");
            self.parts.failure.fail(match error {
                CodecError::Newer { .. } => Failure::Newer(what.clone()),
                // A variant this release does not know looks the same as damage; both stop.
                _ => Failure::Storage(what.clone()),
            });
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        let _note = self.parts.failure.while_in("apply");
        self.cell.note_entry_wall_ms(entry.at.wall_ms);
        let commands = entry.commands.len();
        let mut registry = self.cell.registry();
        let before_ms = registry.lease_ms();
        let outcomes = registry.apply_owned(index, entry);
        if is_point(before_ms, registry.lease_ms()) {
            let hash = registry.state_hash();
            self.cell.note_point(HashPoint { index, hash });
        }
        drop(registry);
        assert_eq!(
            outcomes.len(),
            commands,
            "apply gives one outcome a command"
        );
        Ok(outcomes)
    }

    /// Raft's own entries; the log's first one has index 0, at which a registry begins.
    fn skip(&self, index: u64) -> Vec<Outcome> {
        if index > 0 {
            let _note = self.parts.failure.while_in("apply");
            self.cell.registry().skip(index);
        }
        Vec::new()
    }

    /// Shows what has been applied, and only then tells who waits.
    fn answer(&self, answers: &mut Vec<(ApplyResponder<TypeConfig>, Vec<Outcome>)>) {
        if let Some(last) = self.last {
            self.cell.publish(last.index());
        }
        for (responder, outcomes) in answers.drain(..) {
            responder.send(Outcomes(outcomes));
        }
    }

    /// The state and what it covers, of one moment between two entries.
    pub(super) fn picture(&self) -> Picture {
        Picture {
            covers: self.covers(),
            data: self.cell.registry().snapshot(),
        }
    }

    fn covers(&self) -> RaftMeta {
        RaftMeta {
            last_log_id: self.last,
            last_membership: self.membership.clone(),
        }
    }

    /// The newest of what was built or received, and what was installed.
    fn newest(&self) -> Option<SnapshotFile> {
        let held = SnapshotFile::newest(&self.parts.snapshots);
        held.into_iter()
            .chain(self.installed.clone())
            .max_by_key(|file| file.meta.name.index)
    }

    fn builder(&self) -> SnapshotBuilder {
        self.parts.appended_bytes.store(0, Ordering::Relaxed);
        SnapshotBuilder {
            files: self.parts.snapshots.clone(),
            covers: self.covers(),
            removed: self.parts.removed.all(),
            data: Some(self.cell.registry().snapshot()),
            builder: self.parts.builder,
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Handover;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut answers = Vec::new();
        let mut unseen = 0;
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let outcomes = self.apply_one(entry)?;
            answers.extend(responder.map(|responder| (responder, outcomes)));
            unseen += 1;
            if unseen >= ANSWER_EVERY {
                self.answer(&mut answers);
                unseen = 0;
            }
        }
        self.answer(&mut answers);
        Ok(())
    }

    /// Declines when nothing has been applied since the newest snapshot.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<SnapshotBuilder> {
        let covered = self.newest().map(|file| file.meta.name.index);
        let nothing_new = covered.is_some() && covered >= self.last.map(|last| last.index());
        (force || !nothing_new).then(|| self.builder())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.builder()
    }

    async fn install_snapshot(
        &mut self,
        meta: &RaftMeta,
        handover: Handover,
    ) -> Result<(), io::Error> {
        let Handover { file, registry } = handover;
        let registry = match registry {
            Some(registry) => *registry,
            None => {
                let file = file.clone();
                blocking(move || file.restore()).await?
            }
        };
        let (_covers, removed) = file.covers()?;
        self.parts.removed.replace(removed);
        self.last = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        let index = meta.last_log_id.map_or(0, |last| last.index());
        let old = self.cell.replace(registry, index);
        // Not waited for: until this function returns, this node answers no leader.
        drop(tokio::spawn(blocking(move || drop(old))));
        tracing::info!(snapshot = %file.meta.name, "snapshot installed");
        self.installed = Some(file);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let Some(file) = self.newest() else {
            return Ok(None);
        };
        let (meta, _removed) = file.covers()?;
        Ok(Some(openraft::storage::Snapshot {
            meta,
            snapshot: Handover {
                file,
                registry: None,
            },
        }))
    }
}
