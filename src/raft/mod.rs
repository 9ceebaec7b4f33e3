//! Raft: the log that every node agrees on, and the connections it travels on.
//!
//! Owns the only use of openraft, the peers' connections, proposals and the read index. It may not
//! know a Eureka document or a route, and what an entry means only by handing it to the registry.
//!
//! A proposal goes [`Raft::propose`] → openraft → `log_store` (synced) and `peer::log_channel`
//! (followers) → `state_machine` (applied, published) → back. A read goes [`Raft::read_index`] →
//! `read_index` (one round for all that wait) → the leader → [`Raft::applied`].

mod backup;
mod change;
mod compaction;
mod disk;
mod double;
mod error;
mod failure;
mod gate;
mod hash_points;
mod inbound;
mod keeper;
mod log_store;
mod look;
mod memories;
mod network;
mod peer;
mod read_index;
mod records;
mod removed;
mod service;
mod settings;
mod snapshots;
mod start;
mod state_cell;
mod state_hashes;
mod state_machine;
mod status;
#[cfg(test)]
mod storage_suite;
pub mod succession;
mod suspects;
mod types;
#[cfg(test)]
mod unknown_entries;
mod watcher;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, InitializeError as CoreInitializeError, RaftError};
use openraft::impls::OneshotResponder;
use openraft::vote::RaftLeaderId;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::codec;
use crate::registry::{Entry, Outcome};
use crate::store::log::LogStorage;
use crate::store::{MemoryFile, SnapshotFiles, blocking};

use failure::FailureCell;
use inbound::Inbound;
use keeper::Keeper;
use peer::{Answer, Question};
use read_index::ReadQueue;
use removed::RemovedMembers;
use service::Core;
use suspects::Suspects;
use types::{Blob, LeaderId};
use watcher::Members;

pub use backup::{BACKUPS_MAX, Backup, BackupError};
pub use change::{ChangeError, FIRST_LATER_ID, MemberChange};
pub use error::{
    CallError, Divergence, Failure, InitializeError, MeetError, ProposeError, ReadIndexError,
    StartError, TransferError,
};
pub use hash_points::{HASH_POINTS_MAX, HashPoint};
pub use look::{
    CoveredView, EntryContent, EntryView, LogPosition, MembershipView, look_at_purge,
    look_at_record, look_at_snapshot, restore,
};
pub use peer::{HandshakeRefusal, PeerHandler, PeerIdentity, Peers, Refusal};
pub use settings::RaftSettings;
pub use state_cell::StateCell;
pub use status::{Leadership, MemberView, RaftStatus, Receiving, Role};
pub use suspects::Accused;
pub use types::{Goal, Member};

/// Reads that may wait for an index at once.
pub const READS_WAITING_MAX: usize = 65_536;
/// How long a hand-over of leadership may take.
const TRANSFER_MAX: Duration = Duration::from_secs(3);

/// What Raft is built from.
pub struct RaftParts {
    /// This node.
    pub me: Member,
    /// The cluster.
    pub cluster_id: u128,
    /// How it behaves.
    pub settings: RaftSettings,
    /// The log and the vote.
    pub log: Arc<dyn LogStorage>,
    /// The snapshots.
    pub snapshots: SnapshotFiles,
    /// What this node remembers of the others.
    pub memory: MemoryFile,
    /// The connections, listening already, and knowing cluster and id of this node.
    pub peers: Peers,
}

/// A voter not heard of for longer is not handed leadership.
const ALIVE_MS_MAX: u64 = 2_000;

/// Whether this node stands for election when it hears of no leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Candidacy {
    /// It does.
    #[default]
    Allowed,
    /// It leaves it to the others. It votes all the same.
    Withheld,
    /// As [`Candidacy::Withheld`], and nothing changes that any more: it is about to stop.
    Over,
}

/// An entry that was committed and applied here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Its index.
    pub index: u64,
    /// What became of each of its commands, in order.
    pub outcomes: Vec<Outcome>,
}

/// A running Raft; cheap to clone.
#[derive(Clone)]
pub struct Raft {
    inner: Arc<Inner>,
}

struct Inner {
    core: Core,
    me: u64,
    cluster_id: u128,
    peers: Peers,
    cell: Arc<StateCell>,
    inbound: Arc<Inbound>,
    members: Members,
    leadership: watch::Receiver<Leadership>,
    reads: ReadQueue,
    read_rounds: Arc<AtomicU64>,
    removed: RemovedMembers,
    failure: FailureCell,
    suspects: Suspects,
    keeper: Arc<Keeper>,
    /// A place for each backup that is being taken.
    backups: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    candidacy: watch::Sender<Candidacy>,
    snapshots: SnapshotFiles,
    /// Bytes of entries appended since the last snapshot was begun.
    appended_bytes: Arc<AtomicU64>,
    /// Aborted when the last handle is dropped; awaited by `shutdown`.
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl Raft {
    /// Starts on what is on disk: the state of the newest snapshot, and the log behind it.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(parts: RaftParts) -> Result<Self, StartError> {
        Ok(Self {
            inner: Arc::new(start::start(parts).await?),
        })
    }

    /// This node's id.
    pub fn me(&self) -> u64 {
        self.inner.me
    }

    /// Makes the first membership of a new cluster; done already is fine.
    ///
    /// # Errors
    /// [`InitializeError`].
    pub async fn initialize(&self, members: Vec<Member>) -> Result<(), InitializeError> {
        let count = members.len();
        let by_id = members.into_iter().map(|member| (member.id, member));
        let members: BTreeMap<u64, Member> = by_id.collect();
        if members.len() != count || !members.contains_key(&self.me()) {
            return Err(InitializeError::NotAMember);
        }
        match self.inner.core.initialize(members).await {
            // Nobody else can lead yet: standing for election at once saves the timeout.
            Ok(()) => self
                .inner
                .core
                .trigger()
                .elect(false)
                .await
                .map_err(|_stopped| InitializeError::Stopped),
            Err(RaftError::APIError(CoreInitializeError::NotAllowed(_))) => Ok(()),
            Err(RaftError::APIError(CoreInitializeError::NotInMembers(_))) => {
                Err(InitializeError::NotAMember)
            }
            Err(RaftError::Fatal(_)) => Err(InitializeError::Stopped),
        }
    }

    /// Who leads, as it changes. The sender goes when Raft has ended.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Puts `entry` into the log of `term`, which this node must lead, and applies it.
    ///
    /// # Errors
    /// [`ProposeError`]. Dropping the future leaves the outcome unknown.
    pub async fn propose(&self, term: u64, entry: &Entry) -> Result<Proposed, ProposeError> {
        let bytes = codec::encode(entry);
        if bytes.len() - codec::ENVELOPE_BYTES > codec::ENTRY_MAX {
            return Err(ProposeError::NotExecuted);
        }
        let (responder, outcome) = OneshotResponder::new_pair();
        let write = self.inner.core.write(Blob(Bytes::from(bytes)));
        let leader = LeaderId::new(term, self.me());
        let write = write.with_leader(leader).responder(responder);
        write.await.map_err(|_stopped| ProposeError::Stopped)?;
        match outcome.await {
            Ok(Ok(done)) => Ok(Proposed {
                index: done.log_id.index(),
                outcomes: done.data.0,
            }),
            // Its place in the log was given to another leader's entry, or may yet be committed.
            Ok(Err(ClientWriteError::LogEntryDiscarded(_))) => Err(ProposeError::Unknown),
            Ok(Err(_)) => Err(ProposeError::NotExecuted),
            Err(_gone) => Err(ProposeError::Unknown),
        }
    }

    /// An index that covers everything acknowledged before this call, on any node.
    ///
    /// # Errors
    /// [`ReadIndexError`].
    pub async fn read_index(&self) -> Result<u64, ReadIndexError> {
        self.inner.reads.read_index().await
    }

    /// Rounds of the read index begun here so far.
    pub fn read_rounds(&self) -> u64 {
        self.inner.read_rounds.load(Ordering::Relaxed)
    }

    /// Resolves when this node has applied `index`; pends if Raft stops before. Callers put deadlines.
    pub async fn applied(&self, index: u64) {
        // The sender lives in the cell, as long as this handle.
        let _ = self
            .inner
            .cell
            .applied_index()
            .wait_for(|applied| *applied >= index)
            .await;
    }

    /// The applied state.
    pub fn state(&self) -> &StateCell {
        &self.inner.cell
    }

    /// Roles, indexes, members.
    pub fn status(&self) -> RaftStatus {
        let metrics = self.inner.core.metrics();
        let metrics = metrics.borrow_watched();
        let mut status = watcher::status(&metrics, self.me(), |node| {
            let ago = self.inner.peers.heard_ago(node)?;
            Some(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX))
        });
        drop(metrics);
        // The metrics follow a little later.
        status.applied = status
            .applied
            .max(*self.inner.cell.applied_index().borrow());
        status.committed = status.committed.max(status.applied);
        status.last = status.last.max(status.applied);
        status.receiving = self.inner.inbound.progress();
        status.snapshots_refused = self.inner.inbound.refused();
        status
    }

    /// Asks the member `node` on the application's channel.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::NotSent`] also if there is no such member.
    pub async fn call(
        &self,
        node: u64,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let member = self.inner.members.get(node).ok_or(CallError::NotSent)?;
        match self
            .inner
            .peers
            .ask(&member, Question::App(Blob(request)), deadline)
            .await?
        {
            Answer::App(Blob(bytes)) => Ok(bytes),
            _ => Err(CallError::Unknown),
        }
    }

    /// Asks whoever listens at `addr`, on the application's channel.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_addr(
        &self,
        addr: &str,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let answered = self.inner.peers.call_addr(addr, request, deadline).await;
        answered.map(|(_from, answer)| answer)
    }

    /// Who listens at `addr`, by its handshake.
    ///
    /// # Errors
    /// [`MeetError`].
    pub async fn meet(&self, addr: &str) -> Result<PeerIdentity, MeetError> {
        self.inner.peers.meet(addr).await
    }

    /// Hands leadership to `to`, or to the voter that holds most; returns the new leader.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn transfer_leadership(&self, to: Option<u64>) -> Result<u64, TransferError> {
        let status = self.status();
        if status.leader != Some(self.me()) {
            return Err(TransferError::NotLeader);
        }
        let others = status
            .members
            .iter()
            .filter(|view| view.voter && view.member.id != self.me());
        let target = match to {
            Some(to) => others.map(|view| view.member.id).find(|id| *id == to),
            // On an idle cluster a dead voter may hold as much as a living one.
            None => others
                .filter(|view| view.heard_ms_ago.is_some_and(|ago| ago <= ALIVE_MS_MAX))
                .max_by_key(|view| (view.matched, Reverse(view.heard_ms_ago)))
                .map(|view| view.member.id),
        };
        let target = target.ok_or(TransferError::NoTarget)?;
        let asked = self.inner.core.trigger().transfer_leader(target).await;
        asked.map_err(|_stopped| TransferError::Stopped)?;
        let mut leadership = self.leadership();
        let taken = leadership.wait_for(|now| now.leader.is_some_and(|leader| leader != self.me()));
        match timeout(TRANSFER_MAX, taken).await {
            Ok(Ok(now)) => now.leader.ok_or(TransferError::TimedOut),
            Ok(Err(_ended)) => Err(TransferError::Stopped),
            Err(_late) => Err(TransferError::TimedOut),
        }
    }

    /// From now on this node stands for election or not. Before it may vote at all it does not, and once
    /// that is [`Candidacy::Over`] it never does.
    pub fn set_candidacy(&self, candidacy: Candidacy) {
        self.inner.candidacy.send_if_modified(|now| {
            *now != Candidacy::Over && std::mem::replace(now, candidacy) != candidacy
        });
    }

    /// Gives up leadership for certain: asks `to`, or the voter that holds most, to take over, and shows
    /// no sign of life until somebody has. Returns when another term has begun.
    ///
    /// # Errors
    /// [`TransferError::NotLeader`]; [`TransferError::Stopped`].
    pub async fn step_aside(&self, to: Option<u64>) -> Result<(), TransferError> {
        let mut leadership = self.leadership();
        let left = leadership.borrow_and_update().term;
        self.inner.core.runtime_config().heartbeat(false);
        let asked = self.transfer_leadership(to).await;
        // Who was asked and did not take over leaves a leader that may not propose: the others' election
        // timeout is what ends that, so this leader stays silent until it has.
        let gone = match asked {
            Err(TransferError::NotLeader) => Err(TransferError::NotLeader),
            _ => leadership
                .wait_for(|now| now.term > left)
                .await
                .map(drop)
                .map_err(|_ended| TransferError::Stopped),
        };
        self.inner.core.runtime_config().heartbeat(true);
        gone
    }

    /// Bytes of entries that a snapshot would save.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.inner.appended_bytes.load(Ordering::Relaxed)
    }

    /// About how many bytes the next snapshot takes on disk: a quarter and 64 KiB more than the last one.
    pub fn snapshot_bytes_next(&self) -> u64 {
        let last = self.inner.snapshots.latest().map_or(0, |meta| meta.size);
        last.saturating_add(last / 4).saturating_add(64 << 10)
    }

    /// Builds a snapshot and purges everything it covers, whatever the settings would keep; of older
    /// snapshots only the newest is there meanwhile.
    pub async fn compact(&self) {
        let snapshots = self.inner.snapshots.clone();
        if let Err(error) = blocking(move || snapshots.keep_newest()).await {
            tracing::warn!(%error, "an older snapshot could not be removed");
        }
        self.snapshot_now().await;
        let covered = compaction::snapshot_index(&self.inner.core);
        // An error means that Raft has ended, and its log with it.
        let _ = self.inner.core.trigger().purge_log(covered).await;
    }

    /// Builds a snapshot of what is applied, and purges what it covers. Returns when it is on disk, or
    /// when Raft has ended.
    pub async fn snapshot_now(&self) {
        let wanted = *self.inner.cell.applied_index().borrow();
        let mut metrics = self.inner.core.metrics();
        if self.inner.core.trigger().snapshot().await.is_err() {
            return;
        }
        while metrics
            .borrow_and_update()
            .snapshot
            .is_none_or(|last| last.index() < wanted)
        {
            if metrics.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stops. The log and the connections are closed by whoever opened them.
    pub async fn shutdown(self) {
        self.inner.stopping.send_replace(true);
        self.inner.keeper.finish().await;
        if let Err(error) = self.inner.core.shutdown().await {
            tracing::warn!(%error, "Raft did not end by itself");
        }
        let mut tasks = self.inner.tasks.lock().await;
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
    }

    /// Ends this node's Raft for a reason that was found above it; the first one counts.
    pub fn give_up(&self, failure: Failure) {
        self.inner.failure.fail(failure);
    }

    /// Set once, when Raft is dead for good: the process must end.
    pub fn failure(&self) -> watch::Receiver<Option<Failure>> {
        self.inner.failure.subscribe()
    }
}

impl std::fmt::Debug for Raft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raft")
            .field("me", &self.me())
            .finish_non_exhaustive()
    }
}
