//! What peers say to each other after the handshake.
//!
//! Owns the frames of the three channels, in shapes of our own. It may not act on them. Sent between
//! releases: variants are only ever appended, and a breaking change is a new peer protocol.

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError, Format, Stored};
use crate::store::identity::StoredVote;
use crate::store::snapshot_files::SnapshotName;

use super::super::records::{Position, StoredEntry, to_stored_vote, to_vote};
use super::super::types::{Blob, LogEntry, LogId, TypeConfig};
use super::Refusal;
use super::handshake::Past;

/// The longest frame on the control channel: a batch of the application with room around it.
pub(super) const CONTROL_FRAME_MAX: usize = codec::ENTRY_MAX + codec::CONTROL_MAX;
/// The longest frame on the log channel.
pub(super) const LOG_FRAME_MAX: usize = codec::FRAME_MAX;
/// The longest frame on the snapshot channel, which carries chunks of [`CHUNK_BYTES`].
pub(super) const SNAPSHOT_FRAME_MAX: usize = CHUNK_BYTES + codec::CONTROL_MAX;
/// Bytes of a snapshot in one frame: every chunk but the last has so many, so that a slow sender is one
/// that sends slowly, and not one that sends little at a time.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// Raft's stream results.
pub(in crate::raft) type AppendResult = Result<Option<LogId>, StreamAppendError<TypeConfig>>;

/// A frame on the control channel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ControlFrame {
    /// Asks; `id` is the asker's.
    Ask { id: u64, question: Question },
    /// Answers the question `id`.
    Answer {
        id: u64,
        answer: Result<Answer, Refusal>,
    },
}

impl Stored for ControlFrame {
    const FORMAT: Format = Format::PEER_FRAME;
}

/// A question on the control channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::raft) enum Question {
    /// The application's own.
    App(Blob),
    /// Vote for me.
    Vote(Candidacy),
    /// Would you?
    PreVote(Candidacy),
    /// Lead, if you have everything.
    TakeOver {
        from: StoredVote,
        to: u64,
        last: Option<Position>,
    },
    /// I lead.
    Heartbeat(Append),
    /// What must a linearizable read reflect?
    ReadIndex,
    /// Remember what my disk holds now.
    Remember(Past),
}

/// The answer to a [`Question`], variant for variant.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::raft) enum Answer {
    App(Blob),
    Vote(Ballot),
    PreVote(Ballot),
    TakeOver(TakeOver),
    Heartbeat(Appended),
    ReadIndex(u64),
    Remembered,
}

/// A request for a vote.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::raft) struct Candidacy {
    vote: StoredVote,
    last: Option<Position>,
    transfer: bool,
}

impl Candidacy {
    /// Whether the leader asked the candidate to take over.
    pub(in crate::raft) fn is_successor(&self) -> bool {
        self.transfer
    }
}

impl From<VoteRequest<TypeConfig>> for Candidacy {
    fn from(request: VoteRequest<TypeConfig>) -> Self {
        Self {
            vote: to_stored_vote(&request.vote),
            last: request.last_log_id.map(Position::from),
            transfer: request.leadership_transfer,
        }
    }
}

impl From<Candidacy> for VoteRequest<TypeConfig> {
    fn from(candidacy: Candidacy) -> Self {
        let mut request = Self::new(to_vote(candidacy.vote), candidacy.last.map(LogId::from));
        request.leadership_transfer = candidacy.transfer;
        request
    }
}

/// The answer to a request for a vote.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::raft) struct Ballot {
    vote: StoredVote,
    granted: bool,
    last: Option<Position>,
}

impl From<VoteResponse<TypeConfig>> for Ballot {
    fn from(response: VoteResponse<TypeConfig>) -> Self {
        Self {
            vote: to_stored_vote(&response.vote),
            granted: response.vote_granted,
            last: response.last_log_id.map(Position::from),
        }
    }
}

impl From<Ballot> for VoteResponse<TypeConfig> {
    fn from(ballot: Ballot) -> Self {
        Self::new(
            to_vote(ballot.vote),
            ballot.last.map(LogId::from),
            ballot.granted,
        )
    }
}

/// What became of a hand-over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::raft) enum TakeOver {
    Taken,
    VoteChanged {
        expected: StoredVote,
        actual: StoredVote,
    },
    LogBehind {
        expected: Option<Position>,
        actual: Option<Position>,
    },
}

impl From<TransferLeaderResponse<TypeConfig>> for TakeOver {
    fn from(response: TransferLeaderResponse<TypeConfig>) -> Self {
        match response {
            Ok(()) => Self::Taken,
            Err(TransferLeaderError::VoteChanged { expected, actual }) => Self::VoteChanged {
                expected: to_stored_vote(&expected),
                actual: to_stored_vote(&actual),
            },
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => Self::LogBehind {
                expected: expected.map(Position::from),
                actual: actual.map(Position::from),
            },
        }
    }
}

impl From<TakeOver> for TransferLeaderResponse<TypeConfig> {
    fn from(take_over: TakeOver) -> Self {
        match take_over {
            TakeOver::Taken => Ok(()),
            TakeOver::VoteChanged { expected, actual } => Err(TransferLeaderError::VoteChanged {
                expected: to_vote(expected),
                actual: to_vote(actual),
            }),
            TakeOver::LogBehind { expected, actual } => Err(TransferLeaderError::LogNotFlushed {
                expected: expected.map(LogId::from),
                actual: actual.map(LogId::from),
            }),
        }
    }
}

/// A request for a hand-over.
pub(in crate::raft) fn take_over(request: &TransferLeaderRequest<TypeConfig>) -> Question {
    Question::TakeOver {
        from: to_stored_vote(request.from_leader()),
        to: *request.to_node_id(),
        last: request.last_log_id().copied().map(Position::from),
    }
}

/// Entries, or none to show that a leader lives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::raft) struct Append {
    vote: StoredVote,
    before: Option<Position>,
    entries: Vec<StoredEntry>,
    committed: Option<Position>,
}

impl From<AppendEntriesRequest<TypeConfig>> for Append {
    fn from(request: AppendEntriesRequest<TypeConfig>) -> Self {
        Self {
            vote: to_stored_vote(&request.vote),
            before: request.prev_log_id.map(Position::from),
            entries: request.entries.into_iter().map(StoredEntry::from).collect(),
            committed: request.leader_commit.map(Position::from),
        }
    }
}

impl TryFrom<Append> for AppendEntriesRequest<TypeConfig> {
    type Error = CodecError;

    fn try_from(append: Append) -> Result<Self, CodecError> {
        let entries: Result<Vec<LogEntry>, CodecError> =
            append.entries.into_iter().map(LogEntry::try_from).collect();
        Ok(Self {
            vote: to_vote(append.vote),
            prev_log_id: append.before.map(LogId::from),
            entries: entries?,
            leader_commit: append.committed.map(LogId::from),
        })
    }
}

/// What became of an [`Append`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::raft) enum Appended {
    /// Stored up to here.
    UpTo(Option<Position>),
    /// The log differs here.
    Conflict(Position),
    /// There is a newer vote.
    HigherVote(StoredVote),
}

impl Appended {
    /// The answer to a heartbeat whose entries begin behind `before`.
    pub(in crate::raft) fn to_heartbeat(
        response: &AppendEntriesResponse<TypeConfig>,
        before: Option<LogId>,
    ) -> Self {
        match response {
            AppendEntriesResponse::Success => Self::UpTo(before.map(Position::from)),
            AppendEntriesResponse::PartialSuccess(upto) => Self::UpTo(upto.map(Position::from)),
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(to_stored_vote(vote)),
            // Nothing cannot conflict, so there is a position; its absence would be an empty log.
            AppendEntriesResponse::Conflict => {
                before.map_or(Self::UpTo(None), |at| Self::Conflict(at.into()))
            }
        }
    }
}

impl From<AppendResult> for Appended {
    fn from(result: AppendResult) -> Self {
        match result {
            Ok(upto) => Self::UpTo(upto.map(Position::from)),
            Err(StreamAppendError::Conflict(at)) => Self::Conflict(at.into()),
            Err(StreamAppendError::HigherVote(vote)) => Self::HigherVote(to_stored_vote(&vote)),
        }
    }
}

impl From<Appended> for AppendResult {
    fn from(appended: Appended) -> Self {
        match appended {
            Appended::UpTo(upto) => Ok(upto.map(LogId::from)),
            Appended::Conflict(at) => Err(StreamAppendError::Conflict(at.into())),
            Appended::HigherVote(vote) => Err(StreamAppendError::HigherVote(to_vote(vote))),
        }
    }
}

/// A frame on the log channel. A session is one stream of openraft's: its answers come in order, and
/// an error among them ends it. The next session begins with its first frame.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum LogFrame {
    /// From the leader.
    Append { session: u64, append: Append },
    /// From the follower.
    Appended { session: u64, appended: Appended },
}

impl Stored for LogFrame {
    const FORMAT: Format = Format::PEER_FRAME;
}

/// A frame on the snapshot channel. The sender says `Begin`, hears how far the receiver has this very
/// snapshot already, sends the rest in chunks, each of which is answered by how far it has come now,
/// says `End`, and hears `Done`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SnapshotFrame {
    Begin {
        vote: StoredVote,
        name: SnapshotName,
        size: u64,
    },
    Chunk {
        offset: u64,
        bytes: Blob,
    },
    End,
    /// So many bytes are here.
    Received(u64),
    /// Installed, or not wanted because of this vote.
    Done {
        vote: StoredVote,
    },
    Refused(Refusal),
}

impl Stored for SnapshotFrame {
    const FORMAT: Format = Format::PEER_FRAME;
}
