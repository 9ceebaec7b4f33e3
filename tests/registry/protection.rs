//! Self-preservation: a crowd that falls silent is the network, one that does is dead.
//!
//! Owns I-i of the invariants, with pulses each second as a leader proposes them.

use eureka_raft::registry::{Command, Instance, LeaseTerms, Origin, Outcome, Protection, Settings};

use super::log::{Log, instance, register, renew};

/// A log with `crowd` instances i0, i1, … registered over half a minute.
fn registered(crowd: usize) -> Log {
    let mut log = Log::new();
    for n in 0..crowd {
        log.register(instance("APP", &format!("i{n:03}")));
        log.pass_ms(30_000 / crowd as u64);
    }
    log
}

/// Runs for `seconds` with a pulse each; the instances from `alive` on renew every 30 s.
fn run(log: &mut Log, seconds: u64, alive: std::ops::Range<usize>) -> u32 {
    let mut evicted = 0;
    for second in 0..seconds {
        log.pass_ms(1_000);
        if second % 30 == 0 {
            let view = log.view();
            let app = view.applications().next().cloned();
            let records = app.iter().flat_map(|app| app.instances.values());
            let number = |id: &str| id[1..].parse().expect("ids are i and a number");
            let is_alive = |id: &str| alive.contains(&number(id));
            let renewals = records
                .filter(|record| is_alive(record.instance.id.as_str()))
                .map(|record| renew(record));
            log.entry(renewals.collect());
        }
        if let Outcome::Evicted(count) = log.evict() {
            evicted += count;
        }
    }
    evicted
}

#[test]
fn a_single_death_is_evicted_even_in_a_registry_of_two() {
    let mut log = registered(2);
    assert_eq!(run(&mut log, 120, 1..2), 1);
    assert_eq!(log.record("APP", "i000"), None);
    assert!(log.record("APP", "i001").is_some());
}

#[test]
fn the_last_instance_is_evicted_too() {
    let mut log = registered(1);
    assert_eq!(run(&mut log, 120, 0..0), 1);
}

#[test]
fn a_partition_of_a_crowd_evicts_nobody_not_even_one_by_one() {
    let mut log = registered(60);
    assert_eq!(run(&mut log, 900, 20..60), 0);
    let protection = log.registry.protection(log.now.lease_ms);
    let expected = Protection {
        enabled: true,
        active: true,
        leases: 60,
        silent: 20,
        allowed_silent: 9,
    };
    assert_eq!(protection, expected);
    assert_eq!(
        log.cancel("APP", "i000"),
        Outcome::Done,
        "cancels still work"
    );
    assert_eq!(run(&mut log, 300, 0..60), 0, "they come back unharmed");
    assert!(!log.registry.protection(log.now.lease_ms).active);
}

#[test]
fn as_many_as_the_threshold_allows_are_evicted_and_the_others_stay() {
    let mut log = registered(60);
    assert_eq!(run(&mut log, 300, 9..60), 9);
    assert_eq!(log.view().instance_count(), 51);
}

#[test]
fn evictions_resume_when_enough_of_the_crowd_is_back() {
    let mut log = registered(40);
    assert_eq!(run(&mut log, 300, 10..40), 0);
    assert_eq!(run(&mut log, 300, 4..40), 4);
}

#[test]
fn without_protection_all_of_the_silent_go() {
    let mut log = registered(40);
    log.one(Command::Settings(Settings {
        protection_enabled: false,
        ..Settings::default()
    }));
    assert_eq!(run(&mut log, 120, 10..40), 10);
    let protection = log.registry.protection(log.now.lease_ms + 100_000);
    assert!(!protection.active && protection.silent == 30);
}

/// (leases, threshold in thousandths, allowed silent)
#[test]
fn the_allowance_is_rounded_down_and_never_below_one() {
    let table = [
        (1, 850, 1),
        (13, 850, 1),
        (14, 850, 2),
        (20, 850, 3),
        (100, 1_000, 1),
        (100, 2_000, 1),
        (10, 0, 10),
    ];
    for (crowd, protection_threshold_milli, allowed) in table {
        let mut log = registered(crowd);
        log.one(Command::Settings(Settings {
            protection_threshold_milli,
            ..Settings::default()
        }));
        let protection = log.registry.protection(0);
        assert_eq!(
            protection.allowed_silent, allowed,
            "{crowd} {protection_threshold_milli}"
        );
    }
}

#[test]
fn a_lease_is_silent_after_more_than_one_and_a_half_of_its_own_intervals() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let slow = LeaseTerms {
        renewal_interval_secs: 60,
        duration_secs: 180,
    };
    log.register(Instance {
        lease: slow,
        ..instance("APP", "i2")
    });
    let silent_at = |ms| log.registry.protection(ms).silent;
    assert_eq!((silent_at(45_000), silent_at(45_001)), (0, 1));
    assert_eq!((silent_at(90_000), silent_at(90_001)), (1, 2));
}

#[test]
fn a_crowd_registered_in_one_entry_turns_silent_before_any_of_it_is_due() {
    let mut log = Log::new();
    let crowd = (0..100).map(|n| register(instance("APP", &format!("i{n}")), Origin::Client));
    log.entry(crowd.collect());
    for _ in 0..200 {
        log.pass_ms(1_000);
        assert_eq!(log.evict(), Outcome::Evicted(0));
    }
}
