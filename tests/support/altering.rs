//! A node's state made wrong behind its back, every checksum right.
//!
//! Owns changing one entry of a stopped node's log, so that its state differs from then on and nothing
//! on its disk tells. Shared by tests and by the example `alter_state`, which fault rows run.

use std::path::Path;
use std::sync::Arc;

use eureka_raft::codec::{self, Format, Stored};
use eureka_raft::registry::{Command, Entry};
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::IdentityFile;
use eureka_raft::store::log::{LogRecord, LogStorage};
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
pub fn alter(root: &Path, shift: u64) -> u64 {
    let files: SharedFiles = Arc::new(DirFiles::open(root).expect("the node is stopped"));
    let identity = IdentityFile::open(Arc::clone(&files)).expect("a whole identity");
    let log = SledLog::open(root, &files, identity.expect("an identity")).expect("a whole log");
    let mut records = log.read(0..u64::MAX, usize::MAX).expect("the log is read");
    let place = records
        .iter()
        .rposition(|record| altered(record, shift).is_some());
    let place = place.expect("the log holds a registration");
    let index = records[place].index;
    records[place] = altered(&records[place], shift).expect("it was found so");
    log.truncate_after(index - 1);
    log.append(
        records.split_off(place),
        Box::new(|synced| synced.expect("synced")),
    );
    LogStorage::close(&log).expect("the log closes");
    index
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
