//! Snapshots: whole or refused, and as good as the log they stand for (P7, I-g).
//!
//! Owns the round trip and every damage a list of records can have.

use eureka_raft::registry::{ChangeRecord, Registry, SnapshotRecord};

use super::random::random_log;

const SEED: u64 = 7;

fn applied(entries: usize) -> Registry {
    let mut registry = Registry::new();
    for (index, entry) in (1..).zip(random_log(SEED, entries)) {
        registry.apply_owned(index, entry);
    }
    registry
}

fn records(registry: &Registry) -> Vec<SnapshotRecord> {
    registry.snapshot().records().collect()
}

#[test]
fn a_registry_restored_at_any_point_goes_on_as_if_nothing_had_happened() {
    let log = random_log(SEED, 120);
    let mut original = Registry::new();
    for cut in 0..log.len() {
        let mut restored = Registry::restore(records(&original)).unwrap();
        restored.assert_invariants();
        let index = cut as u64 + 1;
        for (index, entry) in (index..).zip(log[cut..].iter().take(40)) {
            restored.apply(index, entry);
        }
        let end = log.len().min(cut + 40);
        let mut straight = Registry::restore(records(&original)).unwrap();
        assert_eq!(
            records(&straight),
            records(&original),
            "the list is of the state alone"
        );
        original.apply(index, &log[cut]);
        straight.apply(index, &log[cut]);
        assert_eq!(straight.view().state_hash(), original.view().state_hash());
        if end == log.len() {
            let whole = applied(log.len());
            assert_eq!(records(&restored), records(&whole), "cut at {cut}");
        }
    }
}

#[test]
fn a_snapshot_is_of_its_moment_although_the_registry_moves_on() {
    let mut registry = applied(60);
    let snapshot = registry.snapshot();
    let before: Vec<_> = snapshot.records().collect();
    let hash = registry.view().state_hash();
    for (index, entry) in (61..).zip(random_log(SEED + 1, 60)) {
        registry.apply_owned(index, entry);
    }
    assert_eq!(snapshot.records().collect::<Vec<_>>(), before);
    assert_eq!((snapshot.index(), snapshot.state_hash()), (60, hash));
}

#[test]
fn an_empty_registry_has_a_snapshot_too() {
    let restored = Registry::restore(records(&Registry::new())).unwrap();
    assert_eq!(
        restored.view().state_hash(),
        Registry::new().view().state_hash()
    );
}

#[test]
fn a_restored_floor_is_the_snapshots_own() {
    let registry = applied(200);
    let view = registry.view();
    assert!(view.oldest_cursor() > 0, "the log dropped something");
    let restored = Registry::restore(records(&registry)).unwrap();
    assert_eq!(restored.view().oldest_cursor(), view.oldest_cursor());
    let after = |view: &eureka_raft::registry::View| view.changes_after(view.oldest_cursor());
    assert_eq!(after(&restored.view()), after(&view));
}

/// Every single record missing, doubled, or exchanged with its neighbour.
#[test]
fn a_snapshot_that_lacks_repeats_or_reorders_a_record_is_refused() {
    let whole = records(&applied(80));
    for position in 0..whole.len() {
        let mut missing = whole.clone();
        missing.remove(position);
        assert!(
            Registry::restore(missing).is_err(),
            "without {:?}",
            whole[position]
        );
        let mut doubled = whole.clone();
        doubled.insert(position, whole[position].clone());
        assert!(
            Registry::restore(doubled).is_err(),
            "twice {:?}",
            whole[position]
        );
    }
    assert!(Registry::restore(Vec::new()).is_err());
    assert!(
        Registry::restore(whole[..whole.len() - 1].to_vec()).is_err(),
        "cut off"
    );
}

/// One number changed in each record that has one.
#[test]
fn a_snapshot_with_a_changed_number_is_refused() {
    let whole = records(&applied(80));
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        match &mut damaged[position] {
            SnapshotRecord::Header(header) => header.lease_ms += 1,
            SnapshotRecord::Application { version, .. } => *version += 1,
            SnapshotRecord::Instance { lease, .. } => lease.renewed.lease_ms += 1,
            SnapshotRecord::FreeSlot { generation, .. } => *generation += 1,
            SnapshotRecord::Change { record, at, .. } => match record {
                ChangeRecord::Own(record) => record.renewed_ms += 1,
                ChangeRecord::Current { .. } => at.wall_ms += 1,
            },
            SnapshotRecord::Registered(named) | SnapshotRecord::Cancelled(named) => {
                named.wall_ms += 1;
            }
            SnapshotRecord::Footer { state_hash } => *state_hash += 1,
        }
        assert!(Registry::restore(damaged).is_err(), "{:?}", whole[position]);
    }
}

#[test]
fn a_header_with_absurd_counts_is_refused_not_believed() {
    let whole = records(&applied(80));
    for absurd in 0..6 {
        let mut damaged = whole.clone();
        let SnapshotRecord::Header(header) = &mut damaged[0] else {
            panic!("the header comes first");
        };
        match absurd {
            0 => header.instances = u64::MAX,
            1 => header.free_slots = u64::MAX,
            2 => header.registered = (u64::MAX, u64::MAX),
            3 => header.cancelled.0 = u64::MAX,
            4 => header.changes = u64::MAX,
            _ => header.applications = u64::MAX,
        }
        assert!(Registry::restore(damaged).is_err(), "{absurd}");
    }
}
