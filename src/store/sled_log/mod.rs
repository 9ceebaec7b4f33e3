//! The Raft log in sled 0.34.7.
//!
//! Owns the only use of sled and the log's writer thread. It may not know what a record means.
//!
//! sled is used by eleven rules (docs/decisions/0003): its writes are really synced, its values stay
//! small, its errors and panics end everything, and what it claims to hold is checked at every open.
//! Invariant: what was acknowledged is there after a crash, or the log refuses to open.
//!
//! `tail` is what readers see, `writer` the thread, `engine` the calls on sled, `value` its bytes,
//! `open` the checks, `conf` sled's own settings, `copy` a look at a stopped log, `carve` at one that sled cannot open,
//! `end_mark` how a silently shortened log is noticed.

mod carve;
mod conf;
mod copy;
mod end_mark;
mod engine;
mod guard;
mod open;
mod tail;
mod value;
mod writer;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::disk_health::DiskHealth;
use super::error::OpenError;
use super::files::SharedFiles;
use super::identity::{IdentityFile, StoredVote};
use super::log::{LogBounds, LogRecord, LogStorage, Synced};
use super::space::SpaceLimits;
use tail::{Place, Tail};
use writer::{Batch, Op, Queued, Writer};

pub use carve::carve;
pub use copy::{Found, LogCopy, end_mark_of, log_bytes, strays};
pub use end_mark::END_FILE;
pub use engine::PURGE_SLICE;
pub use guard::{PanicSource, panic_source};
pub use open::LOG_DIR;
pub use tail::{TAIL_BYTES, TAIL_RECORDS};
pub use value::RECORD_BYTES_MAX;
pub use writer::{DRAIN_BYTES, MARK_ENTRIES};

/// Bytes that may wait for the disk, 256 MiB. More means that the disk hangs: the log fails then
/// rather than take the memory.
pub const QUEUED_BYTES_MAX: usize = 256 << 20;
/// How often closing looks whether the writer has ended.
const CLOSE_LOOK: Duration = Duration::from_millis(1);
/// How often it looks once the disk has failed: a quarter of a second, then the writer is left behind.
const CLOSE_LOOKS_FAILED: u32 = 250;
/// What an operation weighs in the queue besides its records.
const OP_BYTES: usize = 64;

/// The log of one node. Opening and closing block on the disk; reads below the last
/// [`TAIL_RECORDS`] do too; nothing else does.
pub struct SledLog {
    shared: Arc<Shared>,
    identity: IdentityFile,
    front: Mutex<Front>,
    log: sled::Tree,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What submitting an operation changes. One lock: the order in memory is the order in the queue.
struct Front {
    tail: Tail,
    /// `None` once closed.
    queue: Option<Sender<Queued>>,
    /// The number of the last operation submitted.
    submitted: u64,
}

/// What the writer and its callers share.
struct Shared {
    /// The number of the last operation that sled holds.
    done: AtomicU64,
    queued_bytes: AtomicUsize,
    committed: AtomicU64,
    /// The disk: its first error, its room, and how long its syncs take.
    disk: DiskHealth,
}

impl Shared {
    fn failure(&self) -> Option<Arc<str>> {
        self.disk.failure.get()
    }

    /// Latches the first failure.
    fn fail(&self, reason: &str) {
        self.disk.failure.set(reason);
    }

    fn failure_error(&self) -> io::Error {
        self.disk.failure.as_io_error()
    }
}

impl SledLog {
    /// [`SledLog::open_on`] a disk that nobody else looks after.
    ///
    /// # Errors
    /// As [`SledLog::open_on`].
    pub fn open(
        root: &Path,
        files: &SharedFiles,
        identity: IdentityFile,
    ) -> Result<Self, OpenError> {
        let disk = DiskHealth::open(Arc::clone(files), &SpaceLimits::default())?;
        Self::open_on(root, files, identity, disk)
    }

    /// Opens the log below the data directory `root`, whose files are `files` on `disk`: reads and
    /// checks every record. Blocks; starts the writer thread.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] naming file and place, [`OpenError::Regressed`] if the log ends before
    /// what this node acknowledged, [`OpenError::Newer`], [`OpenError::Io`].
    pub fn open_on(
        root: &Path,
        files: &SharedFiles,
        identity: IdentityFile,
        disk: DiskHealth,
    ) -> Result<Self, OpenError> {
        let opened = open::open(root, files.as_ref(), &identity.get())?;
        let shared = Arc::new(Shared {
            done: AtomicU64::new(0),
            queued_bytes: AtomicUsize::new(0),
            committed: AtomicU64::new(0),
            disk,
        });
        let log = opened.engine.log.clone();
        let (sender, receiver) = channel();
        let writer = Writer {
            shared: Arc::clone(&shared),
            identity: identity.clone(),
            end_mark: opened.end_mark,
            synced: opened.engine.reach().0,
            purging: opened.engine.purged.is_some(),
            engine: Some(opened.engine),
            batch: Batch::default(),
            marked_at: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(OpenError::io("start the log's writer thread"))?;
        Ok(Self {
            shared,
            identity,
            front: Mutex::new(Front {
                tail: opened.tail,
                queue: Some(sender),
                submitted: 0,
            }),
            log,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Completes what is queued, syncs, raises the durable mark, and ends the writer thread. Blocks,
    /// but not on a disk that has failed: its writer may hang in it for ever. Also done when dropped.
    ///
    /// # Errors
    /// The log's first failure, if it has failed.
    pub fn close(&self) -> io::Result<()> {
        self.front().queue = None;
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A callback may hold, and drop, the last handle: the thread cannot wait for itself.
        if let Some(thread) = thread.filter(|t| t.thread().id() != thread::current().id())
            && self.may_be_awaited(&thread)
            && thread.join().is_err()
        {
            self.shared.fail("the writer thread panicked");
        }
        match self.shared.failure() {
            None => Ok(()),
            Some(_) => Err(self.shared.failure_error()),
        }
    }

    /// A thread that hangs in the disk is not: after a failure it gets a moment to end, no more.
    fn may_be_awaited(&self, thread: &JoinHandle<()>) -> bool {
        while self.shared.failure().is_none() && !thread.is_finished() {
            thread::park_timeout(CLOSE_LOOK);
        }
        for _ in 0..CLOSE_LOOKS_FAILED {
            if thread.is_finished() {
                return true;
            }
            thread::park_timeout(CLOSE_LOOK);
        }
        false
    }

    /// The first failure, once there is one: the process then has to end with exit code 74. It never
    /// goes back to `None`.
    pub fn failure(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.disk.failure.subscribe()
    }

    /// Bytes submitted and not yet synced.
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued_bytes.load(Ordering::Relaxed)
    }

    /// Everything in it is changed in one step, so a panic elsewhere leaves it whole.
    fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> io::Result<()> {
        match self.shared.failure() {
            None => Ok(()),
            Some(_) => Err(self.shared.failure_error()),
        }
    }

    /// Puts an operation into the queue, or hands it back if the log has failed or is closed.
    fn submit(&self, front: &mut Front, op: Op) -> Result<(), Op> {
        let bytes = OP_BYTES + op.record_bytes();
        if self.queued_bytes().saturating_add(bytes) > QUEUED_BYTES_MAX {
            self.shared
                .fail("the disk hangs: too many bytes wait for it");
        }
        let Some(queue) = front.queue.as_ref().filter(|_| self.check().is_ok()) else {
            return Err(op);
        };
        front.submitted += 1;
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let number = front.submitted;
        queue
            .send(Queued { number, bytes, op })
            .map_err(|unsent| unsent.0.op)
    }

    fn find(&self, range: &Range<u64>, max_bytes: usize) -> (Place, u64) {
        let front = self.front();
        (front.tail.find(range, max_bytes), front.tail.first())
    }

    /// Reads from sled; anything that is not there and not purged meanwhile is damage.
    fn read_disk(&self, range: &Range<u64>, max_bytes: usize) -> io::Result<Vec<LogRecord>> {
        let read = guard::guarded(|| engine::read(&self.log, range, max_bytes));
        let read = read.unwrap_or_else(|panic| Err(engine::damaged(panic)));
        match read {
            Ok(records) if records.is_empty() && self.front().tail.first() <= range.start => {
                let missing = format!("entry {} is missing", range.start);
                self.shared.fail(&engine::damaged(missing).to_string());
                Err(self.shared.failure_error())
            }
            Err(error) => {
                self.shared.fail(&error.to_string());
                Err(error)
            }
            records => records,
        }
    }
}

impl Op {
    fn record_bytes(&self) -> usize {
        match self {
            Self::Append(records, _) => records.iter().map(|r| r.bytes.len() + OP_BYTES).sum(),
            Self::Purge(_, note) => note.len(),
            Self::Truncate(_) | Self::Vote(..) => 0,
        }
    }

    /// Tells who waits for it that it will not be done.
    fn refuse(self, error: io::Error) {
        if let Self::Append(_, synced) | Self::Vote(_, synced) = self {
            synced(Err(error));
        }
    }
}

impl LogStorage for SledLog {
    fn bounds(&self) -> io::Result<LogBounds> {
        self.check()?;
        Ok(self.front().tail.bounds())
    }

    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogRecord>> {
        let mut found: Vec<LogRecord> = Vec::new();
        let mut left = max_bytes;
        let mut rest = range;
        loop {
            self.check()?;
            let (place, first) = self.find(&rest, left);
            let purged_meanwhile = first > rest.start && !found.is_empty();
            let on_disk = match place {
                _ if purged_meanwhile => return Ok(found),
                Place::Nowhere => return Ok(found),
                Place::Here(records) => {
                    found.extend(records);
                    return Ok(found);
                }
                Place::Disk(range) => range,
            };
            let records = self.read_disk(&on_disk, left)?;
            let bytes: usize = records.iter().map(|record| record.bytes.len().max(1)).sum();
            let whole = records.len() as u64 == on_disk.end - on_disk.start;
            found.extend(records);
            left = left.saturating_sub(bytes);
            rest.start = on_disk.end;
            if !whole || left == 0 {
                return Ok(found);
            }
        }
    }

    fn append(&self, records: Vec<LogRecord>, synced: Synced) {
        if let Some(long) = records.iter().find(|r| r.bytes.len() > RECORD_BYTES_MAX) {
            let reason = format!("entry {} has {} bytes", long.index, long.bytes.len());
            return synced(Err(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        let mut front = self.front();
        if !front.tail.continues(&records) {
            drop(front);
            self.shared.fail("an append that does not continue the log");
            return synced(Err(self.shared.failure_error()));
        }
        let number = front.submitted + 1;
        front.tail.append(number, &records);
        let refused = self.submit(&mut front, Op::Append(records, synced));
        front.tail.trim(self.shared.done.load(Ordering::Acquire));
        drop(front);
        if let Err(op) = refused {
            op.refuse(self.shared.failure_error());
        }
    }

    fn truncate_after(&self, last_kept: u64) {
        let mut front = self.front();
        front.tail.truncate_after(Some(last_kept));
        // Refused only if the log has failed: whoever waits for a later operation hears of it.
        drop(self.submit(&mut front, Op::Truncate(Some(last_kept))));
    }

    fn truncate_all(&self) {
        let mut front = self.front();
        front.tail.truncate_after(None);
        drop(self.submit(&mut front, Op::Truncate(None)));
    }

    fn purge_upto(&self, upto: u64, note: Bytes) {
        let mut front = self.front();
        if front.tail.purge_upto(upto, note.clone()) {
            drop(self.submit(&mut front, Op::Purge(upto, note)));
        }
    }

    fn save_vote(&self, vote: StoredVote, synced: Synced) {
        let refused = self.submit(&mut self.front(), Op::Vote(vote, synced));
        if let Err(op) = refused {
            op.refuse(self.shared.failure_error());
        }
    }

    fn vote(&self) -> Option<StoredVote> {
        self.identity.get().vote
    }

    fn note_committed(&self, index: u64) {
        self.shared.committed.fetch_max(index, Ordering::AcqRel);
    }

    fn committed_mark(&self) -> u64 {
        self.identity.get().durable_mark
    }

    fn close(&self) -> io::Result<()> {
        SledLog::close(self)
    }
}

impl Drop for SledLog {
    /// Waits for the writer thread, so that whoever opens the directory next finds it closed.
    fn drop(&mut self) {
        // A failure was announced by `failure()` when it happened.
        drop(self.close());
    }
}

impl fmt::Debug for SledLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledLog")
            .field("queued_bytes", &self.queued_bytes())
            .field("failure", &self.shared.failure())
            .finish_non_exhaustive()
    }
}
