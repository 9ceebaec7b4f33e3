//! The snapshot that comes in.
//!
//! Owns whose turn it is, how far it has come, and the steps from the last byte to a registry: one
//! snapshot at a time in the whole node. It may not speak to a peer, nor touch the running state.
//! Invariant: a file becomes a snapshot only after every checksum, its note and the state hash of what
//! it holds were found right, so whatever a crash leaves behind is either unfinished or good.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};

use crate::registry::Registry;
use crate::store::SnapshotFiles;
use crate::store::identity::StoredVote;
use crate::store::snapshot_files::{SnapshotName, SnapshotReceiver};

use super::records::Position;
use super::snapshots::{self, SnapshotFile};
use super::status::Receiving;
use super::types::RaftMeta;

/// What comes in, of one node.
pub(super) struct Inbound {
    files: SnapshotFiles,
    /// Held from the first byte of a snapshot until it is installed.
    turn: Arc<AsyncMutex<()>>,
    /// Counts those who asked for a turn: the one that is receiving gives way to the next.
    asked: watch::Sender<u64>,
    /// Guards two numbers; held for a copy.
    progress: Arc<Mutex<Option<Receiving>>>,
    refused: AtomicU64,
}

/// A turn to bring a snapshot in. Dropped, it is the next one's.
pub(super) struct Turn {
    _held: OwnedMutexGuard<()>,
    number: u64,
    asked: watch::Receiver<u64>,
    progress: Arc<Mutex<Option<Receiving>>>,
}

/// A snapshot on disk, found good, with its registry.
pub(super) struct Prepared {
    pub(super) covers: RaftMeta,
    pub(super) file: SnapshotFile,
    pub(super) registry: Registry,
}

impl Inbound {
    pub(super) fn new(files: SnapshotFiles) -> Self {
        Self {
            files,
            turn: Arc::default(),
            asked: watch::Sender::new(0),
            progress: Arc::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// This node's snapshots.
    pub(super) fn files(&self) -> &SnapshotFiles {
        &self.files
    }

    /// The snapshot `name`, if it is here whole and the newest.
    pub(super) fn whole(&self, name: SnapshotName) -> Option<SnapshotFile> {
        SnapshotFile::newest(&self.files).filter(|file| file.meta.name == name)
    }

    /// How far the snapshot has come that is being received.
    pub(super) fn progress(&self) -> Option<Receiving> {
        *lock(&self.progress)
    }

    /// Snapshots refused since the start.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a snapshot that was refused.
    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for the turn. Whoever is receiving gives way: a peer that reconnects, or a new leader, must
    /// not wait for a connection that is dead. One that is installing is waited for.
    pub(super) async fn turn(&self) -> Turn {
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        let asked = self.asked.subscribe();
        let held = Arc::clone(&self.turn).lock_owned().await;
        Turn {
            _held: held,
            number,
            asked,
            progress: Arc::clone(&self.progress),
        }
    }

    /// Judges what came in, and makes it a snapshot if it is good: durable when this returns. Blocks on
    /// the disk. `vote` is the sender's.
    ///
    /// # Errors
    /// `InvalidData` or `InvalidInput` if it is no good: nothing of it is left then. The disk's.
    pub(super) fn prepare(
        files: &SnapshotFiles,
        vote: StoredVote,
        receiver: SnapshotReceiver,
    ) -> io::Result<Prepared> {
        let verified = receiver.verify()?;
        let (covers, _removed) = snapshots::covers(verified.meta())?;
        let last = covers.last_log_id.map(Position::from);
        if last.is_some_and(|last| (last.term, last.node) > (vote.term, vote.node_id)) {
            let text = "a snapshot of a later term than its sender's";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let registry = snapshots::restore(verified.read()?, verified.meta())?;
        let file = SnapshotFile {
            meta: verified.publish()?,
            files: files.clone(),
        };
        Ok(Prepared {
            covers,
            file,
            registry,
        })
    }
}

impl Turn {
    /// Shows how far the snapshot has come.
    pub(super) fn show(&self, bytes: u64, size: u64) {
        *lock(&self.progress) = Some(Receiving { bytes, size });
    }

    /// Resolves when somebody else wants the turn.
    pub(super) async fn wanted(&mut self) {
        let number = self.number;
        if self.asked.wait_for(|asked| *asked > number).await.is_err() {
            // The node ends, and with it the connection.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.progress) = None;
    }
}

/// Two numbers are copied in one step, so a panic elsewhere leaves them whole.
fn lock(progress: &Mutex<Option<Receiving>>) -> std::sync::MutexGuard<'_, Option<Receiving>> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::registry::SnapshotRecord;
    use crate::store::MemFiles;
    use crate::store::files::{Files, SharedFiles};
    use crate::store::snapshot_files::SNAPSHOT_DIR;

    use super::super::records::snapshot_note;
    use super::super::types::{LogId, StoredMembership};
    use super::*;

    const VOTE: StoredVote = StoredVote {
        term: 2,
        node_id: 1,
        committed: true,
    };

    /// What a leader of `term` would send of a registry at index 7, with every record as `alter` leaves it.
    fn sent(term: u64, alter: impl Fn(&mut SnapshotRecord)) -> (SnapshotName, Vec<u8>) {
        let files: SharedFiles = Arc::new(MemFiles::new());
        let files = SnapshotFiles::open(files, None).unwrap();
        let mut registry = Registry::new();
        registry.skip(7);
        let last = Position {
            term,
            node: 1,
            index: 7,
        };
        let covers = RaftMeta {
            last_log_id: Some(LogId::from(last)),
            last_membership: StoredMembership::default(),
        };
        let (index, id) = (7, 3);
        let name = SnapshotName { term, index, id };
        let mut writer = files
            .begin(name, &snapshot_note(&covers, Vec::new()))
            .unwrap();
        for mut record in registry.snapshot().records() {
            alter(&mut record);
            writer.append(&record).unwrap();
        }
        let meta = writer.finish().unwrap();
        let size = usize::try_from(meta.size).unwrap();
        (name, files.source(&meta).unwrap().read_at(0, size).unwrap())
    }

    /// Takes it in; answers what is in the directory afterwards.
    fn prepared(name: SnapshotName, bytes: &[u8]) -> (io::Result<Prepared>, Vec<String>) {
        let disk = MemFiles::new();
        let shared: SharedFiles = Arc::new(disk.clone());
        let files = SnapshotFiles::open(shared, None).unwrap();
        let mut receiver = files.receive(name, bytes.len() as u64).unwrap();
        receiver.write_at(0, bytes).unwrap();
        let prepared = Inbound::prepare(&files, VOTE, receiver);
        (prepared, disk.list(SNAPSHOT_DIR).unwrap())
    }

    #[test]
    fn a_good_snapshot_becomes_one() {
        let (name, bytes) = sent(2, |_| {});
        let (prepared, files) = prepared(name, &bytes);
        assert_eq!(prepared.unwrap().registry.index(), 7);
        assert_eq!(files, [format!("{name}.snap")]);
    }

    #[test]
    fn one_whose_state_is_not_what_its_hash_says_never_does() {
        let (name, bytes) = sent(2, |record| {
            if let SnapshotRecord::Header(header) = record {
                header.lease_ms += 1;
            }
        });
        let (prepared, files) = prepared(name, &bytes);
        let error = prepared.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        assert!(error.to_string().contains("state hash"), "{error}");
        assert_eq!(files, Vec::<String>::new());
    }

    #[test]
    fn one_of_a_later_term_than_its_sender_never_does() {
        let (name, bytes) = sent(3, |_| {});
        let (prepared, files) = prepared(name, &bytes);
        assert_eq!(prepared.err().unwrap().kind(), io::ErrorKind::InvalidData);
        assert_eq!(files, Vec::<String>::new());
    }
}
