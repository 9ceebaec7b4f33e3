//! The snapshot channel: one snapshot at a time, chunk by chunk.
//!
//! Owns both ends of the way from file to file. It may not install anything: what came in whole and
//! verified goes to the service. Invariant: a chunk is written as it comes, so neither end holds more
//! than one in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::net::Connection;
use crate::store::blocking;
use crate::store::identity::StoredVote;
use crate::store::snapshot_files::{SnapshotReceiver, SnapshotSource};

use super::super::service::RaftService;
use super::super::snapshots::SnapshotFile;
use super::super::types::{Blob, Member};
use super::frame::{FrameError, next_frame, read_frame, write_frame};
use super::handshake::{Channel, ConnectError};
use super::message::{CHUNK_BYTES, SNAPSHOT_FRAME_MAX, SnapshotFrame};
use super::{Peers, Refusal};

/// How long one chunk may take on its way.
const CHUNK_MAX: Duration = Duration::from_secs(10);

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
    Disk(std::io::Error),
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Sends a snapshot and waits, for `install_max` at most, until it is installed; answers the peer's
/// vote. However long the whole takes, each chunk must go out within [`CHUNK_MAX`].
pub(in crate::raft) async fn send_snapshot(
    peers: &Peers,
    member: &Member,
    vote: StoredVote,
    file: SnapshotFile,
    install_max: Duration,
) -> Result<StoredVote, SendError> {
    let mut connection = peers.connect(member, Channel::Snapshot).await?;
    let opened = blocking(move || Ok((file.files.source(&file.meta)?, file.meta.name))).await;
    let (mut source, name) = opened.map_err(SendError::Disk)?;
    let size = source.size();
    put(&mut connection, &SnapshotFrame::Begin { vote, name, size }).await?;
    let mut offset = 0;
    while offset < size {
        let (returned, read) = read_chunk(source, offset).await;
        source = returned;
        let bytes = read.map_err(SendError::Disk)?;
        let len = bytes.len() as u64;
        put(
            &mut connection,
            &SnapshotFrame::Chunk {
                offset,
                bytes: Blob(bytes.into()),
            },
        )
        .await?;
        offset += len;
    }
    put(&mut connection, &SnapshotFrame::End).await?;
    let reply = timeout(install_max, read_frame(&mut connection, SNAPSHOT_FRAME_MAX)).await;
    let late = |_| SendError::Broken("the peer takes too long to install it".to_owned());
    match reply.map_err(late)? {
        Ok(Some(SnapshotFrame::Done { vote })) => Ok(vote),
        Ok(Some(SnapshotFrame::Refused(refusal))) => Err(SendError::Broken(refusal.to_string())),
        Ok(_) => Err(SendError::Broken(
            "the peer closed the connection".to_owned(),
        )),
        Err(error) => Err(SendError::Broken(error.to_string())),
    }
}

async fn read_chunk(
    mut source: SnapshotSource,
    offset: u64,
) -> (SnapshotSource, std::io::Result<Vec<u8>>) {
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

/// Takes in snapshots until the peer closes.
pub(super) async fn serve(service: &Arc<RaftService>, mut connection: Connection) {
    while let Ok(Some(SnapshotFrame::Begin { vote, name, size })) =
        next_frame(&mut connection, SNAPSHOT_FRAME_MAX).await
    {
        // One at a time in the whole node, from the first byte to the installed state.
        let turn = service.snapshot_turn().await;
        let files = service.snapshots().clone();
        let received = match blocking(move || files.receive(name, size)).await {
            Ok(receiver) => receive(receiver, &mut connection).await,
            Err(error) => Err(FrameError::Io(error)),
        };
        let reply = match received {
            Ok(receiver) => match service.install(vote, receiver).await {
                Ok(vote) => SnapshotFrame::Done { vote },
                Err(refusal) => SnapshotFrame::Refused(refusal),
            },
            Err(error) => {
                tracing::warn!(snapshot = %name, %error, "a snapshot did not come in whole");
                SnapshotFrame::Refused(Refusal::Malformed)
            }
        };
        drop(turn);
        if write_frame(&mut connection, &reply).await.is_err() {
            return;
        }
        if matches!(reply, SnapshotFrame::Refused(_)) {
            // What the peer has yet to send belongs to the refused one.
            return;
        }
    }
}

async fn receive(
    mut receiver: SnapshotReceiver,
    connection: &mut Connection,
) -> Result<SnapshotReceiver, FrameError> {
    loop {
        let next = timeout(CHUNK_MAX, read_frame(connection, SNAPSHOT_FRAME_MAX)).await;
        match next.map_err(|_late| broken("the peer sends no more"))?? {
            Some(SnapshotFrame::Chunk { offset, bytes }) => {
                let (returned, written) = blocking(move || {
                    let written = receiver.write_at(offset, &bytes.0);
                    (receiver, written)
                })
                .await;
                receiver = returned;
                written?;
            }
            Some(SnapshotFrame::End) => return Ok(receiver),
            _ => return Err(broken("the peer closed in the middle")),
        }
    }
}

fn broken(why: &str) -> FrameError {
    FrameError::Io(std::io::Error::new(
        std::io::ErrorKind::UnexpectedEof,
        why.to_owned(),
    ))
}
