//! Everything a data directory holds, line by line.
//!
//! Owns the order of the lines and what counts as damage. It may not print, and it goes on behind
//! damage: what can be read is what an operator has left.

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::raft::{EntryContent, EntryView, look_at_purge, look_at_record};
use crate::store::files::SharedFiles;
use crate::store::identity::{self, Identity, StoredVote};
use crate::store::log::LogRecord;
use crate::store::peer_memory::MemoryFile;
use crate::store::sled_log::{END_FILE, Found, LogCopy, carve, end_mark_of, strays};
use crate::store::snapshot_files::{SNAPSHOT_DIR, SnapshotFound};
use crate::store::{ANCESTRY_FILE, Ancestry, SnapshotFiles, StoppedDir};

use super::entry_text;
use super::scratch::{CopyError, copy_log};

/// The file damage of the log is in.
const LOG_FILE: &str = "log/db";

/// One line of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// One of the two identity slots that can be read.
    Slot {
        /// `META.a` or `META.b`.
        file: &'static str,
        /// The higher one counts.
        generation: u64,
        /// What it holds.
        identity: SlotText,
    },
    /// Where the log was last known to end.
    EndMark {
        /// `None` if there is no whole mark.
        index: Option<u64>,
    },
    /// A snapshot, read to its end.
    Snapshot {
        /// Its file below `snapshots/`.
        file: String,
        /// The last index it covers.
        index: u64,
        /// Its bytes.
        bytes: u64,
        /// Its records.
        records: u64,
    },
    /// The log as a whole.
    Log {
        /// Bytes of its files.
        bytes: u64,
        /// The last purged index, and its term.
        purged: Option<(u64, u64)>,
        /// Where it should begin.
        begins: Option<u64>,
    },
    /// One entry whose checksum matches.
    Entry(EntryText),
    /// One version of an entry, found in the bytes of a log that cannot be opened; its checksum matches.
    Carved(EntryText),
    /// Something that is not what was written there.
    Damage(Damage),
    /// The last line.
    End(Summary),
}

/// What an identity slot holds, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotText {
    /// The operator's name for the node.
    pub name: String,
    /// Its id, once known.
    pub id: Option<u64>,
    /// The directory's own id, 32 hex digits.
    pub incarnation: String,
    /// The cluster's id, 32 hex digits, once known.
    pub cluster: Option<String>,
    /// The highest vote: term, node, whether it led.
    pub vote: Option<(u64, u64, bool)>,
    /// The durable mark.
    pub mark: u64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryText {
    /// Its place in the log.
    pub index: u64,
    /// The term it was made in.
    pub term: u64,
    /// Who led that term.
    pub leader: u64,
    /// `blank`, `commands` or `membership`.
    pub kind: &'static str,
    /// When it was stamped, ms since the epoch, if it has commands.
    pub wall_ms: Option<u64>,
    /// What it does, a few words each.
    pub content: Vec<String>,
    /// Bytes of its record; the checksum over them matches.
    pub bytes: usize,
}

/// Damage, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file or directory, relative to the data directory.
    pub file: String,
    /// Where in it.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

/// What was found in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Entries whose checksum matches, in the range or not.
    pub entries: u64,
    /// The first of them.
    pub first: Option<u64>,
    /// The last of them.
    pub last: Option<u64>,
    /// Versions of entries that were carved out of a log that cannot be opened.
    pub carved: u64,
    /// Places that are damaged.
    pub damages: u64,
}

/// Why a dump ended early.
#[derive(Debug)]
pub enum DumpError {
    /// The log cannot be copied: nothing is known of it.
    Copy(CopyError),
    /// Whoever reads the lines has had enough, or cannot take more.
    Reader(io::Error),
}

/// Hands out the lines of `dir`; entries of `range` alone. `scratch` is a directory for the copy of
/// the log. Blocks.
///
/// # Errors
/// [`DumpError`]; damage is none.
pub fn dump(
    dir: StoppedDir,
    range: Range<u64>,
    scratch: &Path,
    sink: impl FnMut(Line) -> io::Result<()>,
) -> Result<Summary, DumpError> {
    let dir = Arc::new(dir);
    let files: SharedFiles = Arc::clone(&dir) as SharedFiles;
    let mut dump = Dump {
        range,
        sink,
        summary: Summary::default(),
        known: 0,
    };
    dump.run(&dir, &files, scratch)?;
    dump.put(Line::End(dump.summary))
        .map_err(DumpError::Reader)?;
    Ok(dump.summary)
}

struct Dump<S> {
    range: Range<u64>,
    sink: S,
    summary: Summary,
    /// The index up to which the log must reach.
    known: u64,
}

impl<S: FnMut(Line) -> io::Result<()>> Dump<S> {
    fn run(
        &mut self,
        dir: &StoppedDir,
        files: &SharedFiles,
        scratch: &Path,
    ) -> Result<(), DumpError> {
        let reader = DumpError::Reader;
        self.slots(files).map_err(reader)?;
        self.end_mark(files).map_err(reader)?;
        self.snapshots(files).map_err(reader)?;
        self.strays(files).map_err(reader)?;
        self.beside(files).map_err(reader)?;
        match copy_log(dir, scratch) {
            Ok((copy, bytes)) => self.log(&copy, bytes).map_err(reader),
            Err(CopyError::NoLog) if self.known == 0 => Ok(()),
            Err(CopyError::NoLog) => self
                .damage("log", "its files", "there are none, and there were entries")
                .map_err(reader),
            Err(CopyError::Log(error)) => self
                .damage(LOG_FILE, "opening", &error.to_string())
                .and_then(|()| self.carve(dir))
                .map_err(reader),
            Err(error) => Err(DumpError::Copy(error)),
        }
    }

    fn put(&mut self, line: Line) -> io::Result<()> {
        (self.sink)(line)
    }

    fn damage(&mut self, file: &str, place: &str, reason: &str) -> io::Result<()> {
        self.summary.damages += 1;
        self.put(Line::Damage(Damage {
            file: file.to_owned(),
            place: place.to_owned(),
            reason: reason.to_owned(),
        }))
    }

    fn slots(&mut self, files: &SharedFiles) -> io::Result<()> {
        for slot in identity::look(files) {
            match slot.content {
                Ok((generation, identity)) => {
                    self.known = self.known.max(identity.durable_mark);
                    self.put(Line::Slot {
                        file: slot.name,
                        generation,
                        identity: SlotText::from(&identity),
                    })?;
                }
                Err(damage) => self.damage(slot.name, "byte 0", &damage.to_string())?,
            }
        }
        Ok(())
    }

    fn end_mark(&mut self, files: &SharedFiles) -> io::Result<()> {
        match end_mark_of(files.as_ref()) {
            Ok(index) => {
                self.known = self.known.max(index.unwrap_or(0));
                self.put(Line::EndMark { index })
            }
            Err(error) => self.damage(END_FILE, "byte 0", &error.to_string()),
        }
    }

    fn snapshots(&mut self, files: &SharedFiles) -> io::Result<()> {
        let found = match SnapshotFiles::look(Arc::clone(files)) {
            Ok((_, found)) => found,
            Err(error) => return self.damage(SNAPSHOT_DIR, "its names", &error.to_string()),
        };
        for found in found {
            match found {
                SnapshotFound::Whole(meta) => self.put(Line::Snapshot {
                    file: format!("{}.snap", meta.name),
                    index: meta.name.index,
                    bytes: meta.size,
                    records: meta.records,
                })?,
                SnapshotFound::Damaged(name, error) => {
                    let file = format!("{SNAPSHOT_DIR}/{name}.snap");
                    self.damage(&file, "its bytes", &error.to_string())?;
                }
                // Removed by the next start, or somebody else's.
                SnapshotFound::Stray(_) => {}
            }
        }
        Ok(())
    }

    fn strays(&mut self, files: &SharedFiles) -> io::Result<()> {
        for stray in strays(files.as_ref()).unwrap_or_default() {
            if stray.starts_with("blobs/") {
                self.damage("log", &stray, "a value outside of the log's file")?;
            }
        }
        Ok(())
    }

    /// Where the cluster came from, and what was remembered of the peers.
    fn beside(&mut self, files: &SharedFiles) -> io::Result<()> {
        if let Err(error) = Ancestry::read(files) {
            self.damage(ANCESTRY_FILE, "byte 0", &error.to_string())?;
        }
        let remembered = MemoryFile::open(Arc::clone(files));
        let damage = match &remembered {
            Ok(memory) => memory.damage().map(str::to_owned),
            Err(error) => Some(error.to_string()),
        };
        damage.map_or(Ok(()), |damage| {
            self.damage("PEERS.a or PEERS.b", "byte 0", &damage)
        })
    }

    /// Without sled nothing says which version counts, nor whether one is missing.
    fn carve(&mut self, dir: &StoppedDir) -> io::Result<()> {
        let carved = carve(dir.root(), |record| {
            self.summary.carved += 1;
            match look_at_record(&record) {
                Ok(view) if self.range.contains(&record.index) => {
                    self.put(Line::Carved(entry_text(&view, record.bytes.len())))
                }
                // What decodes to no entry was none.
                _ => Ok(()),
            }
        });
        match carved {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn log(&mut self, copy: &LogCopy, bytes: u64) -> io::Result<()> {
        let purged = match copy.purged() {
            Ok(purged) => purged,
            Err(reason) => {
                self.damage(LOG_FILE, "the purge mark", &reason)?;
                None
            }
        };
        let purged_at = purged.map(|(index, note)| {
            let term = look_at_purge(&note).map_or(0, |last| last.term);
            (index, term)
        });
        let begins = copy.origin().unwrap_or_default();
        self.put(Line::Log {
            bytes,
            purged: purged_at,
            begins,
        })?;
        let mut failed = Ok(());
        let mut next = begins;
        copy.walk(|found| {
            failed = self.found(found, &mut next);
            match failed {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        failed?;
        self.check_reach(purged_at.map(|(index, _)| index))
    }

    fn found(&mut self, found: Found, next: &mut Option<u64>) -> io::Result<()> {
        match found {
            Found::Damage { place, reason } => self.damage(LOG_FILE, &place, &reason),
            // Purged, and not yet removed.
            Found::Record(record) if next.is_some_and(|next| record.index < next) => Ok(()),
            Found::Record(record) => {
                if let Some(expected) = next.filter(|next| *next != record.index) {
                    let last = record.index - 1;
                    let place = format!("entries {expected} to {last}");
                    self.damage(LOG_FILE, &place, "missing")?;
                }
                *next = Some(record.index + 1);
                self.record(&record)
            }
        }
    }

    fn record(&mut self, record: &LogRecord) -> io::Result<()> {
        self.summary.entries += 1;
        self.summary.first = self.summary.first.or(Some(record.index));
        self.summary.last = Some(record.index);
        let place = format!("entry {}", record.index);
        let view = match look_at_record(record) {
            Ok(view) => view,
            Err(error) => return self.damage(LOG_FILE, &place, &error.to_string()),
        };
        if let EntryContent::Commands(Err(error)) = &view.content {
            return self.damage(LOG_FILE, &place, &error.to_string());
        }
        if !self.range.contains(&record.index) {
            return Ok(());
        }
        self.put(Line::Entry(entry_text(&view, record.bytes.len())))
    }

    fn check_reach(&mut self, purged: Option<u64>) -> io::Result<()> {
        let reach = self.summary.last.max(purged).unwrap_or(0);
        if reach >= self.known {
            return Ok(());
        }
        let known = self.known;
        let reason = format!("the log ends at {reach}, and is known to have reached {known}");
        self.damage(LOG_FILE, "its end", &reason)
    }
}

impl From<&Identity> for SlotText {
    fn from(identity: &Identity) -> Self {
        let vote = |vote: &StoredVote| (vote.term, vote.node_id, vote.committed);
        Self {
            name: identity.name.clone(),
            id: identity.node_id,
            incarnation: format!("{:032x}", identity.incarnation),
            cluster: identity.cluster_id.map(|id| format!("{id:032x}")),
            vote: identity.vote.as_ref().map(vote),
            mark: identity.durable_mark,
        }
    }
}

fn entry_text(view: &EntryView, bytes: usize) -> EntryText {
    let (kind, wall_ms, content) = match &view.content {
        EntryContent::Blank | EntryContent::Commands(Err(_)) => ("blank", None, Vec::new()),
        EntryContent::Commands(Ok(entry)) => {
            let content = entry.commands.iter().map(entry_text::command).collect();
            ("commands", Some(entry.at.wall_ms), content)
        }
        EntryContent::Membership(members) => {
            ("membership", None, vec![entry_text::membership(members)])
        }
    };
    EntryText {
        index: view.at.index,
        term: view.at.term,
        leader: view.at.leader,
        kind,
        wall_ms,
        content,
        bytes,
    }
}
