//! A data directory with a life behind it, at several moments, and what was acknowledged by then.
//!
//! Owns the recording that the damages are done to: real appends, votes, truncations, snapshots and
//! purges through the product's own code. It may not damage anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use eureka_raft::codec::{Format, Stored};
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::{IdentityFile, StoredVote};
use eureka_raft::store::log::{LogRecord, LogStorage};
use eureka_raft::store::snapshot_files::{SnapshotName, SnapshotReader};
use eureka_raft::store::{DirFiles, OpenError, SledLog, SnapshotFiles};
use serde::{Deserialize, Serialize};

use crate::log_refuses_what_is_doubtful::copy_dir;
use crate::support::{append, record, save_vote};

/// Stands in for the registry's records, whose content is not the store's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row(u64, String);

impl Stored for Row {
    const FORMAT: Format = Format::SNAPSHOT_RECORD;
}

/// What a node has told others that it holds.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    incarnation: u128,
    vote: Option<StoredVote>,
    /// From the first index on; purged ones included.
    records: Vec<LogRecord>,
}

/// A data directory as it was at some moment, and what was acknowledged by then.
pub(super) struct Moment {
    pub(super) dir: PathBuf,
    pub(super) known: Acknowledged,
}

/// One node's moments, oldest first, and how it ended.
pub(super) struct Recording {
    /// While it ran.
    pub(super) before: Vec<Moment>,
    /// As `kill -9` leaves it when a truncated log is still shorter than it was before.
    pub(super) shortened: Moment,
    /// As `kill -9` leaves it.
    pub(super) killed: Moment,
    /// As a clean stop leaves it.
    pub(super) stopped: Moment,
}

/// The open storage of one node.
struct Open {
    identity: IdentityFile,
    log: SledLog,
    snapshots: SnapshotFiles,
}

fn open(root: &Path) -> Result<Option<Open>, OpenError> {
    let files: SharedFiles = Arc::new(DirFiles::open(root)?);
    let Some(identity) = IdentityFile::open(Arc::clone(&files))? else {
        return Ok(None);
    };
    let log = SledLog::open(root, &files, identity.clone())?;
    let purged = log.bounds().unwrap().purged.map(|(index, _)| index);
    let snapshots = SnapshotFiles::open(files, purged)?;
    Ok(Some(Open {
        identity,
        log,
        snapshots,
    }))
}

impl Recording {
    /// Lives the life of the node `incarnation` below `root`.
    pub(super) fn make(root: &Path, incarnation: u128) -> Self {
        let live = root.join("live");
        let files: SharedFiles = Arc::new(DirFiles::open(&live).unwrap());
        let made = IdentityFile::create(files, "node-1", incarnation).unwrap();
        made.update(|identity| {
            identity.cluster_id = Some(incarnation + 1_000);
            identity.node_id = Some(1);
        })
        .unwrap();
        drop(made);
        let mut life = Life {
            open: open(&live).unwrap(),
            live,
            root: root.to_owned(),
            known: Acknowledged {
                incarnation,
                vote: None,
                records: Vec::new(),
            },
            generation: incarnation as u8,
        };
        let mut before = Vec::new();
        life.vote(1);
        life.append(300, 120);
        before.push(life.copy("founded"));
        life.generation += 1;
        life.append(600, 200);
        before.push(life.copy("before-truncation"));
        life.truncate(700);
        life.vote(3);
        life.generation += 1;
        life.append(100, 150);
        let shortened = life.copy("shortened");
        life.reopen();
        life.append(300, 150);
        life.snapshot(500);
        before.push(life.copy("before-purge"));
        life.snapshot(900);
        life.purge(450);
        life.vote(4);
        life.append(1, 20_000);
        life.append(300, 100);
        before.push(life.copy("purged"));
        life.vote(5);
        life.append(20, 90);
        let killed = life.copy("killed");
        life.open().log.close().unwrap();
        let stopped = life.copy("stopped");
        Self {
            before,
            shortened,
            killed,
            stopped,
        }
    }
}

struct Life {
    root: PathBuf,
    live: PathBuf,
    /// `None` only between a stop and a start.
    open: Option<Open>,
    known: Acknowledged,
    generation: u8,
}

impl Life {
    /// A clean stop and a start: sled writes a file of its own at the latter.
    fn reopen(&mut self) {
        self.open = None;
        self.open = open(&self.live).unwrap();
    }

    fn open(&self) -> &Open {
        self.open.as_ref().unwrap()
    }

    fn append(&mut self, count: u64, len: usize) {
        let from = self.known.records.len() as u64;
        for start in (from..from + count).step_by(37) {
            let end = (start + 37).min(from + count);
            let batch: Vec<_> = (start..end)
                .map(|i| record(i, self.generation, len))
                .collect();
            append(&self.open().log, batch.clone()).unwrap();
            self.known.records.extend(batch);
            self.open().log.note_committed(start.saturating_sub(300));
        }
    }

    fn vote(&mut self, term: u64) {
        save_vote(&self.open().log, term).unwrap();
        self.known.vote = Some(StoredVote {
            term,
            node_id: 1,
            committed: false,
        });
    }

    fn truncate(&mut self, last_kept: u64) {
        self.open().log.truncate_after(last_kept);
        self.known.records.truncate(last_kept as usize + 1);
        append(&self.open().log, Vec::new()).unwrap();
    }

    fn snapshot(&mut self, index: u64) {
        let mut writer = self.open().snapshots.begin(name(index), b"note").unwrap();
        for row in rows(index) {
            writer.append(&row).unwrap();
        }
        writer.finish().unwrap();
    }

    fn purge(&mut self, upto: u64) {
        self.open()
            .log
            .purge_upto(upto, Bytes::from_static(b"note"));
        append(&self.open().log, Vec::new()).unwrap();
    }

    /// The directory as it is: nothing is being written, so it is also what a kill would leave.
    fn copy(&self, moment: &str) -> Moment {
        let known = self.known.clone();
        for attempt in 0.. {
            let dir = self.root.join(format!("{moment}-{attempt}"));
            copy_dir(&self.live, &dir);
            // sled's flusher may have been at work in the middle of copying.
            let probe = self.root.join(format!("{moment}-{attempt}-probe"));
            copy_dir(&dir, &probe);
            match judge(&probe, &known) {
                Verdict::Whole => return Moment { dir, known },
                verdict => assert!(attempt < 10, "{moment}: {verdict:?}"),
            }
        }
        unreachable!("ten attempts are made at most");
    }
}

fn name(index: u64) -> SnapshotName {
    SnapshotName {
        term: 3,
        index,
        id: 0xABCD,
    }
}

fn rows(index: u64) -> Vec<Row> {
    (0..40)
        .map(|row| Row(index, format!("{index}-{row} ").repeat(30)))
        .collect()
}

/// What opening a directory came to.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "what was lost is for the one who reads the test's output"
)]
pub(super) enum Verdict {
    /// Everything acknowledged is there.
    Whole,
    /// It was refused, with this code and these words.
    Refused(u8, String),
    /// It opened, and something acknowledged is not there.
    Lost(String),
}

/// Opens `dir` as a start does and compares what it holds with what was acknowledged.
pub(super) fn judge(dir: &Path, known: &Acknowledged) -> Verdict {
    match open(dir) {
        Err(error) => Verdict::Refused(error.exit_code(), error.to_string()),
        Ok(None) => Verdict::Lost("it counts as empty".to_owned()),
        Ok(Some(open)) => match known.missing_in(&open) {
            None => Verdict::Whole,
            Some(what) => Verdict::Lost(what),
        },
    }
}

impl Acknowledged {
    fn missing_in(&self, open: &Open) -> Option<String> {
        let identity = open.identity.get();
        if identity.incarnation != self.incarnation {
            return Some("it is another directory".to_owned());
        }
        if identity.cluster_id != Some(self.incarnation + 1_000) || identity.vote < self.vote {
            return Some(format!("identity {identity:?}"));
        }
        let bounds = open.log.bounds().unwrap();
        let purged = bounds.purged.map(|(index, _)| index);
        if let Some(what) = missing_snapshot(&open.snapshots, purged) {
            return Some(what);
        }
        let first = purged.map_or(0, |index| index as usize + 1);
        let found = match open.log.read(0..u64::MAX, usize::MAX) {
            Ok(found) => found,
            // The log has failed in time: the process ends with 74 and nothing was served.
            Err(_) => return None,
        };
        let wanted = self.records.get(first..).unwrap_or_default();
        (!found.starts_with(wanted)).then(|| {
            let at = wanted.iter().zip(&found).position(|(a, b)| a != b);
            format!(
                "entries: {} of {}, differing at {at:?}",
                found.len(),
                wanted.len()
            )
        })
    }
}

fn missing_snapshot(snapshots: &SnapshotFiles, purged: Option<u64>) -> Option<String> {
    let Some(meta) = snapshots.latest() else {
        return purged.map(|index| format!("no snapshot, and nothing up to {index}"));
    };
    let read = snapshots.read(&meta).and_then(all_rows);
    match read {
        Ok(found) if found == rows(meta.name.index) => None,
        Ok(_) => Some(format!("another content in snapshot {}", meta.name)),
        Err(error) => Some(error.to_string()),
    }
}

fn all_rows(mut reader: SnapshotReader) -> std::io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row);
    }
    Ok(rows)
}
