//! Random logs through the core and through the naive model: they must never disagree.
//!
//! Owns the comparison: every outcome, every record whole, every change, every figure, after every
//! entry, with a snapshot and restore in the middle of the log. 256 logs; `PROPTEST_CASES=n` for
//! more. A failure prints the smallest log that shows it.

use std::sync::Arc;

use eureka_raft::registry::{Change, Record, Registry, View};
use proptest::prelude::{ProptestConfig, proptest};

use super::model::Model;
use super::random::logs;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_core_and_the_naive_model_never_disagree(log in logs(1..60), restored_at in 0..60_u64) {
        let mut registry = Registry::new();
        let mut model = Model::default();
        for (index, entry) in (1..).zip(&log) {
            let outcomes = registry.apply(index, entry);
            assert_eq!(outcomes, model.apply(index, entry), "entry {index}");
            registry.assert_invariants();
            if index == restored_at {
                let records: Vec<_> = registry.snapshot().records().collect();
                registry = Registry::restore(records).unwrap();
            }
            compare(&registry, &model);
        }
    }
}

fn compare(registry: &Registry, model: &Model) {
    let view = registry.view();
    let records = view.applications().flat_map(|app| app.instances.values());
    let records: Vec<&Record> = records.map(Arc::as_ref).collect();
    let expected: Vec<&Record> = model.held.values().map(|held| &held.record).collect();
    assert_eq!(records, expected);
    for held in model.held.values() {
        let renewal = registry.renewal(held.record.slot, held.record.generation);
        assert_eq!(renewal, Some(held.renewed));
    }
    compare_changes(&view, model);
    for ahead_ms in [0, 10_000, 60_000] {
        let now = model.lease_ms + ahead_ms;
        assert_eq!(registry.protection(now).silent, model.silent(now));
    }
    let newest_first = |names: &[_]| names.iter().rev().take(1_000).cloned().collect::<Vec<_>>();
    assert_eq!(view.recently_registered(), newest_first(&model.registered));
    assert_eq!(view.recently_cancelled(), newest_first(&model.cancelled));
}

fn compare_changes(view: &View, model: &Model) {
    let window: Vec<Change> = view
        .recent_changes()
        .map(|change| Change::clone(change))
        .collect();
    assert_eq!(window, model.window);
    assert_eq!(view.oldest_cursor(), model.floor);
    let singles = model.singles();
    for cursor in view.oldest_cursor()..=view.index() {
        let changes = view.changes_after(cursor);
        let changes = changes.expect("the cursor is not below the floor");
        let expected = singles.iter().filter(|change| change.index > cursor);
        assert!(
            changes.iter().map(Arc::as_ref).eq(expected),
            "after {cursor}"
        );
    }
    for cursor in 0..view.oldest_cursor() {
        assert!(view.changes_after(cursor).is_err(), "after {cursor}");
    }
}
