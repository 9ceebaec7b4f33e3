//! P1: what the log acknowledged is there when it is opened again, whatever was cut off its ends.

use bytes::Bytes;
use eureka_raft::store::log::{LogBounds, LogRecord, LogStorage};
use eureka_raft::store::sled_log::{PURGE_SLICE, RECORD_BYTES_MAX, TAIL_RECORDS};

use crate::support::{append, open, read_all, record, save_vote};

#[test]
fn records_are_there_after_a_clean_close() {
    let dir = tempfile::tempdir().unwrap();
    let written: Vec<_> = (0..3_000)
        .map(|i| record(i, 0, (i % 400) as usize))
        .collect();
    let node = open(dir.path()).unwrap();
    for batch in written.chunks(37) {
        append(&node.log, batch.to_vec()).unwrap();
    }
    node.log.close().unwrap();
    drop(node);
    let node = open(dir.path()).unwrap();
    assert_eq!(read_all(&node.log), written);
    assert_eq!(node.log.bounds().unwrap().last, Some(2_999));
}

fn reopened(dir: &std::path::Path) -> (LogBounds, Vec<LogRecord>) {
    let node = open(dir).unwrap();
    (node.log.bounds().unwrap(), read_all(&node.log))
}

#[test]
fn a_new_log_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(reopened(dir.path()), (LogBounds::default(), Vec::new()));
}

#[test]
fn a_record_of_a_mebibyte_is_stored_whole() {
    let dir = tempfile::tempdir().unwrap();
    let lengths = [10, 1 << 20, 0, 7_151, 7_150, 7_152, 14_303, 1 << 20, 3];
    let written: Vec<_> = (5..)
        .zip(lengths)
        .map(|(i, len)| record(i, 0, len))
        .collect();
    let node = open(dir.path()).unwrap();
    append(&node.log, written.clone()).unwrap();
    assert_eq!(read_all(&node.log), written);
    drop(node);
    assert_eq!(reopened(dir.path()).1, written);
}

#[test]
fn a_record_over_the_limit_is_refused_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    let refused = append(&node.log, vec![record(0, 0, RECORD_BYTES_MAX + 1)]);
    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
    append(&node.log, vec![record(0, 0, 1)]).unwrap();
    assert_eq!(read_all(&node.log), [record(0, 0, 1)]);
}

#[test]
fn a_truncated_end_is_gone_and_what_replaces_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    append(&node.log, (0..100).map(|i| record(i, 1, 300)).collect()).unwrap();
    append(&node.log, vec![record(100, 1, 50_000), record(101, 1, 5)]).unwrap();
    // In the middle of a value, in the middle of nothing, and behind a split record.
    for (round, last_kept) in [(2, 100), (3, 50), (4, 50)] {
        node.log.truncate_after(last_kept);
        assert_eq!(node.log.bounds().unwrap().last, Some(last_kept));
        append(
            &node.log,
            (last_kept + 1..120)
                .map(|i| record(i, round, 300))
                .collect(),
        )
        .unwrap();
    }
    let expected: Vec<_> = (0..120)
        .map(|i| record(i, if i <= 50 { 1 } else { 4 }, 300))
        .collect();
    assert_eq!(read_all(&node.log), expected);
    drop(node);
    assert_eq!(reopened(dir.path()).1, expected);
}

#[test]
fn index_zero_alone_can_be_kept_and_all_can_go() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    append(&node.log, (0..5).map(|i| record(i, 1, 9)).collect()).unwrap();
    node.log.truncate_after(0);
    append(&node.log, vec![record(1, 2, 9)]).unwrap();
    assert_eq!(read_all(&node.log), [record(0, 1, 9), record(1, 2, 9)]);
    node.log.truncate_all();
    assert_eq!(node.log.bounds().unwrap(), LogBounds::default());
    append(&node.log, vec![record(0, 3, 9)]).unwrap();
    drop(node);
    assert_eq!(reopened(dir.path()).1, [record(0, 3, 9)]);
}

#[test]
fn purged_records_are_gone_and_the_note_stays() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    append(&node.log, (0..200).map(|i| record(i, 0, 300)).collect()).unwrap();
    append(&node.log, vec![record(200, 0, 40_000), record(201, 0, 1)]).unwrap();
    for upto in [0, 17, 150] {
        node.log
            .purge_upto(upto, Bytes::from(format!("note {upto}")));
    }
    assert_eq!(node.log.bounds().unwrap().first, Some(151));
    append(&node.log, vec![record(202, 0, 1)]).unwrap();
    drop(node);
    let (bounds, records) = reopened(dir.path());
    assert_eq!(bounds.purged, Some((150, Bytes::from("note 150"))));
    assert_eq!((bounds.first, bounds.last), (Some(151), Some(202)));
    assert_eq!(records.len(), 52);
}

#[test]
fn a_log_purged_beyond_its_end_goes_on_behind_the_purge() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    append(&node.log, (0..50).map(|i| record(i, 0, 300)).collect()).unwrap();
    node.log.purge_upto(5_000, Bytes::from("snapshot"));
    assert_eq!(
        (node.log.bounds().unwrap().last, read_all(&node.log).len()),
        (None, 0)
    );
    append(&node.log, vec![record(5_001, 0, 3)]).unwrap();
    drop(node);
    assert_eq!(reopened(dir.path()).1, [record(5_001, 0, 3)]);
}

#[test]
fn a_purge_of_more_than_one_slice_ends() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    let long = 7_000; // One record a value.
    let last = 2 * PURGE_SLICE as u64 + 100;
    for from in (0..=last).step_by(100) {
        append(
            &node.log,
            (from..from + 100).map(|i| record(i, 0, long)).collect(),
        )
        .unwrap();
    }
    node.log.purge_upto(last, Bytes::new());
    append(&node.log, vec![record(last + 100, 0, 1)]).unwrap();
    drop(node);
    let (bounds, records) = reopened(dir.path());
    assert_eq!(bounds.first, Some(last + 1));
    assert_eq!(records.len(), 100);
}

#[test]
fn records_older_than_the_hot_tail_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    let written: Vec<_> = (0..TAIL_RECORDS as u64 + 5_000)
        .map(|i| record(i, 0, 20))
        .collect();
    for batch in written.chunks(1_000) {
        append(&node.log, batch.to_vec()).unwrap();
    }
    assert_eq!(read_all(&node.log), written);
    for (from, to) in [(0, 3), (4_900, 5_100), (4_999, 5_001), (14_990, 15_000)] {
        let read = node.log.read(from as u64..to as u64, usize::MAX).unwrap();
        assert_eq!(read, written[from..to]);
    }
    node.log.purge_upto(4_000, Bytes::new());
    assert_eq!(
        node.log.read(3_990..4_003, usize::MAX).unwrap(),
        written[4_001..4_003]
    );
    assert_eq!(node.log.read(0..4_001, usize::MAX).unwrap(), []);
}

#[test]
fn a_read_stops_at_its_bytes_but_gives_at_least_one_record() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    let written: Vec<_> = (0..TAIL_RECORDS as u64 + 100)
        .map(|i| record(i, 0, 1_000))
        .collect();
    for batch in written.chunks(1_000) {
        append(&node.log, batch.to_vec()).unwrap();
    }
    for from in [0, 90, 5_000] {
        let read = |bytes| node.log.read(from..u64::MAX, bytes).unwrap().len();
        assert_eq!((read(0), read(1), read(5_500)), (1, 1, 5), "from {from}");
    }
    let across = node.log.read(95..u64::MAX, 20_000).unwrap();
    assert_eq!(across, written[95..115]);
}

#[test]
fn records_are_readable_as_soon_as_they_are_submitted() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    for index in 0..500 {
        node.log
            .append(vec![record(index, 0, 100)], Box::new(|_| {}));
        let read = node.log.read(index..index + 1, usize::MAX).unwrap();
        assert_eq!(read, [record(index, 0, 100)]);
    }
}

#[test]
fn a_vote_is_durable_when_acknowledged_and_so_is_every_append_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    for index in 0..20 {
        let order = std::sync::Arc::clone(&order);
        let synced = Box::new(move |_| order.lock().unwrap().push(index));
        node.log.append(vec![record(index, 0, 10)], synced);
    }
    save_vote(&node.log, 7).unwrap();
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    assert_eq!(node.identity.get().vote.unwrap().term, 7);
    let lower = save_vote(&node.log, 6).unwrap_err();
    assert_eq!(lower.kind(), std::io::ErrorKind::InvalidInput);
    append(&node.log, vec![record(20, 0, 10)]).unwrap();
    drop(node);
    assert_eq!(open(dir.path()).unwrap().log.vote().unwrap().term, 7);
}

#[test]
fn what_is_queued_is_completed_by_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).unwrap();
    for index in 0..1_000 {
        node.log
            .append(vec![record(index, 0, 100)], Box::new(|_| {}));
    }
    node.log.note_committed(999);
    node.log.close().unwrap();
    assert_eq!(node.log.queued_bytes(), 0);
    assert_eq!(node.identity.get().durable_mark, 999);
    append(&node.log, vec![record(1_000, 0, 1)]).unwrap_err();
    drop(node);
    assert_eq!(reopened(dir.path()).1.len(), 1_000);
}
