//! A node's state made wrong behind its back, every checksum right.
//!
//! Owns changing one entry of a stopped node's log, so that its state differs from then on and nothing
//! on its disk tells. Shared by tests and by the example `alter_state`, which fault rows run.

use std::path::Path;
use std::sync::Arc;

use eureka_raft::codec::{self, Format, Stored};
use eureka_raft::registry::{Command, Entry};
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::{Identity, IdentityFile};
use eureka_raft::store::log::{LogRecord, LogStorage};
use eureka_raft::store::sled_log::{END_FILE, LOG_DIR};
use eureka_raft::store::{DirFiles, SledLog};
use serde::{Deserialize, Serialize};

/// A record of the log as it lies on the disk: position, and what the entry is.
#[derive(Serialize, Deserialize)]
struct Raw {
    at: (u64, u64, u64),
    payload: RawPayload,
}

#[derive(Serialize, Deserialize)]
enum RawPayload {
    Blank,
    Normal(Vec<u8>),
}

impl Stored for Raw {
    const FORMAT: Format = Format::RAFT_LOG;
}

/// Shifts the wall clock of the last registration in the log of the stopped node at `root` by `shift`
/// ms; returns that entry's index. Different shifts make different states.
///
/// The log itself refuses to change what is committed, so a new one is written and put in its place.
pub fn alter(root: &Path, shift: u64) -> u64 {
    let forged = root.join("forged");
    let index = forge(root, &forged, shift);
    std::fs::remove_dir_all(root.join(LOG_DIR)).expect("the old log goes");
    for name in [LOG_DIR, END_FILE] {
        std::fs::rename(forged.join(name), root.join(name)).expect("the new log comes");
    }
    std::fs::remove_dir_all(forged).expect("what is left goes");
    index
}

fn forge(root: &Path, forged: &Path, shift: u64) -> u64 {
    let (old, identity) = open(root, None);
    let (new, _) = open(forged, Some(&identity.get()));
    let mut records = old.read(0..u64::MAX, usize::MAX).expect("the log is read");
    let place = records
        .iter()
        .rposition(|record| altered(record, shift).is_some());
    let place = place.expect("the log holds a registration");
    let index = records[place].index;
    records[place] = altered(&records[place], shift).expect("it was found so");
    if let Some((purged, note)) = old.bounds().expect("an open log").purged {
        new.purge_upto(purged, note);
    }
    new.append(records, Box::new(|synced| synced.expect("synced")));
    for log in [old, new] {
        LogStorage::close(&log).expect("the log closes");
    }
    index
}

/// The log at `root`; with an identity like `like` if there is none.
fn open(root: &Path, like: Option<&Identity>) -> (SledLog, IdentityFile) {
    let files: SharedFiles = Arc::new(DirFiles::open(root).expect("the node is stopped"));
    let identity = match like {
        None => IdentityFile::open(Arc::clone(&files))
            .expect("a whole identity")
            .expect("an identity"),
        Some(like) => IdentityFile::create(Arc::clone(&files), &like.name, like.incarnation)
            .expect("an empty directory"),
    };
    let log = SledLog::open(root, &files, identity.clone()).expect("a whole log");
    (log, identity)
}

fn altered(record: &LogRecord, shift: u64) -> Option<LogRecord> {
    let mut raw: Raw = codec::decode(&record.bytes, codec::FRAME_MAX).ok()?;
    let RawPayload::Normal(bytes) = &mut raw.payload else {
        return None;
    };
    let mut entry: Entry = codec::decode(bytes, codec::ENTRY_MAX).ok()?;
    let registers = |command: &Command| matches!(command, Command::Register(_));
    if !entry.commands.iter().any(registers) {
        return None;
    }
    entry.at.wall_ms += shift;
    *bytes = codec::encode(&entry);
    Some(LogRecord {
        index: record.index,
        bytes: codec::encode(&raw).into(),
    })
}
