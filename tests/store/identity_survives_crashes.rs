//! P8: an acknowledged vote is never older after a crash, wherever the power was cut, nor after one
//! slot has rotted.

use std::io;
use std::sync::Arc;

use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::{Identity, IdentityFile, SLOT_BYTES, SLOTS, StoredVote};
use eureka_raft::store::{MemFiles, OpenError};

/// Crashes tried at each step: each loses and tears other unsynced writes.
const SEEDS: u64 = 24;

fn share(files: &MemFiles) -> SharedFiles {
    Arc::new(files.clone())
}

fn vote(term: u64) -> StoredVote {
    StoredVote {
        term,
        node_id: term % 3,
        committed: term.is_multiple_of(2),
    }
}

/// Makes an identity, then votes in ten terms, noting marks in between. Stops at the first error;
/// answers what was acknowledged.
fn work(files: &MemFiles) -> (Option<Identity>, io::Result<()>) {
    let Ok(file) = IdentityFile::create(share(files), "node-1", 99) else {
        return (None, Ok(()));
    };
    let mut result = Ok(());
    for term in 1..=10 {
        result = file
            .update(|identity| {
                identity.vote = Some(vote(term));
                identity.cluster_id = Some(u128::from(term));
            })
            .and_then(|()| file.raise_mark(term * 100));
        if result.is_err() {
            break;
        }
    }
    (Some(file.get()), result)
}

#[test]
fn no_power_cut_takes_back_an_acknowledged_vote() {
    let healthy = MemFiles::new();
    work(&healthy).1.unwrap();
    for step in 0..=healthy.steps() {
        for seed in 0..SEEDS {
            let files = MemFiles::new();
            files.fail_from(step);
            let (acknowledged, _) = work(&files);
            let found = IdentityFile::open(share(&files.crash(seed)))
                .unwrap_or_else(|error| panic!("step {step} seed {seed}: {error}"));
            let Some(acknowledged) = acknowledged else {
                continue;
            };
            let found = found
                .unwrap_or_else(|| panic!("step {step} seed {seed}: identity lost"))
                .get();
            assert!(found.vote >= acknowledged.vote, "step {step} seed {seed}");
            assert!(
                found.durable_mark >= acknowledged.durable_mark,
                "step {step} seed {seed}"
            );
            assert!(
                found.cluster_id >= acknowledged.cluster_id,
                "step {step} seed {seed}"
            );
            assert_eq!(found.incarnation, 99);
        }
    }
}

#[test]
fn an_identity_is_usable_after_a_crash_at_any_step() {
    let healthy = MemFiles::new();
    work(&healthy).1.unwrap();
    for step in 0..=healthy.steps() {
        let files = MemFiles::new();
        files.fail_from(step);
        drop(work(&files));
        let files = files.crash(step);
        let file = match IdentityFile::open(share(&files)).unwrap() {
            Some(file) => file,
            None => IdentityFile::create(share(&files), "node-1", 99).unwrap(),
        };
        file.update(|identity| identity.vote = Some(vote(50)))
            .unwrap();
        let found = IdentityFile::open(share(&files.crash(step)))
            .unwrap()
            .unwrap();
        assert_eq!(found.get().vote, Some(vote(50)));
    }
}

#[test]
fn one_rotten_slot_loses_no_vote() {
    for slot in SLOTS {
        for bit in (0..SLOT_BYTES * 8).step_by(41) {
            let files = MemFiles::new();
            work(&files).1.unwrap();
            let file = IdentityFile::open(share(&files)).unwrap().unwrap();
            file.update(|identity| identity.vote = Some(vote(11)))
                .unwrap();
            files.flip(slot, bit).unwrap();
            // A flip may make the slot look like a newer release's: then we refuse.
            match IdentityFile::open(share(&files)) {
                Ok(found) => assert_eq!(found.unwrap().get().vote, Some(vote(11)), "{slot} {bit}"),
                Err(error) => assert_eq!(error.exit_code(), 78, "{slot} {bit}: {error}"),
            }
        }
    }
}

#[test]
fn a_rotten_slot_is_written_anew_at_the_next_start() {
    let files = MemFiles::new();
    work(&files).1.unwrap();
    files.flip(SLOTS[0], 100).unwrap();
    IdentityFile::open(share(&files)).unwrap();
    files.flip(SLOTS[1], 100).unwrap();
    let found = IdentityFile::open(share(&files)).unwrap().unwrap();
    assert_eq!(found.get().vote, Some(vote(10)));
}

#[test]
fn two_rotten_slots_are_refused_with_74_and_named() {
    let files = MemFiles::new();
    work(&files).1.unwrap();
    for slot in SLOTS {
        files.flip(slot, 400).unwrap();
    }
    let error = IdentityFile::open(share(&files)).unwrap_err();
    assert_eq!(error.exit_code(), 74);
    let text = error.to_string();
    assert!(SLOTS.iter().all(|slot| text.contains(slot)), "{text}");
}

#[test]
fn a_log_without_an_identity_is_refused() {
    let files = MemFiles::new();
    let disk = share(&files);
    disk.create_dir("log").unwrap();
    assert!(matches!(
        IdentityFile::open(Arc::clone(&disk)),
        Err(OpenError::Corrupt { .. })
    ));
    assert!(IdentityFile::create(disk, "node-1", 1).is_err());
}

#[test]
fn an_identity_is_created_once() {
    let files = MemFiles::new();
    IdentityFile::create(share(&files), "node-1", 1).unwrap();
    assert!(IdentityFile::create(share(&files), "node-1", 2).is_err());
    let found = IdentityFile::open(share(&files)).unwrap().unwrap();
    assert_eq!(found.get().incarnation, 1);
}

#[test]
fn what_must_not_change_is_refused_and_changes_nothing() {
    let files = MemFiles::new();
    work(&files).1.unwrap();
    let file = IdentityFile::open(share(&files)).unwrap().unwrap();
    let before = (file.get(), files.steps());
    let refusals: [fn(&mut Identity); 5] = [
        |identity| identity.vote = Some(vote(9)),
        |identity| identity.vote = None,
        |identity| identity.incarnation = 1,
        |identity| identity.durable_mark = 1,
        |identity| identity.name = "n".repeat(SLOT_BYTES),
    ];
    for refused in refusals {
        let error = file.update(refused).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
    assert_eq!((file.get(), files.steps()), before);
}

#[test]
fn after_one_failed_write_every_update_fails() {
    let files = MemFiles::new();
    let file = IdentityFile::create(share(&files), "node-1", 1).unwrap();
    files.fail_from(files.steps());
    file.update(|identity| identity.vote = Some(vote(1)))
        .unwrap_err();
    files.fail_from(u64::MAX);
    let again = file
        .update(|identity| identity.vote = Some(vote(2)))
        .unwrap_err();
    assert!(again.to_string().contains("failed before"), "{again}");
    assert_eq!(file.get().vote, None);
}
