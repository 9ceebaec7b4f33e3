//! What peers may ask of this node's Raft.
//!
//! Owns the way of a peer's message to openraft, and what is remembered of each peer. It may not open
//! a connection. Invariant: no message of a peer reaches openraft before the start gate lets it.

use std::io::ErrorKind;
use std::sync::Arc;

use futures_util::stream::{BoxStream, Stream, StreamExt};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use tokio::sync::watch;

use crate::store::blocking;
use crate::store::identity::StoredVote;
use crate::store::peer_memory::Memory;
use crate::store::snapshot_files::SnapshotReceiver;

use super::error::Failure;
use super::failure::FailureCell;
use super::gate::StartGate;
use super::inbound::{Inbound, Prepared};
use super::log_store::LogStore;
use super::memories::Memories;
use super::peer::{
    Answer, Append, AppendResult, Appended, Ballot, Candidacy, HandshakeRefusal, Past,
    PeerIdentity, Question, Refusal, TakeOver,
};
use super::read_index::ReadQueue;
use super::records::{to_stored_vote, to_vote};
use super::removed::RemovedMembers;
use super::snapshots::{Handover, SnapshotFile};
use super::state_machine::StateMachine;
use super::status::Leadership;
use super::suspects::Suspects;
use super::types::{LogId, RaftMeta, TypeConfig};

/// openraft itself.
pub(super) type Core = openraft::Raft<TypeConfig, StateMachine>;

/// What is held against a member whose directory is an older copy.
const GONE_BACK: &str = "its data directory has gone back in time: it is an older copy, or lost what it had acknowledged";
/// What is held against a member whose directory is another one.
pub(super) const FOREIGN: &str =
    "its data directory is empty or another one than the cluster knows";

/// One node's Raft, for its peers.
pub(super) struct RaftService {
    pub(super) core: Core,
    pub(super) me: u64,
    pub(super) log: LogStore,
    pub(super) inbound: Arc<Inbound>,
    pub(super) gate: StartGate,
    pub(super) reads: ReadQueue,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) failure: FailureCell,
    pub(super) removed: RemovedMembers,
    /// What is remembered of each incarnation.
    pub(super) memories: Memories,
    /// Members whose directory is not the one the cluster knows.
    pub(super) suspects: Suspects,
}

impl RaftService {
    /// What this node can prove of its own past.
    pub(super) fn past(&self) -> Past {
        let snapshot = self
            .inbound
            .files()
            .latest()
            .map_or(0, |meta| meta.name.index);
        // A log that cannot tell has failed: the node is about to end, and claims nothing.
        let reach = self.log.reach().unwrap_or(0).max(snapshot);
        Past {
            vote: self.log.vote(),
            mark: self.log.mark(),
            reach,
        }
    }

    /// What is remembered of a member. A leader also knows what it has acknowledged.
    pub(super) fn remembered(&self, node_id: u64, incarnation: u128) -> Memory {
        let mut memory = self.memories.of(incarnation);
        let metrics = self.core.metrics();
        let now = metrics.borrow_watched();
        let bound = now.membership_config.membership().get_node(&node_id);
        let matched = now
            .replication
            .as_ref()
            .and_then(|all| all.get(&node_id).copied().flatten());
        if let (Some(matched), true) = (
            matched,
            bound.is_some_and(|member| member.incarnation == incarnation),
        ) {
            let committed = now
                .cluster_committed
                .map_or(0, |committed| committed.index());
            memory.acknowledged(matched.index().min(committed));
        }
        memory
    }

    /// Whether `peer` may speak with this node's Raft, by what it says of itself.
    pub(super) fn admit(
        &self,
        peer: &PeerIdentity,
        past: Option<&Past>,
    ) -> Result<(), HandshakeRefusal> {
        let (Some(node_id), Some(past)) = (peer.node_id, past) else {
            return Err(HandshakeRefusal::NoCluster);
        };
        let metrics = self.core.metrics();
        let bound = metrics
            .borrow_watched()
            .membership_config
            .membership()
            .get_node(&node_id)
            .cloned();
        if bound.is_some_and(|member| member.incarnation != peer.incarnation) {
            return Err(HandshakeRefusal::ForeignIncarnation);
        }
        if self.remembered(node_id, peer.incarnation).contradicts(past) {
            return Err(HandshakeRefusal::IWentBack);
        }
        Ok(())
    }

    /// Notes a peer that was met, and what it says of its past.
    pub(super) fn shook_hands(&self, peer: &PeerIdentity, past: &Past) {
        let Some(node_id) = peer
            .node_id
            .filter(|_| self.admit(peer, Some(past)).is_ok())
        else {
            return;
        };
        self.learn(peer.incarnation, |memory| memory.learn(past));
        if let Some(name) = self.name_of(node_id) {
            self.suspects.acquit(&name);
        }
        let metrics = self.core.metrics();
        let quorums = metrics
            .borrow_watched()
            .membership_config
            .membership()
            .get_joint_config()
            .clone();
        self.gate.met(node_id, &quorums);
    }

    /// Makes what a leader knows of a follower outlast its leadership.
    pub(super) fn keep_in_mind(&self, node_id: u64, incarnation: u128) {
        let known = self.remembered(node_id, incarnation);
        self.learn(incarnation, |memory| memory.acknowledged(known.mark));
    }

    fn learn(&self, incarnation: u128, change: impl FnOnce(&mut Memory)) {
        let membership = self
            .core
            .metrics()
            .borrow_watched()
            .membership_config
            .clone();
        let is_member = |incarnation| {
            let mut members = membership.membership().nodes();
            members.any(|(_, member)| member.incarnation == incarnation)
        };
        self.memories.learn(incarnation, change, is_member);
    }

    /// Holds a refusal against a member, for the operator to see.
    pub(super) fn accuse(&self, node_id: Option<u64>, refusal: &HandshakeRefusal) {
        if let Some(name) = node_id.and_then(|id| self.name_of(id)) {
            let why = match refusal {
                HandshakeRefusal::IWentBack => GONE_BACK,
                _ => FOREIGN,
            };
            self.suspects.accuse(&name, why);
        }
    }

    fn name_of(&self, node_id: u64) -> Option<String> {
        let metrics = self.core.metrics();
        let now = metrics.borrow_watched();
        let member = now.membership_config.membership().get_node(&node_id);
        member.map(|member| member.name.clone())
    }

    /// A peer remembers more of this node than its disk has: it must not take part.
    pub(super) fn is_said_to_have_gone_back(&self, peer: &str) {
        let why = format!(
            "the peer {peer} remembers a vote or committed entries of this node that its data directory does not have"
        );
        self.failure.fail(Failure::Identity(why));
    }

    /// A member's address is that of a cluster which was made of this node's by force.
    pub(super) fn is_said_to_have_ended(&self, addr: &str, successor: u128) {
        let why = format!("the node at {addr} goes on as cluster {successor:032x} since then");
        self.failure.fail(Failure::ClusterEnded(why));
    }

    /// Whether `peer` is no member any more, and since which entry.
    pub(super) fn refuse_removed(&self, peer: &PeerIdentity) -> Option<u64> {
        // Who has no number yet is told when it asks to join.
        peer.node_id?;
        self.removed.index_of(peer.incarnation)
    }

    /// The cluster goes on without this node.
    pub(super) fn is_said_to_be_removed(&self, index: u64) {
        self.failure.fail(Failure::Removed(index));
    }

    /// Answers a question of the control channel.
    pub(super) async fn answer(&self, question: Question) -> Result<Answer, Refusal> {
        match question {
            Question::Vote(candidacy) => self.vote(candidacy).await.map(Answer::Vote),
            Question::PreVote(candidacy) => self.pre_vote(candidacy).await.map(Answer::PreVote),
            Question::Heartbeat(append) => self.heartbeat(append).await.map(Answer::Heartbeat),
            Question::ReadIndex => self.read_index().await.map(Answer::ReadIndex),
            Question::TakeOver { .. } if !self.gate.may_acknowledge() => Err(Refusal::NotReady),
            Question::TakeOver { from, to, last } => {
                let request = TransferLeaderRequest::new(to_vote(from), to, last.map(LogId::from));
                let response = self.core.handle_transfer_leader(request).await;
                response
                    .map(|response| Answer::TakeOver(TakeOver::from(response)))
                    .map_err(|_stopped| Refusal::NotReady)
            }
            // Both need to know who asks, and are answered before.
            Question::App(_) | Question::Remember(_) => Err(Refusal::Malformed),
        }
    }

    async fn vote(&self, candidacy: Candidacy) -> Result<Ballot, Refusal> {
        let open = if candidacy.is_successor() {
            self.gate.may_vote_for_successor()
        } else {
            self.gate.may_vote()
        };
        if !open {
            return Err(Refusal::NotReady);
        }
        let response = self.core.vote(VoteRequest::from(candidacy)).await;
        response
            .map(Ballot::from)
            .map_err(|_stopped| Refusal::NotReady)
    }

    async fn pre_vote(&self, candidacy: Candidacy) -> Result<Ballot, Refusal> {
        if !self.gate.may_vote() {
            return Err(Refusal::NotReady);
        }
        let response = self.core.pre_vote(VoteRequest::from(candidacy)).await;
        response
            .map(Ballot::from)
            .map_err(|_stopped| Refusal::NotReady)
    }

    async fn heartbeat(&self, append: Append) -> Result<Appended, Refusal> {
        if !self.gate.may_acknowledge() {
            return Err(Refusal::NotReady);
        }
        let request =
            AppendEntriesRequest::try_from(append).map_err(|_malformed| Refusal::Malformed)?;
        let before = request.prev_log_id;
        let response = self
            .core
            .append_entries(request)
            .await
            .map_err(|_stopped| Refusal::NotReady)?;
        Ok(Appended::to_heartbeat(&response, before))
    }

    /// Only a leader answers: a question is passed on once, never twice.
    async fn read_index(&self) -> Result<u64, Refusal> {
        if self.leadership.borrow().leader != Some(self.me) {
            return Err(Refusal::NotReady);
        }
        self.reads
            .read_index()
            .await
            .map_err(|_none| Refusal::NotReady)
    }

    /// Whether entries are taken.
    pub(super) fn may_append(&self) -> bool {
        self.gate.may_acknowledge()
    }

    /// Feeds `requests` to openraft; the answers come in order and end with the first error.
    pub(super) fn append_stream(
        &self,
        requests: impl Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + 'static,
    ) -> BoxStream<'static, AppendResult> {
        let answers = self.core.stream_append(requests);
        answers
            .filter_map(|answer| std::future::ready(answer.ok()))
            .boxed()
    }

    /// What comes in of snapshots.
    pub(super) fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    /// Whether a snapshot that the peer `from` sends under `vote` is wanted, before a byte of it is taken;
    /// otherwise why not, or the later vote that makes the sender's void.
    pub(super) fn wants_snapshot(
        &self,
        from: &PeerIdentity,
        vote: StoredVote,
    ) -> Result<(), SnapshotRefused> {
        if !self.gate.may_acknowledge() {
            return Err(SnapshotRefused::Refusal(Refusal::NotReady));
        }
        if from.node_id != Some(vote.node_id) || !vote.committed {
            return Err(SnapshotRefused::Refusal(Refusal::Malformed));
        }
        match self.log.vote() {
            Some(own) if own > vote => Err(SnapshotRefused::Vote(own)),
            _ => Ok(()),
        }
    }

    /// Verifies and decodes what came in, and only then has openraft swap it in.
    pub(super) async fn install(
        &self,
        vote: StoredVote,
        receiver: SnapshotReceiver,
    ) -> Result<StoredVote, Refusal> {
        let files = self.inbound.files().clone();
        let prepared = blocking(move || Inbound::prepare(&files, vote, receiver)).await;
        let Prepared {
            covers,
            file,
            registry,
        } = prepared.map_err(|error| self.not_storable(&error))?;
        let registry = Some(Box::new(registry));
        self.swap_in(vote, covers, Handover { file, registry })
            .await
    }

    /// Has openraft look at a snapshot that is on disk already: as a rule it is installed, too.
    pub(super) async fn install_again(
        &self,
        vote: StoredVote,
        file: SnapshotFile,
    ) -> Result<StoredVote, Refusal> {
        let (covers, _removed) = file.covers().map_err(|error| self.not_storable(&error))?;
        let registry = None;
        self.swap_in(vote, covers, Handover { file, registry })
            .await
    }

    async fn swap_in(
        &self,
        vote: StoredVote,
        meta: RaftMeta,
        snapshot: Handover,
    ) -> Result<StoredVote, Refusal> {
        let snapshot = openraft::storage::Snapshot { meta, snapshot };
        let installed = self
            .core
            .install_full_snapshot(to_vote(vote), snapshot)
            .await;
        installed
            .map(|response| to_stored_vote(&response.vote))
            .map_err(|_stopped| Refusal::NotReady)
    }

    /// What a peer is told whose snapshot could not be taken in. A disk that fails when it is to write, to
    /// sync or to rename is not asked again: what it still holds cannot be known, and the node ends.
    pub(super) fn not_storable(&self, error: &std::io::Error) -> Refusal {
        self.inbound.count_refused();
        tracing::warn!(%error, "a received snapshot is refused");
        match error.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput => Refusal::Malformed,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Refusal::NoRoom,
            ErrorKind::AlreadyExists => Refusal::NotReady,
            _ => {
                let what = format!("a received snapshot cannot be stored: {error}");
                self.failure.fail(Failure::Storage(what));
                Refusal::NotReady
            }
        }
    }
}

/// Why a snapshot is not taken in.
pub(super) enum SnapshotRefused {
    /// For this.
    Refusal(Refusal),
    /// A later leader is known here.
    Vote(StoredVote),
}
