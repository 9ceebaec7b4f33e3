//! P7: a snapshot that was acknowledged is whole after any power cut, and one that is not whole is
//! never used.

use std::io;
use std::sync::Arc;

use eureka_raft::codec::{self, Format, Stored};
use eureka_raft::store::files::{Files, SharedFiles};
use eureka_raft::store::snapshot_files::{
    SNAPSHOT_BYTES_MAX, SNAPSHOT_DIR, SNAPSHOTS_KEPT, SnapshotMeta, SnapshotName,
};
use eureka_raft::store::space::ROOM_MIN;
use eureka_raft::store::{DirFiles, MemFiles, OpenError, SnapshotFiles};
use serde::{Deserialize, Serialize};

const SEEDS: u64 = 12;

/// Stands in for the registry's records, whose content is not the store's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row(u64, String);

impl Stored for Row {
    const FORMAT: Format = Format::SNAPSHOT_RECORD;
}

fn share(files: &MemFiles) -> SharedFiles {
    Arc::new(files.clone())
}

fn open(files: &MemFiles, purged: Option<u64>) -> SnapshotFiles {
    SnapshotFiles::open(share(files), purged).unwrap()
}

fn name(index: u64) -> SnapshotName {
    SnapshotName {
        term: 3,
        index,
        id: index ^ 0xABCD,
    }
}

fn rows(index: u64) -> Vec<Row> {
    (0..index % 40 + 3)
        .map(|row| Row(row, format!("{index}-{row} ").repeat(row as usize % 7 * 10)))
        .collect()
}

fn build(snapshots: &SnapshotFiles, index: u64) -> io::Result<SnapshotMeta> {
    let mut writer = snapshots.begin(name(index), &index.to_le_bytes())?;
    for row in rows(index) {
        writer.append(&row)?;
    }
    writer.finish()
}

fn read(snapshots: &SnapshotFiles, meta: &SnapshotMeta) -> io::Result<Vec<Row>> {
    let mut reader = snapshots.read(meta)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row);
    }
    Ok(rows)
}

/// Builds five snapshots; answers the last that was acknowledged.
fn work(files: &MemFiles) -> Option<u64> {
    let snapshots = SnapshotFiles::open(share(files), None).ok()?;
    let built = (1..=5).map(|round| build(&snapshots, round * 10));
    built
        .map_while(Result::ok)
        .last()
        .map(|meta| meta.name.index)
}

#[test]
fn no_power_cut_loses_an_acknowledged_snapshot_or_leaves_half_of_one() {
    let healthy = MemFiles::new();
    assert_eq!(work(&healthy), Some(50));
    for step in 0..=healthy.steps() {
        for seed in 0..SEEDS {
            let files = MemFiles::new();
            files.fail_from(step);
            let acknowledged = work(&files);
            let files = files.crash(seed);
            let snapshots = open(&files, acknowledged);
            assert_eq!(snapshots.damaged(), [], "step {step} seed {seed}");
            let latest = snapshots.latest();
            let index = latest.as_ref().map(|meta| meta.name.index);
            assert!(index >= acknowledged, "step {step} seed {seed}");
            if let Some(meta) = latest {
                assert_eq!(read(&snapshots, &meta).unwrap(), rows(meta.name.index));
                assert_eq!(meta.note, meta.name.index.to_le_bytes());
            }
            let left = files.list(SNAPSHOT_DIR).unwrap();
            assert!(left.iter().all(|file| file.ends_with(".snap")), "{left:?}");
        }
    }
}

#[test]
fn the_last_two_snapshots_are_kept() {
    let files = MemFiles::new();
    work(&files);
    let kept = files.list(SNAPSHOT_DIR).unwrap();
    assert_eq!(kept.len(), SNAPSHOTS_KEPT, "{kept:?}");
    assert_eq!(open(&files, None).latest().unwrap().name, name(50));
}

#[test]
fn an_older_build_that_ends_late_does_not_replace_a_newer_snapshot() {
    let files = MemFiles::new();
    let snapshots = open(&files, None);
    let late = snapshots.begin(name(5), b"").unwrap();
    build(&snapshots, 30).unwrap();
    late.finish().unwrap();
    assert_eq!(snapshots.latest().unwrap().name, name(30));
}

#[test]
fn a_flipped_bit_anywhere_is_seen_and_the_older_snapshot_is_used() {
    let probe = MemFiles::new();
    work(&probe);
    let newest = format!("{SNAPSHOT_DIR}/{}.snap", name(50));
    let bits = probe.open(&newest).unwrap().len().unwrap() as usize * 8;
    for bit in (0..bits).step_by(37) {
        let files = MemFiles::new();
        work(&files);
        files.flip(&newest, bit).unwrap();
        match SnapshotFiles::open(share(&files), Some(40)) {
            Ok(snapshots) => {
                assert_eq!(snapshots.latest().unwrap().name, name(40), "bit {bit}");
                assert_eq!(snapshots.damaged()[0].0, name(50), "bit {bit}");
            }
            // One byte of the first envelope says which release wrote it.
            Err(error) => assert_eq!(error.exit_code(), 78, "bit {bit}: {error}"),
        }
    }
}

#[test]
fn a_damaged_snapshot_is_refused_and_named_when_the_log_begins_behind_the_older_one() {
    let files = MemFiles::new();
    work(&files);
    files
        .flip(&format!("{SNAPSHOT_DIR}/{}.snap", name(50)), 4_000)
        .unwrap();
    let error = SnapshotFiles::open(share(&files), Some(41)).unwrap_err();
    assert_eq!(error.exit_code(), 74);
    assert!(error.to_string().contains(&name(50).to_string()), "{error}");
}

#[test]
fn a_purged_log_without_any_snapshot_is_refused() {
    let error = SnapshotFiles::open(share(&MemFiles::new()), Some(1)).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

/// Takes the snapshot `sent` in over one already there, cut off twice on the way, each time by a restart;
/// answers whether it was acknowledged.
fn take_in(files: &MemFiles, sent: &SnapshotMeta, bytes: &[u8]) -> bool {
    let steps = || -> Result<(), Box<dyn std::error::Error>> {
        build(&SnapshotFiles::open(share(files), None)?, 20)?;
        for part in [bytes.len() / 3, 2 * bytes.len() / 3] {
            let snapshots = SnapshotFiles::open(share(files), Some(20))?;
            let mut incoming = snapshots.receive(sent.name, sent.size)?;
            let received = incoming.received();
            incoming.write_at(received, &bytes[received as usize..part])?;
            incoming.suspend();
        }
        let snapshots = SnapshotFiles::open(share(files), Some(20))?;
        let mut incoming = snapshots.receive(sent.name, sent.size)?;
        let received = incoming.received();
        incoming.write_at(received, &bytes[received as usize..])?;
        incoming.verify()?.publish()?;
        Ok(())
    };
    steps().is_ok()
}

#[test]
fn no_power_cut_makes_a_snapshot_of_one_that_did_not_come_in_whole() {
    let sender = open(&MemFiles::new(), None);
    let sent = build(&sender, 37).unwrap();
    let bytes = bytes_of(&sender, &sent);
    let healthy = MemFiles::new();
    assert!(take_in(&healthy, &sent, &bytes));
    for step in 0..=healthy.steps() {
        for seed in 0..SEEDS {
            let files = MemFiles::new();
            files.fail_from(step);
            let acknowledged = take_in(&files, &sent, &bytes);
            let files = files.crash(seed);
            let context = format!("step {step} seed {seed}");
            let snapshots = open(&files, None);
            assert_eq!(snapshots.damaged(), [], "{context}");
            let latest = snapshots.latest();
            let index = latest.as_ref().map_or(0, |meta| meta.name.index);
            assert!(index == 37 || !acknowledged, "{context}: {index}");
            if let Some(meta) = latest {
                let rows = rows(meta.name.index);
                assert_eq!(read(&snapshots, &meta).unwrap(), rows, "{context}");
            }
            drop(snapshots);
            // What a cut left of it does no harm either: taken up again, it ends whole or is refused, and
            // the attempt after a refusal begins anew.
            let again = || take_in_again(&files, &sent, &bytes);
            assert!(again() || again(), "{context}");
        }
    }
}

fn take_in_again(files: &MemFiles, sent: &SnapshotMeta, bytes: &[u8]) -> bool {
    let snapshots = open(files, None);
    let mut incoming = snapshots.receive(sent.name, sent.size).unwrap();
    let received = incoming.received();
    incoming
        .write_at(received, &bytes[received as usize..])
        .unwrap();
    let verified = incoming.verify();
    verified.is_ok_and(|verified| verified.publish().is_ok())
}

#[test]
fn a_suspended_receiver_is_gone_on_with_and_another_snapshot_begins_anew() {
    let sender = open(&MemFiles::new(), None);
    let sent = build(&sender, 37).unwrap();
    let bytes = bytes_of(&sender, &sent);
    let files = MemFiles::new();
    let mut incoming = open(&files, None).receive(sent.name, sent.size).unwrap();
    incoming.write_at(0, &bytes[..100]).unwrap();
    incoming.suspend();

    let snapshots = open(&files, None);
    let incoming = snapshots.receive(sent.name, sent.size).unwrap();
    assert_eq!(incoming.received(), 100);
    incoming.suspend();
    // A smaller size: what is there cannot be of it.
    let incoming = snapshots.receive(sent.name, 99).unwrap();
    assert_eq!(incoming.received(), 0);
    incoming.suspend();
    let other = snapshots.receive(name(38), sent.size).unwrap();
    assert_eq!(other.received(), 0);
    let held = files.list(SNAPSHOT_DIR).unwrap();
    assert_eq!(held, [format!("{}.snap.part", name(38))], "one at most");
    other.suspend();
    build(&snapshots, 50).unwrap();
    let held = files.list(SNAPSHOT_DIR).unwrap();
    assert_eq!(held, [format!("{}.snap", name(50))], "a newer one ends it");
}

/// rqlite up to version 9 made no snapshot while a slow node was being sent one, and its log grew.
#[test]
fn snapshots_are_made_and_replaced_while_an_old_one_is_still_being_sent() {
    let directory = tempfile::tempdir().unwrap();
    let files: SharedFiles = Arc::new(DirFiles::open(directory.path()).unwrap());
    let snapshots = SnapshotFiles::open(Arc::clone(&files), None).unwrap();
    let sent = build(&snapshots, 10).unwrap();
    let whole = bytes_of(&snapshots, &sent);
    let mut source = snapshots.source(&sent).unwrap();
    let mut received = source.read_at(0, 100).unwrap();
    for index in [20, 30, 40, 50] {
        build(&snapshots, index).unwrap();
        let held = files.list(SNAPSHOT_DIR).unwrap();
        assert!(held.len() <= SNAPSHOTS_KEPT, "{held:?}");
        received.extend(source.read_at(received.len() as u64, 100).unwrap());
    }
    while (received.len() as u64) < source.size() {
        received.extend(source.read_at(received.len() as u64, 4_096).unwrap());
    }
    assert_eq!(received, whole, "it is readable to its end");
    let gone = snapshots.source(&sent).err().unwrap();
    assert_eq!(
        gone.kind(),
        io::ErrorKind::NotFound,
        "whoever comes later gets a newer one"
    );
}

#[test]
fn a_snapshot_for_which_there_is_no_room_is_refused_before_a_byte_of_it_is_written() {
    let files = MemFiles::new();
    let snapshots = open(&files, None);
    files.bound(ROOM_MIN + 1_000, 100);
    let refused = snapshots.receive(name(1), 1_001).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(files.list(SNAPSHOT_DIR).unwrap(), Vec::<String>::new());
    snapshots.receive(name(1), 1_000).unwrap();
}

#[test]
fn of_parts_found_at_the_start_only_the_newest_of_use_is_kept() {
    let files = MemFiles::new();
    build(&open(&files, None), 30).unwrap();
    for index in [20, 40, 45] {
        let file = format!("{SNAPSHOT_DIR}/{}.snap.part", name(index));
        files.create(&file).unwrap().write_at(0, b"x").unwrap();
    }
    let snapshots = open(&files, Some(30));
    let mut held = files.list(SNAPSHOT_DIR).unwrap();
    held.sort();
    let expected = [
        format!("{}.snap", name(30)),
        format!("{}.snap.part", name(45)),
    ];
    assert_eq!(held, expected);
    assert_eq!(snapshots.receive(name(45), 10).unwrap().received(), 1);
}

fn bytes_of(snapshots: &SnapshotFiles, meta: &SnapshotMeta) -> Vec<u8> {
    let mut source = snapshots.source(meta).unwrap();
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < source.size() {
        bytes.extend(source.read_at(bytes.len() as u64, 100).unwrap());
    }
    assert!(source.read_at(source.size(), 100).unwrap().is_empty());
    bytes
}

#[test]
fn a_snapshot_received_in_chunks_is_equal_to_the_one_sent() {
    let (sender, receiver) = (MemFiles::new(), MemFiles::new());
    let (sender, receiver) = (open(&sender, None), open(&receiver, None));
    let sent = build(&sender, 37).unwrap();
    let bytes = bytes_of(&sender, &sent);
    let mut incoming = receiver.receive(sent.name, sent.size).unwrap();
    for chunk in bytes.chunks(333) {
        incoming.write_at(incoming.received(), chunk).unwrap();
    }
    let received = incoming.verify().unwrap().publish().unwrap();
    assert_eq!(received, sent);
    assert_eq!(read(&receiver, &received).unwrap(), rows(37));
}

#[test]
fn a_receiver_refuses_gaps_surplus_shortage_damage_and_another_name() {
    let files = MemFiles::new();
    let snapshots = open(&files, None);
    let sent = build(&snapshots, 37).unwrap();
    let bytes = bytes_of(&snapshots, &sent);
    let fresh = MemFiles::new();
    let target = open(&fresh, None);
    let receive = |name, bytes: &[u8]| {
        let mut incoming = target.receive(name, sent.size)?;
        incoming.write_at(0, bytes)?;
        incoming.verify()?.publish()
    };
    let kind = |result: io::Result<SnapshotMeta>| result.unwrap_err().kind();

    let mut gap = target.receive(sent.name, sent.size).unwrap();
    assert_eq!(
        gap.write_at(1, b"x").unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
    drop(gap);
    let surplus = [bytes.as_slice(), b"x"].concat();
    assert_eq!(
        kind(receive(sent.name, &surplus)),
        io::ErrorKind::InvalidInput
    );
    assert_eq!(
        kind(receive(sent.name, &bytes[1..])),
        io::ErrorKind::InvalidInput
    );
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    assert_eq!(
        kind(receive(sent.name, &damaged)),
        io::ErrorKind::InvalidData
    );
    assert_eq!(kind(receive(name(38), &bytes)), io::ErrorKind::InvalidData);
    assert_eq!(
        target
            .receive(sent.name, SNAPSHOT_BYTES_MAX + 1)
            .err()
            .unwrap()
            .kind(),
        io::ErrorKind::InvalidInput
    );
    assert_eq!(target.latest(), None);
    assert_eq!(fresh.list(SNAPSHOT_DIR).unwrap(), Vec::<String>::new());
}

#[test]
fn two_writers_of_one_snapshot_are_refused() {
    let files = MemFiles::new();
    let snapshots = open(&files, None);
    let first = snapshots.begin(name(1), b"").unwrap();
    let second = snapshots.receive(name(1), 10).err().unwrap();
    assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
    drop(first);
    build(&snapshots, 1).unwrap();
}

#[test]
fn a_record_or_a_note_over_its_limit_is_refused() {
    let files = MemFiles::new();
    let snapshots = open(&files, None);
    let long_note = vec![0; codec::CONTROL_MAX + 1];
    let refused = snapshots.begin(name(1), &long_note).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    let mut writer = snapshots.begin(name(1), b"").unwrap();
    let long_row = Row(0, "x".repeat(codec::SNAPSHOT_RECORD_MAX));
    let refused = writer.append(&long_row).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn only_one_spelling_of_a_name_is_a_name() {
    let written = name(7).to_string();
    assert_eq!(written.parse(), Ok(name(7)));
    for foreign in [
        "",
        "3-7",
        "3-07-000000000000abca",
        "../3-7-000000000000abca",
        "3-7-abca",
    ] {
        assert!(foreign.parse::<SnapshotName>().is_err(), "{foreign}");
    }
}

#[test]
fn a_damaged_snapshot_that_is_built_again_is_whole_and_outlived_like_any_other() {
    let files = MemFiles::new();
    let snapshots = open(&files, None);
    build(&snapshots, 10).unwrap();
    let damaged = build(&snapshots, 20).unwrap();
    files
        .flip(&format!("{SNAPSHOT_DIR}/{}.snap", damaged.name), 8 * 40)
        .unwrap();
    let snapshots = open(&files, Some(5));
    assert_eq!(snapshots.damaged()[0].0, damaged.name);
    let whole = build(&snapshots, 20).unwrap();
    assert_eq!(
        (snapshots.latest(), snapshots.damaged()),
        (Some(whole), Vec::new())
    );
    build(&snapshots, 30).unwrap();
    build(&snapshots, 40).unwrap();
    assert_eq!(files.list(SNAPSHOT_DIR).unwrap().len(), SNAPSHOTS_KEPT);
}

#[test]
fn only_our_own_unfinished_files_are_removed() {
    let files = MemFiles::new();
    drop(open(&files, None));
    for stray in ["notes.tmp", "3-7-000000000000abca.snap.tmp"] {
        files.create(&format!("{SNAPSHOT_DIR}/{stray}")).unwrap();
    }
    drop(open(&files, None));
    assert_eq!(files.list(SNAPSHOT_DIR).unwrap(), ["notes.tmp"]);
}
