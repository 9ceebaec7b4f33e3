//! A backup of the applied state, taken while the node serves.
//!
//! Owns the picture (state and what it covers, of one moment) and the stream of its bytes. It may not
//! hold up apply: the picture shares its structure with the state that moves on. Invariant: a stream
//! that was not written to its end lacks the footer, so that what was received verifies or is none.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::registry::SnapshotData;
use crate::store::blocking;
use crate::store::snapshot_files::{SnapshotEncoder, SnapshotName};

use super::Raft;
use super::records::{Position, backup_note};
use super::state_machine::Picture;

/// Backups taken from one node at once.
pub const BACKUPS_MAX: usize = 1;
/// Bytes in a piece of the stream.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces ahead of the reader.
const PIECES_AHEAD: usize = 2;
/// A reader that takes nothing for so long is left.
const READER_MAX: Duration = Duration::from_secs(30);

/// A backup on its way.
#[derive(Debug)]
pub struct Backup {
    /// The log index of its state.
    pub index: u64,
    /// The state hash there.
    pub state_hash: u128,
    /// Its bytes in order. The stream is whole only if it ends without an error.
    pub pieces: mpsc::Receiver<io::Result<Bytes>>,
}

/// Why there is no backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Another one is being taken from this node.
    #[error("a backup is being taken from this node already")]
    Running,
    /// Raft has stopped.
    #[error("Raft has stopped")]
    Stopped,
}

impl Raft {
    /// Begins a backup of what is applied here now. Who wants it linearizable waits for a read index
    /// first.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn begin_backup(&self) -> Result<Backup, BackupError> {
        let turn = Arc::clone(&self.inner.backups)
            .try_acquire_owned()
            .map_err(|_taken| BackupError::Running)?;
        let picture = self
            .inner
            .core
            .with_state_machine(|machine| {
                let picture = machine.picture();
                Box::pin(std::future::ready(picture))
            })
            .await
            .map_err(|_stopped| BackupError::Stopped)?;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let (index, state_hash) = (picture.data.index(), picture.data.state_hash());
        let note = backup_note(self.inner.cluster_id, &picture.covers);
        let mut tasks = self.inner.tasks.lock().await;
        while tasks.try_join_next().is_some() {}
        tasks.spawn(send(picture, note, sender, turn));
        Ok(Backup {
            index,
            state_hash,
            pieces,
        })
    }
}

/// Encodes on a blocking thread and hands on what it makes, until the reader has all or has gone.
async fn send(
    picture: Picture,
    note: Vec<u8>,
    reader: mpsc::Sender<io::Result<Bytes>>,
    _turn: OwnedSemaphorePermit,
) {
    let (made, mut making) = mpsc::channel(PIECES_AHEAD);
    let name = name_of(&picture);
    let encoding = blocking(move || encode(&picture.data, (name, &note), &made));
    let handing_on = async {
        // Dropped when the reader stalls or goes: the encoder then ends too.
        while let Some(piece) = making.recv().await {
            let taken = timeout(READER_MAX, reader.send(piece)).await;
            if !matches!(taken, Ok(Ok(()))) {
                tracing::warn!("the reader of a backup took nothing any more");
                making.close();
                while making.try_recv().is_ok() {}
                return;
            }
        }
    };
    tokio::join!(encoding, handing_on);
}

fn name_of(picture: &Picture) -> SnapshotName {
    let last = picture.covers.last_log_id.map(Position::from);
    let (term, index) = last.map_or((0, 0), |at| (at.term, at.index));
    // A backup is known by its file's name; the state hash tells two of one position apart.
    let id = (picture.data.state_hash() & u128::from(u64::MAX)) as u64;
    SnapshotName { term, index, id }
}

/// Blocks whenever the reader is behind.
fn encode(
    data: &SnapshotData,
    (name, note): (SnapshotName, &[u8]),
    to: &mpsc::Sender<io::Result<Bytes>>,
) {
    let mut encoder = SnapshotEncoder::default();
    let mut piece = encoder.header(name, note);
    for record in data.records() {
        match encoder.record(&record) {
            Ok(bytes) => piece.extend_from_slice(&bytes),
            Err(error) => {
                // The stream ends with an error, or its reader is gone: it is whole in neither case.
                drop(to.blocking_send(Err(error)));
                return;
            }
        }
        let full = piece.len() >= PIECE_BYTES;
        if full
            && to
                .blocking_send(Ok(std::mem::take(&mut piece).into()))
                .is_err()
        {
            return;
        }
    }
    piece.extend_from_slice(&encoder.footer());
    drop(to.blocking_send(Ok(piece.into())));
}
