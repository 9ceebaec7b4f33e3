//! openraft's network on the peers' connections.
//!
//! Owns the translation of openraft's calls and of what may go wrong with them. It may not retry:
//! openraft does, with the pauses it takes for unreachable peers.

use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use openraft::errors::ErrorSource;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::impls::BoxedErrorSource;
use openraft::network::{
    Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    RaftNetworkFactory,
};
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, StorageError};

use super::error::CallError;
use super::peer::{
    Answer, LogConnection, LogError, Peers, Question, SendError, send_snapshot, take_over,
};
use super::records::{to_stored_vote, to_vote};
use super::snapshots::{Handover, Snapshot};
use super::types::{Member, TypeConfig, Vote};
use super::watcher::Members;

/// The pause between attempts to reach a peer that is down.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between attempts to send a snapshot: each goes on where the last was cut off.
const SNAPSHOT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Makes a client for each peer and purpose.
pub(super) struct Network {
    pub(super) peers: Peers,
    /// Where they are now: openraft keeps a client while a member moves.
    pub(super) members: Members,
    /// How long a vote may take to come back.
    pub(super) vote_max: Duration,
}

/// What a client is for.
enum Purpose {
    Log(LogConnection),
    Heartbeat,
    Snapshot,
}

/// One peer, for one purpose.
pub(super) struct PeerClient {
    peers: Peers,
    members: Members,
    /// Who, and where when this was made.
    member: Member,
    purpose: Purpose,
    vote_max: Duration,
}

impl Network {
    fn client(&self, node: &Member, purpose: Purpose) -> PeerClient {
        PeerClient {
            peers: self.peers.clone(),
            members: self.members.clone(),
            member: node.clone(),
            purpose,
            vote_max: self.vote_max,
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = PeerClient;

    async fn new_client(&mut self, _target: u64, node: &Member) -> PeerClient {
        self.client(node, Purpose::Log(LogConnection::new(self.peers.clone())))
    }

    async fn new_heartbeat_client(&mut self, _target: u64, node: &Member) -> PeerClient {
        self.client(node, Purpose::Heartbeat)
    }

    async fn new_snapshot_client(&mut self, _target: u64, node: &Member) -> PeerClient {
        self.client(node, Purpose::Snapshot)
    }
}

type RpcError = RPCError<TypeConfig>;
type Answers<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>;

impl PeerClient {
    /// The peer, where it is now. One that was added a moment ago is not known there yet.
    fn member(&self) -> Member {
        self.members
            .get(self.member.id)
            .unwrap_or_else(|| self.member.clone())
    }

    async fn ask(&self, question: Question, deadline: Duration) -> Result<Answer, RpcError> {
        self.peers
            .ask(&self.member(), question, deadline)
            .await
            .map_err(|error| match error {
                CallError::NotSent => RPCError::Unreachable(self.unreachable(&error)),
                CallError::Unknown => RPCError::Network(NetworkError::from_string(error)),
            })
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> Unreachable<TypeConfig> {
        Unreachable::from_string(format!("{}: {why}", self.member.name))
    }

    fn nonsense(&self) -> RpcError {
        RPCError::Network(NetworkError::from_string(format!(
            "{} answered another question",
            self.member.name
        )))
    }

    #[expect(
        clippy::result_large_err,
        reason = "openraft's error holds a member, and openraft wants it by value"
    )]
    /// On the log channel: connects only once there is something to send.
    async fn stream_log<S>(&mut self, input: S) -> Result<Answers<'_>, RpcError>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let (member, name) = (self.member(), self.member.name.clone());
        let Purpose::Log(connection) = &mut self.purpose else {
            return Ok(stream::empty().boxed());
        };
        let unreachable = move |error: LogError| {
            RPCError::Unreachable(Unreachable::from_string(format!("{name}: {error}")))
        };
        let answers = connection
            .stream(&member, input)
            .await
            .map_err(&unreachable)?;
        Ok(answers
            .map(move |answer| answer.map_err(&unreachable))
            .boxed())
    }

    async fn heartbeat(
        &self,
        request: AppendEntriesRequest<TypeConfig>,
        deadline: Duration,
    ) -> Result<StreamAppendResult<TypeConfig>, RpcError> {
        match self
            .ask(Question::Heartbeat(request.into()), deadline)
            .await?
        {
            Answer::Heartbeat(appended) => Ok(appended.into()),
            _ => Err(self.nonsense()),
        }
    }
}

impl NetStreamAppend<TypeConfig> for PeerClient {
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<Answers<'s>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        if matches!(self.purpose, Purpose::Log(_)) {
            return Box::pin(self.stream_log(input));
        }
        let (this, deadline) = (&*self, option.hard_ttl());
        let beats = stream::unfold(input, move |mut input| async move {
            let request = input.next().await?;
            Some((this.heartbeat(request, deadline).await, input))
        });
        Box::pin(std::future::ready(Ok(beats.boxed())))
    }
}

impl NetVote<TypeConfig> for PeerClient {
    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        match self
            .ask(Question::Vote(request.into()), self.vote_max)
            .await?
        {
            Answer::Vote(ballot) => Ok(ballot.into()),
            _ => Err(self.nonsense()),
        }
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        match self
            .ask(Question::PreVote(request.into()), self.vote_max)
            .await?
        {
            Answer::PreVote(ballot) => Ok(ballot.into()),
            _ => Err(self.nonsense()),
        }
    }
}

impl NetTransferLeader<TypeConfig> for PeerClient {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        match self.ask(take_over(&request), option.hard_ttl()).await? {
            Answer::TakeOver(taken) => Ok(taken.into()),
            _ => Err(self.nonsense()),
        }
    }
}

impl NetSnapshot<TypeConfig> for PeerClient {
    type SnapshotData = Handover;

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let (vote, file) = (to_stored_vote(&vote), snapshot.snapshot.file);
        let member = self.member();
        let sending = send_snapshot(&self.peers, &member, vote, file, option.hard_ttl());
        let sent = tokio::select! {
            sent = sending => sent,
            closed = cancel => return Err(StreamingError::Closed(closed)),
        };
        sent.map(|vote| SnapshotResponse::new(to_vote(vote)))
            .map_err(|error| match error {
                SendError::Disk(error) => {
                    let source = BoxedErrorSource::from_error(&error);
                    StreamingError::StorageError(StorageError::read_snapshot(None, source))
                }
                // As unreachable, whatever it was: openraft pauses only then, and resends at once otherwise.
                broken => StreamingError::Unreachable(self.unreachable(&broken)),
            })
    }
}

impl NetBackoff<TypeConfig> for PeerClient {
    fn backoff(&self) -> Option<Backoff> {
        let longest = match self.purpose {
            Purpose::Snapshot => SNAPSHOT_PAUSE_MAX,
            Purpose::Log(_) | Purpose::Heartbeat => RETRY_PAUSE,
        };
        let longer = move |pause: &Duration| Some((*pause * 2).min(longest));
        Some(Backoff::new(std::iter::successors(
            Some(RETRY_PAUSE),
            longer,
        )))
    }
}
