//! What is remembered of the peers is there again after any crash, as it was written last or last but one;
//! a damaged file is told and loses only what the other does not hold.

use std::sync::Arc;

use eureka_raft::store::files::{Files, SharedFiles};
use eureka_raft::store::identity::StoredVote;
use eureka_raft::store::peer_memory::{MEMORIES_MAX, MEMORY_FILES, Memories, Memory};
use eureka_raft::store::{MemFiles, MemoryFile};

const SEEDS: u64 = 12;

fn share(files: &MemFiles) -> SharedFiles {
    Arc::new(files.clone())
}

/// What is remembered in round `round`: more in each, of more directories in the even ones.
fn memories(round: u64) -> Memories {
    let directories = if round.is_multiple_of(2) { 5 } else { 2 };
    let memory = Memory {
        vote: Some(StoredVote {
            term: round,
            node_id: 1,
            committed: true,
        }),
        mark: round * 1_000,
    };
    (0..directories)
        .map(|directory| (u128::MAX - directory, memory))
        .collect()
}

/// Writes until the disk fails; answers the last round that was acknowledged.
fn work(files: &MemFiles) -> u64 {
    let Ok(mut file) = MemoryFile::open(share(files)) else {
        return 0;
    };
    (1..=6)
        .take_while(|round| file.write(&memories(*round)).is_ok())
        .last()
        .unwrap_or(0)
}

#[test]
fn no_power_cut_takes_more_than_what_was_being_written() {
    let healthy = MemFiles::new();
    assert_eq!(work(&healthy), 6);
    for step in 0..=healthy.steps() {
        for seed in 0..SEEDS {
            let files = MemFiles::new();
            files.fail_from(step);
            let written = work(&files);
            let file = MemoryFile::open(share(&files.crash(seed))).unwrap();
            let found = file.found();
            let expected = [written, written + 1].map(|round| match round {
                0 => Memories::new(),
                round => memories(round),
            });
            assert!(
                expected.contains(found),
                "step {step} seed {seed}: {found:?}"
            );
        }
    }
}

/// A node whose disk had run out of inodes by the first or second write ended itself with 74.
#[test]
fn once_settled_a_write_creates_no_file() {
    let present = |files: &MemFiles| MEMORY_FILES.map(|name| files.open(name).is_ok());
    for already in 0..=2 {
        let files = MemFiles::new();
        let mut file = MemoryFile::open(share(&files)).unwrap();
        for round in 1..=already {
            file.write(&memories(round)).unwrap();
        }
        let mut file = MemoryFile::open(share(&files)).unwrap();
        file.settle().unwrap();
        assert_eq!(present(&files), [true, true], "{already} written before");
        let again = MemoryFile::open(share(&files)).unwrap();
        assert_eq!((again.found(), again.damage()), (file.found(), None));
        assert_eq!(again.found().is_empty(), already == 0);
    }
}

#[test]
fn a_flipped_bit_loses_one_file_and_is_told() {
    let healthy = MemFiles::new();
    work(&healthy);
    for (name, left) in [(MEMORY_FILES[0], 6), (MEMORY_FILES[1], 5)] {
        for bit in 0..8 * 60 {
            let files = healthy.crash(1);
            files.flip(name, bit).unwrap();
            let file = MemoryFile::open(share(&files)).unwrap();
            assert_eq!(file.found(), &memories(left), "{name} bit {bit}");
            assert!(file.damage().unwrap().contains(name));
        }
    }
}

#[test]
fn when_both_are_damaged_it_begins_anew_and_can_be_written() {
    let files = MemFiles::new();
    work(&files);
    for name in MEMORY_FILES {
        files.flip(name, 99).unwrap();
    }
    let mut file = MemoryFile::open(share(&files)).unwrap();
    assert!(file.found().is_empty());
    assert!(
        MEMORY_FILES
            .iter()
            .all(|name| file.damage().unwrap().contains(name))
    );
    for round in [9, 10] {
        file.write(&memories(round)).unwrap();
    }
    let file = MemoryFile::open(share(&files)).unwrap();
    assert_eq!((file.found(), file.damage()), (&memories(10), None));
}

#[test]
fn it_is_bounded() {
    let mut file = MemoryFile::open(share(&MemFiles::new())).unwrap();
    let most = Memory {
        vote: Some(StoredVote {
            term: u64::MAX,
            node_id: u64::MAX,
            committed: true,
        }),
        mark: u64::MAX,
    };
    let full: Memories = (0..MEMORIES_MAX as u128)
        .map(|row| (u128::MAX - row, most))
        .collect();
    file.write(&full).unwrap();
    let mut over = full.clone();
    over.insert(1, most);
    file.write(&over).unwrap_err();
    file.write(&full).unwrap();
}
