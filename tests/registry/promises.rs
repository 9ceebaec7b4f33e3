//! The promises as far as the core keeps them: P3, P4, P5, P6, P10.
//!
//! Owns one test a promise; `tests/promises.rs` has them on real processes.

use std::collections::BTreeMap;

use eureka_raft::registry::{
    ActionType, Command, Entry, Instance, InstanceStatus, LeaseTerms, Origin, Outcome, Registry,
    Settings, View,
};

use super::log::{Log, dated, instance, register, renew, renew_by_name};
use super::random;

/// A random log that never drops a change.
fn random_log(seed: u64, entries: usize) -> Vec<Entry> {
    let mut log = random::random_log(seed, entries);
    for entry in &mut log {
        entry
            .commands
            .retain(|command| !matches!(command, Command::Settings(_)));
    }
    log
}

type Shown = BTreeMap<(String, String), InstanceStatus>;

/// Every instance a full read shows, with its status.
fn full_read(view: &View) -> Shown {
    let records = view.applications().flat_map(|app| app.instances.values());
    let key = |instance: &Instance| (instance.app.to_string(), instance.id.to_string());
    records
        .map(|record| (key(&record.instance), record.status))
        .collect()
}

/// What a consumer that held `shown` holds after all changes behind its cursor.
fn replay(mut shown: Shown, view: &View, cursor: u64) -> Shown {
    for change in view.changes_after(cursor).expect("nothing was dropped") {
        let instance = &change.record.instance;
        let key = (instance.app.to_string(), instance.id.to_string());
        if change.action == ActionType::Deleted {
            shown.remove(&key);
        } else {
            shown.insert(key, change.record.status);
        }
    }
    shown
}

fn hash_code(shown: &Shown) -> String {
    let count = |status| shown.values().filter(|shown| **shown == status).count();
    let counts = InstanceStatus::ALPHABETIC.map(|status| (status.as_str(), count(status)));
    let counted = counts.iter().filter(|(_, count)| *count > 0);
    counted
        .map(|(name, count)| format!("{name}_{count}_"))
        .collect()
}

#[test]
fn p3_apply_is_the_one_door_and_a_skipped_entry_moves_the_index_alone() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let before = full_read(&log.view());
    log.registry.skip(7);
    let view = log.view();
    assert_eq!((view.index(), view.catalogue_index()), (7, 1));
    assert_eq!(full_read(&view), before);
    log.registry.assert_invariants();
    let outcome = log.heartbeat("APP", "i1");
    assert_eq!((outcome, log.view().index()), (Outcome::Done, 8));
}

#[test]
#[should_panic(expected = "each entry is applied once, in order")]
fn p3_an_entry_is_never_applied_twice() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let at = log.now;
    let commands = vec![];
    log.registry.apply(1, &Entry { at, commands });
}

#[test]
fn p4_a_reader_by_cursor_misses_nothing_from_any_index_to_any_later_one() {
    let mut log = Log::new();
    let mut reads = vec![(0, full_read(&log.view()))];
    for entry in random_log(4, 150) {
        let index = log.registry.index() + 1;
        log.registry.apply_owned(index, entry);
        let view = log.view();
        for (cursor, shown) in reads.iter().step_by(7) {
            let replayed = replay(shown.clone(), &view, *cursor);
            assert_eq!(replayed, full_read(&view), "from {cursor} to {index}");
        }
        reads.push((index, full_read(&view)));
    }
}

#[test]
fn p5_the_hash_code_of_every_view_is_that_of_its_own_content() {
    let mut log = Log::new();
    for entry in random_log(5, 400) {
        let before = (log.registry.index(), full_read(&log.view()));
        log.registry.apply_owned(before.0 + 1, entry);
        let view = log.view();
        assert_eq!(view.hash_code(), hash_code(&full_read(&view)));
        let replayed = replay(before.1, &view, before.0);
        assert_eq!(
            hash_code(&replayed),
            view.hash_code(),
            "delta and hash agree"
        );
    }
}

/// Renewing at half the lease, through wall-clock jumps, leader changes (the lease clock stands
/// still or repeats itself) and snapshots, with a pulse each second and nobody protected.
#[test]
fn p6_nobody_who_renews_at_half_the_lease_is_ever_evicted() {
    let mut log = Log::new();
    log.one(Command::Settings(Settings {
        protection_enabled: false,
        ..Settings::default()
    }));
    log.register(Instance {
        lease: LeaseTerms {
            renewal_interval_secs: 45,
            duration_secs: 90,
        },
        ..dated(InstanceStatus::Up, 1)
    });
    let record = log.record("APP", "i1").unwrap();
    for second in 1_u64..2_000 {
        log.pass_ms(1_000);
        match second % 400 {
            100 => log.now.wall_ms += 86_400_000,
            200 => log.now.wall_ms = 0,
            300 => log.now.lease_ms -= 2_000,
            399 => {
                let records: Vec<_> = log.registry.snapshot().records().collect();
                log.registry = Registry::restore(records).unwrap();
            }
            _ => {}
        }
        if second % 45 == 0 {
            assert_eq!(log.one(renew(&record)), Outcome::Done);
        }
        assert_eq!(log.evict(), Outcome::Evicted(0), "second {second}");
    }
}

#[test]
fn p6_a_dead_instance_goes_within_its_lease_and_a_second_whatever_the_lease() {
    for duration_secs in [1, 2, 30, 90, 86_400] {
        let mut log = Log::new();
        log.pass_ms(777).register(Instance {
            lease: LeaseTerms {
                renewal_interval_secs: 1,
                duration_secs,
            },
            ..instance("APP", "i1")
        });
        log.pass_ms(u64::from(duration_secs) * 1_000 - 1);
        assert_eq!(log.evict(), Outcome::Evicted(0), "{duration_secs}");
        log.pass_ms(1_001);
        assert_eq!(log.evict(), Outcome::Evicted(1), "{duration_secs}");
    }
}

#[test]
fn p10_a_heartbeat_is_404_for_three_reasons_and_no_other() {
    let mut log = Log::new();
    let by_name = |stamp| renew_by_name("APP", "i1", stamp, Origin::Client);
    assert_eq!(log.one(by_name(None)), Outcome::NotFound, "no lease");
    log.register(dated(InstanceStatus::Up, 10));
    assert_eq!(
        log.one(by_name(Some(11))),
        Outcome::NotFound,
        "the client's is newer"
    );
    log.one(register(dated(InstanceStatus::Unknown, 11), Origin::Client));
    assert_eq!(
        log.one(by_name(Some(11))),
        Outcome::NotFound,
        "status UNKNOWN"
    );
    log.register(dated(InstanceStatus::Up, 12));
    log.pass_ms(500_000);
    for stamp in [None, Some(0), Some(12)] {
        assert_eq!(
            log.one(by_name(stamp)),
            Outcome::Done,
            "overdue, but not evicted yet"
        );
    }
}
