//! How a log is opened: every doubt is a refusal.
//!
//! Owns the order of the steps and the walk over everything held. It may not repair: a log that is
//! not whole is for the operator, and the node comes back by snapshot under a new id. The one
//! exception is a record whose last parts were never written: it was never acknowledged.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::super::error::OpenError;
use super::super::files::Files;
use super::super::identity::{Identity, StoredVote};
use super::super::log::LogRecord;
use super::super::sync_file_range;
use super::conf;
use super::end_mark::{self, END_FILE, End, EndMark, Found};
use super::engine::{self, Engine, ORIGIN, PURGED, parse_purged};
use super::guard::guarded;
use super::tail::{TAIL_BYTES, TAIL_RECORDS, Tail};
use super::value::{Assembler, Key, Packer};

/// sled's directory below the data directory.
pub const LOG_DIR: &str = "log";
/// sled's one file.
pub(super) const DB_FILE: &str = "log/db";
/// A target, not a cap: up to three times as much resident memory was seen.
const CACHE_BYTES: u64 = 64 << 20;
/// sled collects its garbage only in the thread that this drives; it is no durability mechanism.
const FLUSH_EVERY_MS: u64 = 500;

/// How long to wait for a log that this process has just closed: 250 times 20 ms.
const CLOSE_WAITS: u32 = 250;
const CLOSE_WAIT: Duration = Duration::from_millis(20);

const FORMAT: &str = "format";
const FORMAT_VERSION: &[u8] = &[1];
const SELF_TEST: &str = "self-test";
/// The incarnation of the data directory, u128 LE.
const OWNER: &str = "owner";

/// A log found whole.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) tail: Tail,
    pub(super) end_mark: EndMark,
}

/// Opens the log below `root`, which belongs to `identity`.
pub(super) fn open(
    root: &Path,
    files: &dyn Files,
    identity: &Identity,
) -> Result<Opened, OpenError> {
    let end = end_mark::read(files, identity.incarnation)?;
    if let Found::Whole(end) = &end {
        check_end(end, identity)?;
    }
    prepare(files)?;
    conf::settle(files)?;
    refuse_blobs(files)?;
    let db = open_sled(&root.join(LOG_DIR))?;
    files
        .sync_dir(LOG_DIR)
        .map_err(OpenError::io("sync the log directory"))?;
    // Reading rotten pages makes sled panic as often as not. It is then never closed: that would wait
    // for threads that may have died with it.
    let held = db.clone();
    guarded(|| verify(db, files, identity, end)).unwrap_or_else(|panic| {
        std::mem::forget(held);
        Err(OpenError::corrupt(DB_FILE, "a page of the log", panic))
    })
}

/// Identity and log are each whole by themselves: whether they are of one node and one moment.
fn check_end(end: &End, identity: &Identity) -> Result<(), OpenError> {
    if end.owner != identity.incarnation {
        return Err(OpenError::foreign(
            END_FILE,
            format!(
                "it is of incarnation {:032x}, META.a and META.b are of {:032x}",
                end.owner, identity.incarnation
            ),
        ));
    }
    if end.vote > identity.vote {
        let (found, known) = (identity.vote, end.vote);
        return Err(OpenError::foreign(
            "META.a and META.b",
            format!("they hold the vote {found:?}, and {END_FILE} knows of {known:?}"),
        ));
    }
    Ok(())
}

/// A kill inside sled's own opening leaves a half-written `snap.*.generating`, which it would then
/// take for the newest snapshot and fail on for ever. The real one is renamed only when synced.
fn prepare(files: &dyn Files) -> Result<(), OpenError> {
    let made = files
        .create_dir(LOG_DIR)
        .and_then(|()| files.sync_dir(""))
        .and_then(|()| files.list(LOG_DIR));
    let names = made.map_err(OpenError::io("create the log directory"))?;
    for name in names {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            files
                .remove(&format!("{LOG_DIR}/{name}"))
                .map_err(OpenError::io(format!("remove {LOG_DIR}/{name}")))?;
        }
    }
    Ok(())
}

/// sled's background threads outlive its closing by a moment and hold its file. Whoever closes and
/// opens a log in one process waits for them here; another process is kept out by the directory's lock.
fn await_last_close(db: &Path) {
    for _ in 0..CLOSE_WAITS {
        // No file, or none that can be opened: sled will say so itself.
        let Ok(file) = std::fs::File::open(db) else {
            return;
        };
        if file.try_lock().is_ok() {
            return;
        }
        std::thread::park_timeout(CLOSE_WAIT);
    }
}

pub(super) fn open_sled(path: &Path) -> Result<sled::Db, OpenError> {
    conf::check(path)?;
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_EVERY_MS));
    await_last_close(&path.join("db"));
    let opened = guarded(|| config.open());
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(sled::Error::Io(source))) => {
            Err(OpenError::io(format!("open {}", path.display()))(source))
        }
        Ok(Err(error)) => Err(OpenError::corrupt(DB_FILE, "opening", error.to_string())),
        Err(panic) => Err(OpenError::corrupt(DB_FILE, "opening", panic)),
    }
}

/// sled never syncs the files in which it keeps values too large for its pages. Ours never are.
fn refuse_blobs(files: &dyn Files) -> Result<(), OpenError> {
    let blobs = format!("{LOG_DIR}/blobs");
    let names = match files.list(&blobs) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(OpenError::io(format!("list {blobs}")))?,
    };
    match names.first() {
        None => Ok(()),
        Some(name) => Err(OpenError::corrupt(
            blobs,
            name,
            "a value outside of the log's file",
        )),
    }
}

fn verify(
    db: sled::Db,
    files: &dyn Files,
    identity: &Identity,
    end: Found,
) -> Result<Opened, OpenError> {
    let tree = |name: &str| {
        db.open_tree(name)
            .map_err(|error| OpenError::corrupt(DB_FILE, format!("tree {name}"), error.to_string()))
    };
    let (log, meta) = (tree("log")?, tree("meta")?);
    check_format(&meta)?;
    check_owner(&meta, identity.incarnation)?;
    check_vote(&meta, identity.vote)?;
    self_test(&db, &meta)?;
    let purged = read_purged(&meta)?;
    let witness = match &end {
        Found::Whole(end) => Some(end.index),
        Found::Nothing(_) => None,
    };
    let walked = walk(
        &log,
        &meta,
        purged.as_ref().map(|(index, _)| *index),
        witness,
    )?;
    let last = walked.held.map(|(_, last)| last);
    let reach = last.max(purged.as_ref().map(|(index, _)| *index));
    let end_mark = check_reach(files, identity, end, &walked, reach)?;
    remove_torn(&log, walked.torn)?;
    let db_file = files
        .open(DB_FILE)
        .map_err(OpenError::io(format!("open {DB_FILE}")))?;
    let engine = Engine {
        db,
        log,
        meta,
        db_file,
        packer: Packer::default(),
        purged: purged.as_ref().map(|(index, _)| *index),
        last,
        last_crc: walked
            .hot
            .back()
            .map(|record| crc32fast::hash(&record.bytes)),
    };
    let tail = Tail::opened(purged, walked.held, walked.hot);
    Ok(Opened {
        engine,
        tail,
        end_mark,
    })
}

/// Whether what was found reaches as far as it is known to, with the record it is known to end with.
fn check_reach(
    files: &dyn Files,
    identity: &Identity,
    end: Found,
    walked: &Walked,
    reach: Option<u64>,
) -> Result<EndMark, OpenError> {
    let known = match &end {
        Found::Whole(end) => end.index.max(identity.durable_mark),
        Found::Nothing(_) => identity.durable_mark,
    };
    if reach.unwrap_or(0) < known {
        return Err(OpenError::Regressed {
            known,
            found: reach,
        });
    }
    match (end, reach) {
        (Found::Whole(end), _) if walked.contradicts(&end) => Err(OpenError::foreign(
            DB_FILE,
            format!(
                "entry {} is not the one that {END_FILE} knows of",
                end.index
            ),
        )),
        (Found::Whole(end), _) => {
            EndMark::open(files, end).map_err(OpenError::io(format!("open {END_FILE}")))
        }
        // It is made durable before the first entry: only the first opening can be without it.
        (Found::Nothing(_), None) => EndMark::create(files, identity.incarnation)
            .map_err(OpenError::io(format!("create {END_FILE}"))),
        (Found::Nothing(why), Some(reach)) => Err(OpenError::corrupt(
            END_FILE,
            "byte 0",
            format!(
                "{why}, and without it nobody can tell whether the log, found up to entry {reach}, is all there"
            ),
        )),
    }
}

/// Whose log it is; noted when it is made.
fn check_owner(meta: &sled::Tree, incarnation: u128) -> Result<(), OpenError> {
    let found = meta
        .get(OWNER)
        .map_err(|error| OpenError::corrupt(DB_FILE, "the owner's mark", error.to_string()))?;
    match found {
        Some(found) if *found == incarnation.to_le_bytes() => Ok(()),
        Some(found) => Err(OpenError::foreign(
            DB_FILE,
            format!("it belongs to another data directory: {found:?}"),
        )),
        None => engine::insert(meta, OWNER, &incarnation.to_le_bytes())
            .map_err(OpenError::io("write the log's owner")),
    }
}

fn check_format(meta: &sled::Tree) -> Result<(), OpenError> {
    let found = meta
        .get(FORMAT)
        .map_err(|error| OpenError::corrupt(DB_FILE, "the format mark", error.to_string()))?;
    match found {
        Some(found) if found == FORMAT_VERSION => Ok(()),
        Some(found) => Err(OpenError::Newer {
            file: DB_FILE.to_owned(),
            reason: format!("log format {found:?}, this release knows {FORMAT_VERSION:?}"),
        }),
        None => engine::insert(meta, FORMAT, FORMAT_VERSION)
            .map_err(OpenError::io("write the log's format mark")),
    }
}

/// The vote that was stored when the log was last opened, or voted with: the identity's is at least that.
fn check_vote(meta: &sled::Tree, vote: Option<StoredVote>) -> Result<(), OpenError> {
    let found = meta
        .get(engine::VOTE)
        .map_err(|error| OpenError::corrupt(DB_FILE, "the vote's mark", error.to_string()))?;
    let known = found.as_deref().map(engine::parse_vote);
    let known = known
        .transpose()
        .map_err(|reason| OpenError::corrupt(DB_FILE, "the vote's mark", reason))?;
    match vote {
        _ if known > vote => Err(OpenError::foreign(
            "META.a and META.b",
            format!("they hold the vote {vote:?}, and {DB_FILE} knows of {known:?}"),
        )),
        Some(vote) => engine::insert(meta, engine::VOTE, &engine::vote_bytes(vote))
            .map_err(OpenError::io("write the vote's mark")),
        None => Ok(()),
    }
}

/// Refuses to serve if the linker did not put our `sync_file_range` in place of the C library's.
fn self_test(db: &sled::Db, meta: &sled::Tree) -> Result<(), OpenError> {
    // sled writes nothing when the value is there already: each start has to write another one.
    let last = meta.get(SELF_TEST).map_err(engine::sled_error);
    let last = last.map_err(OpenError::io("read the log's self-test"))?;
    let last = last.and_then(|bytes| Some(u64::from_le_bytes(bytes.as_ref().try_into().ok()?)));
    let next = last.unwrap_or(0).wrapping_add(1);
    let before = sync_file_range::calls();
    let flushed = engine::insert(meta, SELF_TEST, &next.to_le_bytes())
        .and_then(|()| db.flush().map_err(engine::sled_error));
    flushed.map_err(OpenError::io("write the log's self-test"))?;
    if cfg!(target_os = "linux") && sync_file_range::calls() == before {
        return Err(OpenError::io("test that the log syncs")(
            std::io::Error::other("sled's writes do not reach fdatasync in this build"),
        ));
    }
    Ok(())
}

fn read_purged(meta: &sled::Tree) -> Result<Option<(u64, Bytes)>, OpenError> {
    let damaged = |reason: String| OpenError::corrupt(DB_FILE, "the purge mark", reason);
    let found = meta
        .get(PURGED)
        .map_err(|error| damaged(error.to_string()))?;
    found
        .map(|bytes| parse_purged(&bytes).map_err(damaged))
        .transpose()
}

/// What a walk over the log found.
struct Walked {
    /// First and last index held.
    held: Option<(u64, u64)>,
    /// The newest records.
    hot: VecDeque<LogRecord>,
    /// A last record of which parts are missing.
    torn: Option<u64>,
    /// The record that is known from outside, and the checksum of what was found there.
    witness: Option<u64>,
    witness_crc: Option<u32>,
}

/// Reads everything behind the purge mark: each record's checksum, and that none is missing.
fn walk(
    log: &sled::Tree,
    meta: &sled::Tree,
    purged: Option<u64>,
    witness: Option<u64>,
) -> Result<Walked, OpenError> {
    let damaged = |place: String, reason: String| OpenError::corrupt(DB_FILE, place, reason);
    let from = purged.map_or(0, |index| index + 1);
    let start = engine::start_key(log, from)
        .map_err(|error| damaged(format!("entry {from}"), error.to_string()))?;
    let mut assembler = Assembler::default();
    let mut walked = Walked {
        held: None,
        hot: VecDeque::new(),
        torn: None,
        witness,
        witness_crc: None,
    };
    let mut hot_bytes = 0;
    for item in log.range(start.to_bytes()..) {
        let next = walked.held.map_or(from, |(_, last)| last + 1);
        let near = || format!("entry {next}");
        let (key, value) = item.map_err(|error| damaged(near(), error.to_string()))?;
        let key = Key::parse(&key).map_err(|reason| damaged(near(), reason))?;
        let records = assembler
            .push(key, &value)
            .map_err(|reason| damaged(format!("entry {}", key.index), reason))?;
        for record in records.into_iter().filter(|record| record.index >= from) {
            walked.take(record, &mut hot_bytes)?;
        }
    }
    walked.torn = assembler.incomplete();
    check_first(meta, purged, walked.held)?;
    Ok(walked)
}

impl Walked {
    /// Whether another record is where `end` knows one: sled went back to before a truncation.
    fn contradicts(&self, end: &End) -> bool {
        matches!((self.witness_crc, end.crc), (Some(found), Some(known)) if found != known)
    }

    fn take(&mut self, record: LogRecord, hot_bytes: &mut usize) -> Result<(), OpenError> {
        let index = record.index;
        let first = match self.held {
            Some((_, last)) if last + 1 != index => {
                return Err(OpenError::corrupt(
                    DB_FILE,
                    format!("entry {}", last + 1),
                    format!("missing: entry {index} follows entry {last}"),
                ));
            }
            Some((first, _)) => first,
            None => index,
        };
        self.held = Some((first, index));
        if self.witness == Some(index) {
            self.witness_crc = Some(crc32fast::hash(&record.bytes));
        }
        *hot_bytes += record.bytes.len();
        self.hot.push_back(record);
        while self.hot.len() > TAIL_RECORDS || *hot_bytes > TAIL_BYTES {
            let dropped = self.hot.pop_front();
            *hot_bytes -= dropped.map_or(0, |record| record.bytes.len());
        }
        Ok(())
    }
}

fn check_first(
    meta: &sled::Tree,
    purged: Option<u64>,
    held: Option<(u64, u64)>,
) -> Result<(), OpenError> {
    let Some((first, _)) = held else {
        return Ok(());
    };
    let damaged = |reason: String| OpenError::corrupt(DB_FILE, "its first entry", reason);
    let expected = match purged {
        Some(index) => Some(index + 1),
        None => meta
            .get(ORIGIN)
            .map_err(|error| damaged(error.to_string()))?
            .and_then(|bytes| Some(u64::from_le_bytes(bytes.as_ref().try_into().ok()?))),
    };
    if expected == Some(first) {
        return Ok(());
    }
    Err(damaged(format!(
        "the log begins at {first}, and should at {expected:?}"
    )))
}

/// Nobody was told that this record is stored: its parts, and a sync, are still missing.
fn remove_torn(log: &sled::Tree, torn: Option<u64>) -> Result<(), OpenError> {
    let Some(index) = torn else {
        return Ok(());
    };
    for item in log.range(Key::first(index).to_bytes()..).rev() {
        let removed = item.and_then(|(key, _)| log.remove(key));
        removed.map_err(|error| {
            OpenError::corrupt(DB_FILE, format!("entry {index}"), error.to_string())
        })?;
    }
    Ok(())
}
