//! What Raft finds on disk when it starts.
//!
//! Owns the order in which log and newest snapshot are opened, and the checks of one against the other and
//! against the vote. It may not repair: what contradicts is for the operator, exit 77.

use std::sync::Arc;

use openraft::StorageHelper;
use openraft::storage::RaftLogStorage;

use crate::store::identity::StoredVote;

use super::RaftParts;
use super::error::StartError;
use super::failure::FailureCell;
use super::log_store::LogStore;
use super::records::Position;
use super::removed::RemovedMembers;
use super::start::builder_of;
use super::state_machine::{MachineParts, StateMachine};
use super::types::{LogId, Member, Membership};

/// The log and the state on disk.
pub(super) struct Disk {
    pub(super) log: LogStore,
    pub(super) machine: StateMachine,
    /// The last one known; empty at a first start.
    pub(super) membership: Membership,
}

impl Disk {
    /// Opens and checks both, and whether they are of one moment and of this node.
    pub(super) async fn open(
        parts: &RaftParts,
        failure: FailureCell,
        removed: RemovedMembers,
    ) -> Result<Self, StartError> {
        let storage = |error: std::io::Error| StartError::Storage(error.to_string());
        let log = LogStore::new(Arc::clone(&parts.log), failure.clone()).map_err(storage)?;
        let mut machine = StateMachine::open(MachineParts {
            snapshots: parts.snapshots.clone(),
            failure,
            removed,
            appended_bytes: log.appended_bytes(),
            builder: builder_of(parts.me.incarnation),
        })
        .await?;
        let mut reader = log.clone();
        let held = reader.get_log_state().await.map_err(storage)?.last_log_id;
        check_vote(log.vote(), "the log", held)?;
        check_vote(log.vote(), "the newest snapshot", machine.last())?;
        if let Some(last) = machine.last() {
            log.yield_to_snapshot(last).await.map_err(storage)?;
        }
        let membership = known_membership(&log, &mut machine).await?;
        check_membership(&membership, &parts.me)?;
        Ok(Self {
            log,
            machine,
            membership,
        })
    }
}

/// A number belongs to one data directory for ever: a membership that gives this node's to another came with a
/// snapshot or a log of another cluster.
fn check_membership(membership: &Membership, me: &Member) -> Result<(), StartError> {
    match membership.get_node(&me.id) {
        Some(bound) if bound.incarnation != me.incarnation => Err(StartError::Identity(format!(
            "the newest of snapshots/ and log/ gives number {} to incarnation {:032x}, and META.a and META.b are of {:032x}: they are not of one cluster",
            me.id, bound.incarnation, me.incarnation
        ))),
        _ => Ok(()),
    }
}

/// A node stores a leader's vote before anything of that leader's: what is newer than the vote came from
/// elsewhere, or the vote went back.
fn check_vote(
    vote: Option<StoredVote>,
    holder: &str,
    last: Option<LogId>,
) -> Result<(), StartError> {
    let Some(last) = last.map(Position::from) else {
        return Ok(());
    };
    // Before its first vote a node may be given a first membership, in term 0.
    let known = vote.map_or(0, |vote| vote.term);
    if known >= last.term {
        return Ok(());
    }
    Err(StartError::Identity(format!(
        "{holder} ends with entry {} of term {}, but META.a and META.b know of no vote above term {known}: \
         they are not of one moment",
        last.index, last.term
    )))
}

/// The membership on disk, the log's last one included; empty at a first start.
async fn known_membership(
    log: &LogStore,
    machine: &mut StateMachine,
) -> Result<Membership, StartError> {
    let mut log = log.clone();
    let known = StorageHelper::new(&mut log, machine).get_membership().await;
    let known = known.map_err(|error| StartError::Storage(error.to_string()))?;
    Ok(known.effective().membership().clone())
}
