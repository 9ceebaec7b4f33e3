//! What the storage tests share: a node's storage in a directory, and records whose content follows
//! from their index.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use bytes::Bytes;
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::{IdentityFile, StoredVote};
use eureka_raft::store::log::{LogRecord, LogStorage};
use eureka_raft::store::{DirFiles, OpenError, SledLog};

/// The storage of one node.
pub(crate) struct Node {
    pub(crate) identity: IdentityFile,
    pub(crate) log: SledLog,
}

/// Opens, or creates, a node's storage in `root`.
pub(crate) fn open(root: &Path) -> Result<Node, OpenError> {
    let files: SharedFiles = Arc::new(DirFiles::open(root)?);
    open_on(root, &files)
}

/// The same on files that may misbehave.
pub(crate) fn open_on(root: &Path, files: &SharedFiles) -> Result<Node, OpenError> {
    let identity = match IdentityFile::open(Arc::clone(files))? {
        Some(identity) => identity,
        None => IdentityFile::create(Arc::clone(files), "node-1", 7)?,
    };
    let log = SledLog::open(root, files, identity.clone())?;
    Ok(Node { identity, log })
}

/// The record that belongs at `index`: `len` bytes, different for each index and generation.
pub(crate) fn record(index: u64, generation: u8, len: usize) -> LogRecord {
    let seed = index.to_le_bytes();
    let bytes: Vec<u8> = (0..len)
        .map(|at| seed[at % 8] ^ (at / 8) as u8 ^ generation)
        .collect();
    LogRecord {
        index,
        bytes: Bytes::from(bytes),
    }
}

/// Submits `records` and waits until they are durable.
pub(crate) fn append(log: &SledLog, records: Vec<LogRecord>) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    log.append(
        records,
        Box::new(move |result| sender.send(result).unwrap()),
    );
    receiver.recv().unwrap()
}

/// Everything the log holds.
pub(crate) fn read_all(log: &SledLog) -> Vec<LogRecord> {
    log.read(0..u64::MAX, usize::MAX).unwrap()
}

/// Stores a vote for `term` and waits until it is durable.
pub(crate) fn save_vote(log: &SledLog, term: u64) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    let vote = StoredVote {
        term,
        node_id: 1,
        committed: false,
    };
    log.save_vote(vote, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}
