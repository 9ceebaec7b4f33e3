//! openraft's own storage suite on our adapters: over sled, and over a log in memory.
//!
//! Owns the in-memory engine, which shows that the adapters lean on nothing but [`LogStorage`].

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use openraft::entry::RaftEntry;
use openraft::storage::RaftStateMachine;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, StorageError};

use crate::store::files::SharedFiles;
use crate::store::identity::{IdentityFile, StoredVote};
use crate::store::log::{LogBounds, LogRecord, LogStorage, Synced};
use crate::store::{DirFiles, MemFiles, SledLog, SnapshotFiles};

use super::error::Failure;
use super::failure::FailureCell;
use super::log_store::LogStore;
use super::removed::RemovedMembers;
use super::state_machine::{MachineParts, StateMachine};
use super::types::{Blob, LeaderId, LogEntry, LogId, TypeConfig};

/// A log in memory that is synced at once.
#[derive(Default)]
struct MemLog(Mutex<MemInner>);

#[derive(Default)]
struct MemInner {
    records: BTreeMap<u64, Bytes>,
    purged: Option<(u64, Bytes)>,
    vote: Option<StoredVote>,
}

impl LogStorage for MemLog {
    fn bounds(&self) -> io::Result<LogBounds> {
        let inner = self.0.lock().unwrap();
        let first = inner.records.keys().next().copied();
        let last = inner.records.keys().next_back().copied();
        Ok(LogBounds {
            purged: inner.purged.clone(),
            first,
            last,
        })
    }

    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogRecord>> {
        let inner = self.0.lock().unwrap();
        let mut bytes = 0;
        let taken = inner.records.range(range).take_while(|(_, record)| {
            let fits = bytes == 0 || bytes + record.len() <= max_bytes;
            bytes += record.len();
            fits
        });
        Ok(taken
            .map(|(index, bytes)| LogRecord {
                index: *index,
                bytes: bytes.clone(),
            })
            .collect())
    }

    fn append(&self, records: Vec<LogRecord>, synced: Synced) {
        let mut inner = self.0.lock().unwrap();
        inner.records.extend(
            records
                .into_iter()
                .map(|record| (record.index, record.bytes)),
        );
        drop(inner);
        synced(Ok(()));
    }

    fn truncate_after(&self, last_kept: u64) {
        self.0
            .lock()
            .unwrap()
            .records
            .retain(|index, _| *index <= last_kept);
    }

    fn truncate_all(&self) {
        self.0.lock().unwrap().records.clear();
    }

    fn purge_upto(&self, upto: u64, note: Bytes) {
        let mut inner = self.0.lock().unwrap();
        inner.records.retain(|index, _| *index > upto);
        inner.purged = Some((upto, note));
    }

    fn save_vote(&self, vote: StoredVote, synced: Synced) {
        self.0.lock().unwrap().vote = Some(vote);
        synced(Ok(()));
    }

    fn vote(&self) -> Option<StoredVote> {
        self.0.lock().unwrap().vote
    }

    fn note_committed(&self, _index: u64) {}
}

async fn machine(snapshots: SnapshotFiles, log: &LogStore) -> StateMachine {
    let parts = MachineParts {
        snapshots,
        failure: FailureCell::new(),
        removed: RemovedMembers::default(),
        appended_bytes: log.appended_bytes(),
        builder: 1,
    };
    StateMachine::open(parts).await.unwrap()
}

struct InSled;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, tempfile::TempDir> for InSled {
    async fn build(
        &self,
    ) -> Result<(tempfile::TempDir, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let files: SharedFiles = Arc::new(DirFiles::open(dir.path()).unwrap());
        let identity = IdentityFile::create(Arc::clone(&files), "a", 1).unwrap();
        let log = SledLog::open(dir.path(), &files, identity).unwrap();
        let log = LogStore::new(Arc::new(log), FailureCell::new()).unwrap();
        let machine = machine(SnapshotFiles::open(files, None).unwrap(), &log).await;
        Ok((dir, log, machine))
    }
}

struct InMemory;

impl StoreBuilder<TypeConfig, LogStore, StateMachine> for InMemory {
    async fn build(&self) -> Result<((), LogStore, StateMachine), StorageError<TypeConfig>> {
        let log = LogStore::new(Arc::new(MemLog::default()), FailureCell::new()).unwrap();
        let files: SharedFiles = Arc::new(MemFiles::new());
        let machine = machine(SnapshotFiles::open(files, None).unwrap(), &log).await;
        Ok(((), log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_suite_passes_over_sled() {
    Suite::test_all(InSled).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_suite_passes_over_a_log_in_memory() {
    Suite::test_all(InMemory).await.unwrap();
}

#[tokio::test]
async fn an_entry_that_cannot_be_decoded_stops_the_node_and_is_not_skipped() {
    let ((), _log, mut machine) = InMemory.build().await.unwrap();
    let failure = machine.failure().subscribe();
    let at = LogId::new(LeaderId::new(1, 1), 1);
    let blob = Blob(Bytes::from_static(b"written by a newer release"));
    let entry = LogEntry::new(at, EntryPayload::Normal(blob));
    let applied = machine.apply(stream::iter([Ok((entry, None))])).await;
    assert!(applied.is_err());
    assert_eq!(machine.last(), None);
    assert!(matches!(*failure.borrow(), Some(Failure::Storage(_))));
}
