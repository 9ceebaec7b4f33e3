//! Everything the log claims to hold is looked at when it is opened: what sled hands back whole may
//! still be wrong, missing or foreign, and then the place is named.

use std::path::Path;
use std::time::Duration;

use eureka_raft::store::OpenError;
use eureka_raft::store::sled_log::{END_FILE, LOG_DIR};

use crate::support::{append, open, read_all, record};

/// A log of 300 records in about ten values, and a split record behind them.
fn filled(dir: &Path) {
    let node = open(dir).unwrap();
    append(&node.log, (0..300).map(|i| record(i, 0, 200)).collect()).unwrap();
    append(&node.log, vec![record(300, 0, 30_000)]).unwrap();
    node.log.close().unwrap();
}

/// Does something to sled's trees behind the log's back.
fn tamper(dir: &Path, change: impl FnOnce(&sled::Tree, &sled::Tree)) {
    // sled's threads hold the file for a moment longer than the log that was closed.
    let opened = (0..250).find_map(|_| {
        let opened = sled::open(dir.join(LOG_DIR));
        opened
            .inspect_err(|_| std::thread::park_timeout(Duration::from_millis(20)))
            .ok()
    });
    let db = opened.expect("sled lets go of its file within five seconds");
    change(
        &db.open_tree("log").unwrap(),
        &db.open_tree("meta").unwrap(),
    );
    db.flush().unwrap();
}

fn key(index: u64, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&index.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

/// The refusal of a log that was tampered with.
fn refusal(change: impl FnOnce(&sled::Tree, &sled::Tree)) -> OpenError {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    tamper(dir.path(), change);
    open(dir.path()).err().expect("a damaged log was opened")
}

fn assert_corrupt_at(error: &OpenError, place: &str) {
    assert_eq!(error.exit_code(), 74, "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("log/db is damaged at {place}")),
        "{error}"
    );
}

#[test]
fn a_missing_value_is_refused_and_named() {
    let error = refusal(|log, _| {
        log.remove(key(64, 0)).unwrap().unwrap();
    });
    assert_corrupt_at(&error, "entry 64");
}

#[test]
fn a_missing_beginning_is_refused() {
    let error = refusal(|log, _| {
        log.remove(key(0, 0)).unwrap().unwrap();
    });
    assert_corrupt_at(&error, "its first entry");
}

#[test]
fn a_record_that_fails_its_checksum_is_refused_and_named() {
    let error = refusal(|log, _| {
        let mut value = log.get(key(64, 0)).unwrap().unwrap().to_vec();
        value[500] ^= 4;
        log.insert(key(64, 0), value).unwrap();
    });
    assert_corrupt_at(&error, "entry 64");
}

#[test]
fn a_value_under_the_wrong_key_is_refused() {
    let error = refusal(|log, _| {
        let other = log.get(key(64, 0)).unwrap().unwrap();
        log.insert(key(96, 0), other).unwrap();
    });
    assert_corrupt_at(&error, "entry 96");
}

#[test]
fn a_part_missing_inside_a_record_is_refused() {
    let error = refusal(|log, _| {
        log.remove(key(300, 2)).unwrap().unwrap();
    });
    assert_corrupt_at(&error, "entry 300");
}

#[test]
fn a_foreign_key_is_refused() {
    let error = refusal(|log, _| {
        log.insert([0xFF; 11], b"x").unwrap();
    });
    assert_eq!(error.exit_code(), 74, "{error}");
}

#[test]
fn a_rotten_purge_mark_is_refused() {
    let error = refusal(|_, meta| {
        meta.insert("purged", [7; 20].as_slice()).unwrap();
    });
    assert_corrupt_at(&error, "the purge mark");
}

#[test]
fn a_log_of_a_newer_release_is_refused_with_78() {
    let error = refusal(|_, meta| {
        meta.insert("format", [2].as_slice()).unwrap();
    });
    assert_eq!(error.exit_code(), 78, "{error}");
}

#[test]
fn an_acknowledged_last_record_without_its_end_is_refused_with_77() {
    let error = refusal(|log, _| {
        log.remove(key(300, 4)).unwrap().unwrap();
    });
    assert!(
        matches!(
            error,
            OpenError::Regressed {
                known: 300,
                found: Some(299)
            }
        ),
        "{error}"
    );
}

#[test]
fn an_unacknowledged_last_record_without_its_end_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    append(&node.log, (0..300).map(|i| record(i, 0, 200)).collect()).unwrap();
    let end = std::fs::read(dir.path().join(END_FILE)).unwrap();
    append(&node.log, vec![record(300, 0, 30_000)]).unwrap();
    drop(node);
    tamper(dir.path(), |log, _| {
        log.remove(key(300, 4)).unwrap().unwrap();
    });
    // What a crash before the first sync of the record leaves.
    std::fs::write(dir.path().join(END_FILE), end).unwrap();
    let node = open(dir.path()).unwrap();
    assert_eq!(read_all(&node.log).len(), 300);
    append(&node.log, vec![record(300, 1, 5), record(301, 1, 5)]).unwrap();
    drop(node);
    let found = read_all(&open(dir.path()).unwrap().log);
    assert_eq!(found[300..], [record(300, 1, 5), record(301, 1, 5)]);
}

#[test]
fn a_log_with_another_settings_file_is_refused_before_sled_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let conf = dir.path().join("log/conf");
    let log = std::fs::read(dir.path().join("log/db")).unwrap();
    let mut settings = std::fs::read(&conf).unwrap();
    // With segments of 924,288 bytes sled would take the log for garbage and write over it.
    settings[14] ^= 0x0c;
    std::fs::write(&conf, settings).unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("log/conf is damaged at byte 14"),
        "{error}"
    );
    assert_eq!(std::fs::read(dir.path().join("log/db")).unwrap(), log);
}

#[test]
fn a_log_without_the_note_of_its_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    std::fs::remove_file(dir.path().join(END_FILE)).unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(
        error.to_string().starts_with("LOG.end is damaged"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 74);
}

#[test]
fn a_note_of_the_first_layout_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let note = |index: u64| {
        let mut bytes = [b"END1".as_slice(), &index.to_le_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        std::fs::write(dir.path().join(END_FILE), bytes).unwrap();
    };
    note(301);
    let error = open(dir.path()).err().unwrap();
    assert!(
        matches!(error, OpenError::Regressed { known: 301, .. }),
        "{error}"
    );
    note(300);
    assert_eq!(read_all(&open(dir.path()).unwrap().log).len(), 301);
}
