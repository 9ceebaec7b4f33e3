//! The snapshot channel: one snapshot at a time, chunk by chunk.
//!
//! Owns both ends of the way from file to file. It may not install anything: what came in whole goes to
//! the service, which verifies it. Invariant: a chunk is written as it comes, and at most
//! [`WINDOW_BYTES`] are on their way, so neither end holds more than that in memory, however long the
//! file and however slow the line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::net::Connection;
use crate::store::blocking;
use crate::store::identity::StoredVote;
use crate::store::snapshot_files::{SnapshotName, SnapshotReceiver, SnapshotSource};

use super::super::inbound::Turn;
use super::super::service::{RaftService, SnapshotRefused};
use super::super::snapshots::SnapshotFile;
use super::super::types::{Blob, Member};
use super::frame::{FrameError, next_frame, read_frame, write_frame};
use super::handshake::{Channel, ConnectError};
use super::message::{CHUNK_BYTES, SNAPSHOT_FRAME_MAX, SnapshotFrame};
use super::{PeerIdentity, Peers, Refusal};

/// How long one chunk may take on its way: a line of 64 kbit/s carries it in 8 s.
pub(super) const CHUNK_MAX: Duration = Duration::from_secs(30);
/// Bytes that may be on their way, 1 MiB. What the other end has not confirmed waits in buffers of the
/// system; unbounded, a slow line would keep the last answer waiting behind minutes of them.
pub(super) const WINDOW_BYTES: u64 = 1 << 20;
/// Bytes sent in a second at most, 64 MiB: half of what a line of 1 Gbit/s carries. The rest is for the
/// log, on which writers wait.
const RATE_BYTES: u64 = 64 << 20;

/// Why a snapshot was not delivered.
#[derive(Debug, thiserror::Error)]
pub(in crate::raft) enum SendError {
    /// The peer cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke, or the peer did not go on.
    #[error("{0}")]
    Broken(String),
    /// The file cannot be read here.
    #[error("{0}")]
    Disk(io::Error),
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Two newer ones took its place before it was opened: the next attempt sends one of those.
            io::ErrorKind::NotFound => Self::Broken("the snapshot has been replaced".to_owned()),
            _ => Self::Disk(error),
        }
    }
}

/// Sends a snapshot, from where the peer has it, and waits, for `install_max` at most, until it is
/// installed; answers the peer's vote. However long the whole takes, each chunk must arrive within
/// [`CHUNK_MAX`].
pub(in crate::raft) async fn send_snapshot(
    peers: &Peers,
    member: &Member,
    vote: StoredVote,
    file: SnapshotFile,
    install_max: Duration,
) -> Result<StoredVote, SendError> {
    // Opened for the whole of the way: replaced meanwhile, it can still be read to its end.
    let name = file.meta.name;
    let source = blocking(move || file.files.source(&file.meta)).await?;
    let size = source.size();
    let mut connection = peers.connect(member, Channel::Snapshot).await?;
    put(&mut connection, &SnapshotFrame::Begin { vote, name, size }).await?;
    // The peer may be installing another one.
    let from = match hear(&mut connection, install_max).await? {
        SnapshotFrame::Received(from) if from <= size => from,
        SnapshotFrame::Done { vote } => return Ok(vote),
        _ => return Err(nonsense()),
    };
    send_from(&mut connection, source, from).await?;
    put(&mut connection, &SnapshotFrame::End).await?;
    match hear(&mut connection, install_max).await? {
        SnapshotFrame::Done { vote } => Ok(vote),
        _ => Err(nonsense()),
    }
}

/// Sends `source` from `from` to its end, never more than the window ahead of what has arrived.
pub(super) async fn send_from(
    connection: &mut Connection,
    mut source: SnapshotSource,
    from: u64,
) -> Result<(), SendError> {
    let (size, started) = (source.size(), Instant::now());
    let (mut sent, mut received) = (from, from);
    while received < size {
        if sent < size && sent - received < WINDOW_BYTES {
            sleep_until(started + Duration::from_millis((sent - from) * 1_000 / RATE_BYTES)).await;
            let (returned, read) = read_chunk(source, sent).await;
            source = returned;
            let bytes = Blob(read?.into());
            let len = bytes.0.len() as u64;
            let offset = sent;
            put(connection, &SnapshotFrame::Chunk { offset, bytes }).await?;
            sent += len;
        } else {
            received = match hear(connection, CHUNK_MAX).await? {
                SnapshotFrame::Received(upto) if upto > received && upto <= sent => upto,
                _ => return Err(nonsense()),
            };
        }
    }
    Ok(())
}

async fn read_chunk(
    mut source: SnapshotSource,
    offset: u64,
) -> (SnapshotSource, io::Result<Vec<u8>>) {
    blocking(move || {
        let read = source.read_at(offset, CHUNK_BYTES);
        (source, read)
    })
    .await
}

async fn put(connection: &mut Connection, frame: &SnapshotFrame) -> Result<(), SendError> {
    match timeout(CHUNK_MAX, write_frame(connection, frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(SendError::Broken(error.to_string())),
        Err(_late) => Err(SendError::Broken("the peer takes no more".to_owned())),
    }
}

/// What the peer says next.
async fn hear(connection: &mut Connection, within: Duration) -> Result<SnapshotFrame, SendError> {
    let broken = |why: &str| SendError::Broken(why.to_owned());
    match timeout(within, read_frame(connection, SNAPSHOT_FRAME_MAX)).await {
        Ok(Ok(Some(SnapshotFrame::Refused(refusal)))) => Err(broken(&refusal.to_string())),
        Ok(Ok(Some(frame))) => Ok(frame),
        Ok(Ok(None)) => Err(broken("the peer closed the connection")),
        Ok(Err(error)) => Err(broken(&error.to_string())),
        Err(_late) => Err(broken("the peer takes too long")),
    }
}

fn nonsense() -> SendError {
    SendError::Broken("the peer said what does not belong here".to_owned())
}

/// A snapshot as its sender announces it.
struct Announced {
    vote: StoredVote,
    name: SnapshotName,
    size: u64,
}

/// Takes in snapshots from the peer `from` until it closes.
pub(super) async fn serve(
    service: &Arc<RaftService>,
    from: &PeerIdentity,
    mut connection: Connection,
) {
    while let Ok(Some(SnapshotFrame::Begin { vote, name, size })) =
        next_frame(&mut connection, SNAPSHOT_FRAME_MAX).await
    {
        let announced = Announced { vote, name, size };
        let reply = match take_in(service, from, &mut connection, announced).await {
            Ok(vote) => SnapshotFrame::Done { vote },
            Err(refusal) => SnapshotFrame::Refused(refusal),
        };
        if write_frame(&mut connection, &reply).await.is_err() {
            return;
        }
        if matches!(reply, SnapshotFrame::Refused(_)) {
            // What the peer has yet to send belongs to the refused one.
            return;
        }
    }
}

/// Takes one in, from the first byte to the installed state; answers this node's vote.
async fn take_in(
    service: &RaftService,
    from: &PeerIdentity,
    connection: &mut Connection,
    Announced { vote, name, size }: Announced,
) -> Result<StoredVote, Refusal> {
    match service.wants_snapshot(from, vote) {
        Ok(()) => {}
        Err(SnapshotRefused::Vote(later)) => return Ok(later),
        Err(SnapshotRefused::Refusal(refusal)) => return Err(refusal),
    }
    let mut turn = service.inbound().turn().await;
    if let Some(file) = service.inbound().whole(name) {
        // It was complete, and the answer was lost.
        return service.install_again(vote, file).await;
    }
    let files = service.inbound().files().clone();
    let opened = blocking(move || files.receive(name, size)).await;
    let receiver = opened.map_err(|error| service.not_storable(&error))?;
    match receive(receiver, connection, &mut turn).await {
        Ok(receiver) => service.install(vote, receiver).await,
        Err(Incomplete::Interrupted(why)) => {
            tracing::info!(snapshot = %name, why, "a snapshot did not come in whole yet");
            Err(Refusal::NotReady)
        }
        Err(Incomplete::Refused(error)) => Err(service.not_storable(&error)),
    }
}

/// Why a snapshot is not whole.
#[derive(Debug)]
pub(super) enum Incomplete {
    /// The connection ended, or somebody else took over. What came in is kept.
    Interrupted(&'static str),
    /// What came in is no good, or the disk refuses it. Nothing of it is kept.
    Refused(io::Error),
}

/// Writes chunks to the disk until the sender has said that this was all.
pub(super) async fn receive(
    mut receiver: SnapshotReceiver,
    connection: &mut Connection,
    turn: &mut Turn,
) -> Result<SnapshotReceiver, Incomplete> {
    loop {
        turn.show(receiver.received(), receiver.size());
        let next = tokio::select! {
            next = next_part(connection, receiver.received()) => next,
            () = turn.wanted() => Err(Incomplete::Interrupted("another one is sent")),
        };
        match next {
            Ok(Part::Chunk { offset, bytes }) => {
                let (returned, written) = blocking(move || {
                    let written = write_chunk(&mut receiver, offset, &bytes.0);
                    (receiver, written)
                })
                .await;
                receiver = returned;
                written.map_err(Incomplete::Refused)?;
            }
            Ok(Part::End) => return Ok(receiver),
            Err(Incomplete::Interrupted(why)) => {
                blocking(move || receiver.suspend()).await;
                return Err(Incomplete::Interrupted(why));
            }
            Err(refused) => return Err(refused),
        }
    }
}

/// What a sender may say after `Begin`.
enum Part {
    Chunk { offset: u64, bytes: Blob },
    End,
}

/// Says how much is here, and hears what follows.
async fn next_part(connection: &mut Connection, received: u64) -> Result<Part, Incomplete> {
    let heard = async {
        // Of a peer that has gone, what is on its way is still taken: the next attempt is spared it.
        let _ = write_frame(connection, &SnapshotFrame::Received(received)).await;
        read_frame(connection, SNAPSHOT_FRAME_MAX).await
    };
    match timeout(CHUNK_MAX, heard).await {
        Ok(Ok(Some(SnapshotFrame::Chunk { offset, bytes }))) => Ok(Part::Chunk { offset, bytes }),
        Ok(Ok(Some(SnapshotFrame::End))) => Ok(Part::End),
        Ok(Ok(Some(_))) => Err(refused("the peer said what does not belong here")),
        Ok(Ok(None)) => Err(Incomplete::Interrupted("the peer closed the connection")),
        Ok(Err(FrameError::Codec(error))) => Err(refused(&error.to_string())),
        Ok(Err(FrameError::Io(_))) => Err(Incomplete::Interrupted("the connection broke")),
        Err(_late) => Err(Incomplete::Interrupted("the peer sends too slowly")),
    }
}

fn refused(why: &str) -> Incomplete {
    Incomplete::Refused(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()))
}

/// Every chunk but the last is full: what comes in smaller pieces could take for ever.
fn write_chunk(receiver: &mut SnapshotReceiver, offset: u64, chunk: &[u8]) -> io::Result<()> {
    let left = receiver.size().saturating_sub(offset);
    if (chunk.len() as u64) < left.min(CHUNK_BYTES as u64) {
        let text = format!("a chunk of {} bytes", chunk.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    receiver.write_at(offset, chunk)
}
