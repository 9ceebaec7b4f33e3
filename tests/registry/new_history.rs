//! A registry that begins another cluster's history: the same instances, no old cursor, full leases.

use eureka_raft::registry::{Command, Entry, LogTime, NEW_HISTORY_STEP, Registry, SnapshotRecord};

use super::random::random_log;

const SEED: u64 = 11;
const ENTRIES: usize = 200;

fn applied() -> Registry {
    let mut registry = Registry::new();
    for (index, entry) in (1..).zip(random_log(SEED, ENTRIES)) {
        registry.apply_owned(index, entry);
    }
    registry
}

#[test]
fn a_new_history_keeps_every_instance_and_refuses_every_old_cursor() {
    let old = applied();
    let (view, last) = (old.view(), old.index());
    let new = old.begin_new_history();
    new.assert_invariants();
    assert_eq!(new.index(), last + NEW_HISTORY_STEP);
    let now = new.view();
    assert!(
        now.instance_count() > 0,
        "seed {SEED} leaves instances to keep"
    );
    assert_eq!(now.instance_count(), view.instance_count());
    assert_eq!(now.hash_code(), view.hash_code());
    for cursor in [0, view.oldest_cursor(), last, last + NEW_HISTORY_STEP - 1] {
        let gone = now.changes_after(cursor).expect_err("an old cursor");
        assert_eq!(gone.oldest, now.index(), "cursor {cursor}");
    }
    assert_eq!(now.changes_after(now.index()), Ok(Vec::new()));
}

#[test]
fn no_lease_is_over_before_it_ran_its_whole_duration_again() {
    let mut new = applied().begin_new_history();
    let start = new.lease_ms();
    let factor = u64::from(new.view().settings().lease_factor_milli);
    let leases: Vec<_> = new.snapshot().records().collect();
    let shortest = leases.iter().filter_map(|record| match record {
        SnapshotRecord::Instance { lease, .. } => {
            assert_eq!(lease.renewed.lease_ms, start);
            Some(u64::from(lease.terms.duration_secs) * factor)
        }
        _ => None,
    });
    let shortest = shortest.min().expect("instances");
    assert!(shortest > 0, "seed {SEED} leaves leases that last");
    assert!(!new.eviction_may_be_due(start + shortest - 1));
    assert!(new.eviction_may_be_due(start + shortest));
    let at = LogTime {
        wall_ms: 0,
        lease_ms: start + shortest - 1,
    };
    let before = new.view().instance_count();
    let commands = vec![Command::Evict { max: 1_000 }];
    new.apply_owned(new.index() + 1, Entry { at, commands });
    assert_eq!(new.view().instance_count(), before);
}
