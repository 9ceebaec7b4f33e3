//! P8 and the first-error rule: a directory that is in use, went back in time, or is damaged is not
//! served, and after one failed sync nothing is acknowledged any more.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use eureka_raft::store::files::{File, Files, SharedFiles};
use eureka_raft::store::log::{LogRecord, LogStorage};
use eureka_raft::store::sled_log::{
    END_FILE, LOG_DIR, MARK_ENTRIES, QUEUED_BYTES_MAX, TAIL_RECORDS,
};
use eureka_raft::store::{DirFiles, OpenError};

use crate::support::{Node, append, open, open_on, read_all, record, save_vote};

fn filled(dir: &Path) -> Node {
    let node = open(dir).unwrap();
    append(&node.log, (0..500).map(|i| record(i, 0, 200)).collect()).unwrap();
    node
}

#[test]
fn a_directory_is_opened_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path());
    let error = DirFiles::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert_eq!(error.exit_code(), 77);
    drop(node);
    open(dir.path()).unwrap();
}

#[test]
fn a_wiped_log_is_refused_with_77() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    std::fs::remove_dir_all(dir.path().join(LOG_DIR)).unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(
        matches!(
            error,
            OpenError::Regressed {
                known: 499,
                found: None
            }
        ),
        "{error}"
    );
    assert_eq!(error.exit_code(), 77);
}

#[test]
fn a_log_put_back_to_an_older_state_is_refused_by_the_identity_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let log = dir.path().join(LOG_DIR);
    let older = dir.path().join("older");
    copy_dir(&log, &older);
    let node = open(dir.path()).unwrap();
    append(&node.log, vec![record(500, 0, 10)]).unwrap();
    node.log.note_committed(500);
    drop(node);
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(&older, &log).unwrap();
    std::fs::remove_file(dir.path().join(END_FILE)).unwrap();
    let error = open(dir.path()).err().unwrap();
    let expected = OpenError::Regressed {
        known: 500,
        found: Some(499),
    };
    assert_eq!(error.to_string(), expected.to_string());
}

#[test]
fn an_unacknowledged_end_that_was_truncated_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path());
    node.log.note_committed(300);
    node.log.truncate_after(300);
    drop(node);
    assert_eq!(
        open(dir.path()).unwrap().log.bounds().unwrap().last,
        Some(300)
    );
}

#[test]
fn entries_known_to_be_committed_are_never_truncated() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path());
    node.log.note_committed(400);
    drop(node);
    let node = open(dir.path()).unwrap();
    node.log.truncate_after(399);
    append(&node.log, vec![record(400, 1, 1)]).unwrap_err();
    // A failed log stays open in its process, which has to end: a copy shows what is on disk.
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["META.a", "META.b", END_FILE] {
        std::fs::copy(dir.path().join(name), copy.join(name)).unwrap();
    }
    copy_dir(&dir.path().join(LOG_DIR), &copy.join(LOG_DIR));
    assert_eq!(read_all(&open(&copy).unwrap().log).len(), 500);
}

#[test]
fn the_mark_is_raised_every_thousand_entries() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    let entries = MARK_ENTRIES + 1;
    append(&node.log, (0..entries).map(|i| record(i, 0, 8)).collect()).unwrap();
    node.log.note_committed(entries);
    // The mark is looked at behind each batch, and votes are batches.
    let marked = (1..1_000).any(|term| {
        save_vote(&node.log, term).unwrap();
        node.identity.get().durable_mark == MARK_ENTRIES
    });
    assert!(marked);
}

#[test]
fn an_append_that_leaves_a_gap_fails_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path());
    append(&node.log, vec![record(501, 0, 1)]).unwrap_err();
    append(&node.log, vec![record(500, 0, 1)]).unwrap_err();
    node.log.read(0..1, 1).unwrap_err();
    assert!(node.log.failure().borrow().is_some());
}

#[test]
fn a_half_written_snapshot_of_sled_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let partial = dir
        .path()
        .join(LOG_DIR)
        .join("snap.00000000000FFFFF.generating");
    std::fs::write(&partial, b"half").unwrap();
    assert_eq!(read_all(&open(dir.path()).unwrap().log).len(), 500);
    assert!(!partial.exists());
}

#[test]
fn a_value_outside_of_the_logs_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    std::fs::write(dir.path().join(LOG_DIR).join("blobs/123"), b"x").unwrap();
    let error = open(dir.path()).err().unwrap();
    assert_eq!(error.exit_code(), 74);
    assert!(error.to_string().contains("blobs"), "{error}");
}

/// A directory whose log file fails, or blocks, in `sync` when told to.
struct Faulty {
    inner: DirFiles,
    fault: Arc<Fault>,
}

#[derive(Default)]
struct Fault {
    failing: AtomicBool,
    /// Whether a sync has come to where it is blocked.
    reached: AtomicBool,
    blocked: Mutex<bool>,
    released: Condvar,
}

impl Fault {
    /// Every sync waits until the guard is dropped: also by a failed assertion, so that the log can
    /// close.
    fn block(&self) -> Blocked<'_> {
        *self.blocked.lock().unwrap() = true;
        Blocked(self)
    }
}

struct Blocked<'a>(&'a Fault);

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        *self.0.blocked.lock().unwrap() = false;
        self.0.released.notify_all();
    }
}

struct FaultyFile {
    inner: Box<dyn File>,
    fault: Arc<Fault>,
}

impl Files for Faulty {
    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.inner.create_dir(name)
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        self.inner.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let inner = self.inner.open(name)?;
        let fault = Arc::clone(&self.fault);
        match name {
            "log/db" => Ok(Box::new(FaultyFile { inner, fault })),
            _ => Ok(inner),
        }
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.inner.sync_dir(name)
    }
    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.inner.list(name)
    }
}

impl File for FaultyFile {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buf)
    }
    fn write_at(&mut self, offset: u64, buf: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, buf)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut blocked = self.fault.blocked.lock().unwrap();
        while *blocked {
            self.fault.reached.store(true, Ordering::SeqCst);
            blocked = self.fault.released.wait(blocked).unwrap();
        }
        if self.fault.failing.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.inner.sync()
    }
}

fn faulty(dir: &Path) -> (Node, Arc<Fault>) {
    let fault = Arc::new(Fault::default());
    let files: SharedFiles = Arc::new(Faulty {
        inner: DirFiles::open(dir).unwrap(),
        fault: Arc::clone(&fault),
    });
    (open_on(dir, &files).unwrap(), fault)
}

#[test]
fn the_first_failed_sync_is_the_last_word() {
    let dir = tempfile::tempdir().unwrap();
    let (node, fault) = faulty(dir.path());
    append(&node.log, vec![record(0, 0, 10)]).unwrap();
    let mut failure = node.log.failure();
    assert!(failure.borrow_and_update().is_none());
    fault.failing.store(true, Ordering::SeqCst);
    append(&node.log, vec![record(1, 0, 10)]).unwrap_err();
    // The disk is fine again. The log is not.
    fault.failing.store(false, Ordering::SeqCst);
    append(&node.log, vec![record(2, 0, 10)]).unwrap_err();
    save_vote(&node.log, 3).unwrap_err();
    node.log.read(0..1, 1).unwrap_err();
    node.log.bounds().unwrap_err();
    node.log.truncate_after(0);
    node.log.purge_upto(0, Bytes::new());
    node.log.close().unwrap_err();
    assert!(failure.has_changed().unwrap());
    assert_eq!(node.identity.get().vote, None);
}

#[test]
fn a_disk_that_hangs_fails_the_log_instead_of_filling_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (node, fault) = faulty(dir.path());
    let blocked = fault.block();
    let shared = Bytes::from(vec![0; 8 << 20]);
    let mut index = 0;
    while node.log.failure().borrow().is_none() {
        let bytes = shared.clone();
        node.log
            .append(vec![LogRecord { index, bytes }], Box::new(|_| {}));
        index += 1;
        assert!(index as usize * shared.len() <= QUEUED_BYTES_MAX + shared.len());
    }
    assert!(node.log.queued_bytes() <= QUEUED_BYTES_MAX);
    drop(blocked);
    append(&node.log, vec![record(index, 0, 1)]).unwrap_err();
}

#[test]
fn a_log_that_failed_closes_although_its_writer_hangs_in_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (node, fault) = faulty(dir.path());
    let _blocked = fault.block();
    node.log.append(vec![record(0, 0, 10)], Box::new(|_| {}));
    let bytes = Bytes::from(vec![0; 64 << 10]);
    let mut index = 1;
    while node.log.failure().borrow().is_none() {
        let records = (index..index + 1_000).map(|index| LogRecord {
            index,
            bytes: bytes.clone(),
        });
        node.log.append(records.collect(), Box::new(|_| {}));
        index += 1_000;
    }
    // Nobody has let the disk go: were the writer waited for, this would not return.
    node.log.close().unwrap_err();
}

#[tokio::test]
async fn a_sync_that_hangs_holds_up_no_async_task() {
    let dir = tempfile::tempdir().unwrap();
    let (node, fault) = faulty(dir.path());
    let blocked = fault.block();
    let (done, mut synced) = tokio::sync::oneshot::channel();
    let callback = Box::new(move |result: io::Result<()>| done.send(result.is_ok()).unwrap());
    node.log.append(vec![record(0, 0, 10)], callback);
    // The one thread of this runtime goes on while the sync hangs.
    let reached = async {
        while !fault.reached.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
    reached.expect("the log comes to its sync");
    assert!(synced.try_recv().is_err(), "acknowledged before the sync");
    drop(blocked);
    assert!(synced.await.unwrap());
}

#[test]
fn what_the_disk_does_not_have_yet_is_read_from_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (node, fault) = faulty(dir.path());
    append(&node.log, (0..50).map(|i| record(i, 1, 30)).collect()).unwrap();
    let blocked = fault.block();
    let mut expected: Vec<_> = (0..50).map(|i| record(i, 1, 30)).collect();
    let submit = |from: u64, to: u64, generation| {
        let records: Vec<_> = (from..to).map(|i| record(i, generation, 30)).collect();
        node.log.append(records.clone(), Box::new(|_| {}));
        records
    };
    // More than the hot tail keeps, replaced from the middle of what is durable.
    expected.extend(submit(50, 9_000, 1));
    node.log.truncate_after(20);
    expected.truncate(21);
    for from in (21..2 * TAIL_RECORDS as u64).step_by(500) {
        expected.extend(submit(from, from + 500, 2));
    }
    assert_eq!(read_all(&node.log), expected);
    drop(blocked);
    append(&node.log, vec![]).unwrap();
    assert_eq!(read_all(&node.log), expected);
}

/// Copies a directory, one level of sub-directories included.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
