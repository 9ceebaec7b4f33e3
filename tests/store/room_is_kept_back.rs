//! A full disk: ballast is given up a little at a time, only when nothing else is left, and made again.

use std::sync::Arc;

use eureka_raft::store::MemFiles;
use eureka_raft::store::files::{File, Files, SharedFiles};
use eureka_raft::store::space::{BALLAST_PIECES, ROOM_MIN, SpaceKeeper, SpaceLimits, SpaceState};

const MIB: u64 = 1 << 20;
/// Soft 25 MiB, hard 10, ballast 5 in eight pieces.
const VOLUME: u64 = 100 * MIB;
const PIECE: u64 = 5 * MIB / BALLAST_PIECES;
const INODES: u64 = 1_000;

struct Volume {
    disk: MemFiles,
    filler: Box<dyn File>,
    filled: u64,
}

impl Volume {
    fn new() -> Self {
        let disk = MemFiles::new();
        disk.bound(VOLUME, INODES);
        let filler = disk.create("filler").unwrap();
        Self {
            disk,
            filler,
            filled: 0,
        }
    }

    fn open(&self) -> SpaceKeeper {
        let files: SharedFiles = Arc::new(self.disk.clone());
        SpaceKeeper::open(files, &SpaceLimits::default()).unwrap()
    }

    /// A keeper with all of its ballast.
    fn settled(&self) -> SpaceKeeper {
        let keeper = self.open();
        for _ in 0..BALLAST_PIECES {
            keeper.look().unwrap();
        }
        assert_eq!(keeper.report().ballast_missing, 0);
        keeper
    }

    fn free(&self) -> u64 {
        self.disk.space().unwrap().free_bytes
    }

    /// Fills the volume up to `left` free bytes.
    fn fill_up_to(&mut self, left: u64) {
        let more = self.free() - left;
        let bytes = vec![1; usize::try_from(more).unwrap()];
        self.filler.write_at(self.filled, &bytes).unwrap();
        self.filled += more;
    }

    fn make_room(&mut self) {
        self.disk.remove("filler").unwrap();
    }
}

#[test]
fn the_ballast_is_made_a_piece_at_a_time_and_is_found_again() {
    let volume = Volume::new();
    let keeper = volume.open();
    assert_eq!(volume.free(), VOLUME);
    assert_eq!(keeper.look().unwrap().ballast_missing, 7 * PIECE);
    drop(volume.settled());
    assert_eq!(volume.free(), VOLUME - 5 * MIB);
    assert_eq!(volume.open().report().ballast_missing, 0);
}

#[test]
fn a_volume_that_fills_up_is_low_then_full_and_its_ballast_stays_until_nothing_else_is_left() {
    let mut volume = Volume::new();
    let keeper = volume.settled();
    assert_eq!(keeper.look().unwrap().state, SpaceState::Ok);
    for (left, state) in [
        (24 * MIB, SpaceState::Low),
        (9 * MIB, SpaceState::Full),
        (2 * MIB, SpaceState::Full),
    ] {
        volume.fill_up_to(left);
        let report = keeper.look().unwrap();
        assert_eq!((report.state, report.ballast_missing), (state, 0));
    }
}

#[test]
fn each_write_on_a_full_volume_is_given_only_what_it_needs() {
    let mut volume = Volume::new();
    let keeper = volume.settled();
    volume.fill_up_to(9 * MIB);
    keeper.look().unwrap();
    volume.fill_up_to(0);
    keeper.make_room(0).unwrap();
    let missing = keeper.report().ballast_missing;
    // 1 MiB stays free beside what is written.
    assert_eq!(missing, 2 * PIECE);
    assert!(volume.free() >= ROOM_MIN);
    keeper.make_room(0).unwrap();
    let unchanged = keeper.report().ballast_missing;
    assert_eq!(unchanged, missing, "there is room already");
    keeper.make_room(MIB).unwrap();
    assert_eq!(keeper.report().ballast_missing, 4 * PIECE);
}

#[test]
fn giving_up_ballast_is_no_recovery() {
    let mut volume = Volume::new();
    let keeper = volume.settled();
    volume.fill_up_to(9 * MIB);
    assert_eq!(keeper.look().unwrap().state, SpaceState::Full);
    volume.fill_up_to(0);
    for _ in 0..20 {
        keeper.make_room(0).unwrap();
        let report = keeper.look().unwrap();
        assert_eq!(report.state, SpaceState::Full);
        assert!(report.ballast_missing > 0);
    }
    assert!(keeper.has_room_for(4 * MIB) && !keeper.has_room_for(5 * MIB));
}

#[test]
fn a_start_on_a_full_volume_gives_up_ballast_before_anything_is_written() {
    let mut volume = Volume::new();
    drop(volume.settled());
    volume.fill_up_to(0);
    let keeper = volume.open();
    assert!(volume.free() >= ROOM_MIN);
    assert_eq!(keeper.look().unwrap().state, SpaceState::Full);
}

#[test]
fn the_ballast_is_made_again_when_there_is_room() {
    let mut volume = Volume::new();
    let keeper = volume.settled();
    volume.fill_up_to(9 * MIB);
    keeper.look().unwrap();
    volume.fill_up_to(0);
    keeper.make_room(0).unwrap();
    assert!(keeper.report().ballast_missing > 0);
    volume.make_room();
    for _ in 0..BALLAST_PIECES {
        keeper.look().unwrap();
    }
    let report = keeper.report();
    assert_eq!((report.state, report.ballast_missing), (SpaceState::Ok, 0));
}

#[test]
fn without_inodes_the_volume_is_full_and_the_ballast_gives_some_back() {
    let volume = Volume::new();
    let keeper = volume.settled();
    volume.disk.bound(VOLUME, 1);
    assert_eq!(keeper.look().unwrap().state, SpaceState::Full);
    keeper.make_room(0).unwrap();
    assert_eq!(keeper.report().space.free_inodes, 2);
}

#[test]
fn a_piece_cut_short_by_a_crash_is_made_anew() {
    let volume = Volume::new();
    drop(volume.settled());
    let mut cut = volume.disk.create("ballast/3").unwrap();
    cut.write_at(0, &[0; 100]).unwrap();
    let keeper = volume.open();
    assert_eq!(keeper.report().ballast_missing, PIECE);
    keeper.look().unwrap();
    assert_eq!(keeper.report().ballast_missing, 0);
}
