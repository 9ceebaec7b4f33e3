//! The first message of a connection, in both directions.
//!
//! Owns who may talk to whom, and for what. It may not open a connection. Invariant: Raft's messages
//! pass only between two incarnations that belong to one cluster and are whom the other expects.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::codec::{CONTROL_MAX, CodecError, FORMATS, Format, Stored};
use crate::net::Connection;
use crate::store::identity::StoredVote;
use crate::store::peer_memory::Memory;

use super::PeerIdentity;
use super::frame::{FrameError, read_frame, write_frame};

/// How long a handshake may take, connecting included.
pub(super) const HANDSHAKE_MAX: Duration = Duration::from_secs(2);
/// The peer protocols this release speaks: from, to.
const PROTOCOLS: (u16, u16) = (1, 1);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Channel {
    /// Votes, heartbeats, the read index and the application's calls.
    Control,
    /// Entries.
    Log,
    /// Snapshots.
    Snapshot,
}

/// What a node says of its own past, read from its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::raft) struct Past {
    /// Its highest vote.
    pub(in crate::raft) vote: Option<StoredVote>,
    /// An index that is both synced here and committed: it must never be lost again.
    pub(in crate::raft) mark: u64,
    /// How far its log or newest snapshot reaches.
    pub(in crate::raft) reach: u64,
}

impl Memory {
    /// Remembers that the node has acknowledged everything up to `index`, and that it is committed.
    pub(in crate::raft) fn acknowledged(&mut self, index: u64) {
        self.mark = self.mark.max(index);
    }

    /// Remembers `past` too. Nothing is forgotten.
    pub(in crate::raft) fn learn(&mut self, past: &Past) {
        self.vote = self.vote.max(past.vote);
        self.mark = self.mark.max(past.mark);
    }

    /// Whether `past` is that of a disk which has lost what this node once had.
    pub(in crate::raft) fn contradicts(&self, past: &Past) -> bool {
        past.vote < self.vote || past.reach < self.mark
    }
}

/// Who is expected at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Expected {
    pub(super) node_id: u64,
    pub(super) incarnation: u128,
}

/// What the one who connects says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocols: (u16, u16),
    pub(super) channel: Channel,
    pub(super) me: PeerIdentity,
    /// `None` before its Raft runs.
    pub(super) past: Option<Past>,
    pub(super) expected: Option<Expected>,
    /// What is remembered of the one expected.
    pub(super) remembered: Memory,
    /// Kind and version of every format this release reads: what may be proposed while it is a member
    /// (docs/decisions/0007).
    pub(super) formats: Vec<(u8, u8)>,
}

impl Hello {
    /// A stranger's hello, to whoever listens there.
    pub(super) fn new(channel: Channel, me: PeerIdentity) -> Self {
        Self {
            protocols: PROTOCOLS,
            channel,
            me,
            past: None,
            expected: None,
            remembered: Memory::default(),
            formats: FORMATS
                .iter()
                .map(|format| (format.kind, format.version))
                .collect(),
        }
    }
}

impl Stored for Hello {
    const FORMAT: Format = Format::PEER_HANDSHAKE;
}

/// What the other answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Go on.
    Welcome(Welcome),
    /// No.
    Refused(HandshakeRefusal),
}

impl Stored for Reply {
    const FORMAT: Format = Format::PEER_HANDSHAKE;
}

/// Said behind a refusal by the one who was refused: it has looked, and its directory did go back. A
/// refusal may answer a hello that lay around, so only this is held against a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Admission {
    pub(super) past: Past,
}

impl Stored for Admission {
    const FORMAT: Format = Format::PEER_HANDSHAKE;
}

/// A connection is welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub(super) protocol: u16,
    pub(super) me: PeerIdentity,
    /// `None` before its Raft runs.
    pub(super) past: Option<Past>,
    /// Tells two processes with one data directory apart; made at each start.
    pub(super) process: u64,
}

/// Why a connection is not welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum HandshakeRefusal {
    /// No protocol in common.
    #[error(
        "no peer protocol in common: {} to {} are spoken by the one who connects, {} to {} by the one who listens",
        yours.0, yours.1, mine.0, mine.1
    )]
    Protocol {
        /// From, to, by the one who refuses.
        mine: (u16, u16),
        /// From, to, by the one who is refused; zeros if its hello is of a newer form.
        yours: (u16, u16),
    },
    /// Another cluster.
    #[error("it belongs to cluster {0:032x}")]
    ForeignCluster(u128),
    /// The asker's cluster has ended: this one was made of it by force.
    #[error("that cluster was ended by `recover force`; it goes on as cluster {0:032x}")]
    Ended(u128),
    /// Raft's channels need a cluster on both sides.
    #[error("it does not know its cluster yet")]
    NoCluster,
    /// Another node listens at this address.
    #[error("it is not the node expected there")]
    NotExpected,
    /// The name or id is bound to another data directory.
    #[error("the cluster knows this node by another data directory")]
    ForeignIncarnation,
    /// More is remembered of the one who connects than its data directory holds.
    #[error("your data directory has gone back in time")]
    YouWentBack(Memory),
    /// More is remembered of the one who listens than its data directory holds.
    #[error("my data directory has gone back in time")]
    IWentBack,
    /// The one who connects was a member and was removed, in this entry.
    #[error("you were removed from the cluster at index {0}")]
    Removed(u64),
}

/// Which protocol both speak.
pub(super) fn common_protocol(theirs: (u16, u16)) -> Result<u16, HandshakeRefusal> {
    let highest = PROTOCOLS.1.min(theirs.1);
    if highest < PROTOCOLS.0.max(theirs.0) {
        return Err(HandshakeRefusal::Protocol {
            mine: PROTOCOLS,
            yours: theirs,
        });
    }
    Ok(highest)
}

/// Whether two nodes may talk on `channel`.
pub(super) fn same_cluster(
    channel: Channel,
    mine: Option<u128>,
    theirs: Option<u128>,
) -> Result<(), HandshakeRefusal> {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) if mine != theirs => Err(HandshakeRefusal::ForeignCluster(mine)),
        (Some(_), Some(_)) => Ok(()),
        // The first start: who is there, and what is the plan?
        _ if channel == Channel::Control => Ok(()),
        _ => Err(HandshakeRefusal::NoCluster),
    }
}

/// Why a connection was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no connection: {0}")]
    Io(#[from] std::io::Error),
    #[error("no handshake: {0}")]
    Frame(#[from] FrameError),
    #[error("no answer in {} ms", HANDSHAKE_MAX.as_millis())]
    TimedOut,
    #[error("the peer closed during the handshake")]
    Closed,
    #[error("refused: {0}")]
    Refused(HandshakeRefusal),
}

/// Says hello on a fresh connection and hears the answer. The caller sets the deadline.
pub(super) async fn say_hello(
    connection: &mut Connection,
    hello: &Hello,
) -> Result<Welcome, ConnectError> {
    write_frame(connection, hello).await?;
    match read_frame(connection, CONTROL_MAX).await? {
        Some(Reply::Welcome(welcome)) => Ok(welcome),
        Some(Reply::Refused(refusal)) => Err(ConnectError::Refused(refusal)),
        None => Err(ConnectError::Closed),
    }
}

/// What to answer to a hello that could not be understood, if anything: a newer release is told which
/// protocols are spoken here, and may try again with one of them.
pub(super) fn answer_to_newer(error: &ConnectError) -> Option<Reply> {
    match error {
        ConnectError::Frame(FrameError::Codec(CodecError::Newer { .. })) => {
            Some(Reply::Refused(HandshakeRefusal::Protocol {
                mine: PROTOCOLS,
                yours: (0, 0),
            }))
        }
        _ => None,
    }
}

/// Waits for the one who was refused to admit that it went back; a healthy one closes instead.
pub(super) async fn hear_admission(connection: &mut Connection) -> Option<Admission> {
    timeout(HANDSHAKE_MAX, read_frame(connection, CONTROL_MAX))
        .await
        .ok()?
        .ok()?
}

/// Hears hello on an accepted connection.
pub(super) async fn hear_hello(connection: &mut Connection) -> Result<Hello, ConnectError> {
    match timeout(HANDSHAKE_MAX, read_frame(connection, CONTROL_MAX)).await {
        Ok(Ok(Some(hello))) => Ok(hello),
        Ok(Ok(None)) => Err(ConnectError::Closed),
        Ok(Err(error)) => Err(error.into()),
        Err(_late) => Err(ConnectError::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_lost_its_vote_or_a_committed_entry_is_noticed() {
        let vote = |term| {
            Some(StoredVote {
                term,
                node_id: 1,
                committed: true,
            })
        };
        let mut memory = Memory::default();
        memory.learn(&Past {
            vote: vote(3),
            mark: 10,
            reach: 12,
        });
        assert!(
            !memory.contradicts(&Past {
                vote: vote(3),
                mark: 0,
                reach: 10
            }),
            "truncated above the mark"
        );
        assert!(
            memory.contradicts(&Past {
                vote: vote(2),
                mark: 0,
                reach: 12
            }),
            "an older vote"
        );
        assert!(
            memory.contradicts(&Past {
                vote: vote(3),
                mark: 0,
                reach: 9
            }),
            "a shorter log"
        );
        assert!(memory.contradicts(&Past::default()), "an empty disk");
    }

    #[test]
    fn two_clusters_never_talk() {
        let refused = same_cluster(Channel::Control, Some(1), Some(2));
        assert_eq!(refused, Err(HandshakeRefusal::ForeignCluster(1)));
    }

    #[test]
    fn before_the_cluster_is_known_only_the_control_channel_is_open() {
        assert_eq!(same_cluster(Channel::Control, None, Some(2)), Ok(()));
        assert_eq!(
            same_cluster(Channel::Log, None, Some(2)),
            Err(HandshakeRefusal::NoCluster)
        );
        assert_eq!(
            same_cluster(Channel::Snapshot, Some(2), None),
            Err(HandshakeRefusal::NoCluster)
        );
    }

    #[test]
    fn a_peer_of_a_later_protocol_range_is_refused_and_an_overlapping_one_is_not() {
        assert_eq!(
            common_protocol((2, 3)),
            Err(HandshakeRefusal::Protocol {
                mine: (1, 1),
                yours: (2, 3)
            })
        );
        assert_eq!(common_protocol((0, 9)), Ok(1));
    }
}
