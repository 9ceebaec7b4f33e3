//! How long a lease lives, and that no eviction beats a newer renewal.
//!
//! Owns cases 79-84 as `ARCHITECTURE.md` has them, and I-d of the invariants.

use eureka_raft::registry::{
    ActionType, Command, EVICTIONS_MAX, Instance, LeaseTerms, Origin, Outcome, Settings,
};

use super::log::{Log, WALL_START_MS, instance, register, renew};

fn unprotected() -> Settings {
    Settings {
        protection_enabled: false,
        ..Settings::default()
    }
}

fn living(id: &str, duration_secs: u32) -> Instance {
    Instance {
        lease: LeaseTerms {
            renewal_interval_secs: duration_secs.div_ceil(3),
            duration_secs,
        },
        ..instance("APP", id)
    }
}

#[test]
fn a_lease_of_90_s_lives_90_s_and_is_gone_by_91_s() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    log.pass_ms(89_999);
    assert!(!log.registry.eviction_may_be_due(log.now.lease_ms));
    assert_eq!(log.evict(), Outcome::Evicted(0));
    log.pass_ms(1_001);
    assert!(log.registry.eviction_may_be_due(log.now.lease_ms));
    assert_eq!(log.evict(), Outcome::Evicted(1));
    assert_eq!(log.record("APP", "i1"), None);
    assert_eq!(log.last_change().unwrap().0, ActionType::Deleted);
    assert_eq!(log.heartbeat("APP", "i1"), Outcome::NotFound);
    assert!(!log.registry.eviction_may_be_due(log.now.lease_ms));
}

#[test]
fn a_renewed_lease_lives_its_duration_from_the_renewal_not_twice() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    log.pass_ms(60_000).heartbeat("APP", "i1");
    log.pass_ms(89_999);
    assert_eq!(log.evict(), Outcome::Evicted(0));
    log.pass_ms(1);
    assert_eq!(log.evict(), Outcome::Evicted(1));
}

#[test]
fn the_lease_factor_stretches_every_lease_from_its_entry_on() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let doubled = Settings {
        lease_factor_milli: 2_000,
        ..Settings::default()
    };
    log.one(Command::Settings(doubled));
    log.pass_ms(179_999);
    assert_eq!(log.evict(), Outcome::Evicted(0));
    log.one(Command::Settings(Settings::default()));
    assert!(
        log.registry.eviction_may_be_due(log.now.lease_ms),
        "shortened leases are found"
    );
    assert_eq!(log.evict(), Outcome::Evicted(1));
}

#[test]
fn the_longest_lease_does_not_overflow() {
    let mut log = Log::new();
    log.one(Command::Settings(Settings {
        lease_factor_milli: u32::MAX,
        ..Settings::default()
    }));
    log.now.lease_ms = u64::MAX - 1;
    log.register(living("i1", u32::MAX));
    assert_eq!(log.evict(), Outcome::Evicted(0));
}

#[test]
fn the_lease_clock_never_goes_back() {
    let mut log = Log::new();
    log.pass_ms(50_000).register(instance("APP", "i1"));
    log.now.lease_ms = 10_000;
    log.register(instance("APP", "i2"));
    assert_eq!(log.registry.lease_ms(), 50_000);
    let record = log.record("APP", "i2").unwrap();
    let renewal = log.registry.renewal(record.slot, record.generation);
    assert_eq!(renewal.map(|at| at.lease_ms), Some(50_000));
}

#[test]
fn a_wall_clock_jump_evicts_nobody() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    log.now.wall_ms = WALL_START_MS + 10 * 365 * 86_400_000;
    assert_eq!(log.evict(), Outcome::Evicted(0));
}

#[test]
fn a_renewal_ahead_of_the_pulse_in_one_entry_wins() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let record = log.record("APP", "i1").unwrap();
    log.pass_ms(100_000);
    let outcomes = log.entry(vec![renew(&record), Command::Evict { max: 10 }]);
    assert_eq!(outcomes, [Outcome::Done, Outcome::Evicted(0)]);
}

#[test]
fn a_pulse_takes_the_longest_overdue_first_and_then_by_name() {
    let mut log = Log::new();
    log.one(Command::Settings(unprotected()));
    for (id, duration) in [
        ("e", 20),
        ("d", 20),
        ("b", 20),
        ("c", 10),
        ("a", 30),
        ("late", 300),
    ] {
        log.register(living(id, duration));
    }
    log.pass_ms(100_000);
    for expected in [vec!["c", "b", "d"], vec!["e", "a"]] {
        let before = log.view().index();
        let expected_count = u32::try_from(expected.len()).unwrap();
        let outcome = log.one(Command::Evict { max: 3 });
        assert_eq!(outcome, Outcome::Evicted(expected_count));
        let changes = log.view().changes_after(before).unwrap();
        let ids: Vec<_> = changes
            .iter()
            .map(|c| c.record.instance.id.to_string())
            .collect();
        assert_eq!(ids, expected);
        let seqs: Vec<_> = (0..).zip(&changes).filter(|(n, c)| c.seq == *n).collect();
        assert_eq!(seqs.len(), changes.len(), "each counts on from the pulse");
    }
    assert_eq!(log.evict(), Outcome::Evicted(0));
    assert_eq!(log.view().instance_count(), 1);
}

#[test]
fn one_pulse_ends_at_most_a_thousand_leases_whatever_it_asks() {
    let mut log = Log::new();
    log.one(Command::Settings(unprotected()));
    let crowd = 0..EVICTIONS_MAX + 1;
    let crowd = crowd.map(|n| register(instance("APP", &format!("i{n}")), Origin::Client));
    log.entry(crowd.collect());
    log.pass_ms(90_000);
    let pulse = Command::Evict { max: u32::MAX };
    assert_eq!(log.one(pulse.clone()), Outcome::Evicted(EVICTIONS_MAX));
    assert_eq!(log.one(pulse.clone()), Outcome::Evicted(1));
    assert_eq!(log.one(pulse), Outcome::Evicted(0));
}

#[test]
fn a_slot_that_is_given_away_again_is_neither_forgotten_nor_taken_early() {
    let mut log = Log::new();
    log.one(Command::Settings(unprotected()));
    for round in 0_u32..50 {
        // Longer and shorter leases in one slot leave entries in buckets out of order.
        let duration = if round % 2 == 0 { 400 } else { 4 };
        log.register(living("i1", duration));
        if round % 3 == 0 {
            log.cancel("APP", "i1");
            log.register(living("i1", duration));
        }
        log.pass_ms(3_999);
        assert_eq!(log.evict(), Outcome::Evicted(0), "round {round}");
    }
    log.pass_ms(1);
    assert_eq!(log.evict(), Outcome::Evicted(1));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    RenewShort,
    RenewByName,
    Register,
    Cancel,
    Evict,
    Pass45,
}

/// All sequences of five steps and a last pulse on one instance, against one number: when it was
/// last renewed.
#[test]
fn no_interleaving_lets_an_eviction_beat_a_newer_renewal() {
    const STEPS: [Do; 6] = [
        Do::RenewShort,
        Do::RenewByName,
        Do::Register,
        Do::Cancel,
        Do::Evict,
        Do::Pass45,
    ];
    for number in 0..6_usize.pow(5) {
        let step = |n| STEPS[number / 6_usize.pow(n) % 6];
        let steps: Vec<Do> = (0..5).map(step).chain([Do::Evict]).collect();
        check_interleaving(&steps);
    }
}

fn check_interleaving(steps: &[Do]) {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let mut known = log.record("APP", "i1").expect("it was just registered");
    let mut renewed_at = Some(0);
    for step in steps {
        let now = log.now.lease_ms;
        match step {
            Do::RenewShort => {
                let hits = log.one(renew(&known)) == Outcome::Done;
                let is_current = log.record("APP", "i1").is_some_and(|record| {
                    (record.slot, record.generation) == (known.slot, known.generation)
                });
                assert_eq!(hits, is_current, "{steps:?}");
                renewed_at = if hits { Some(now) } else { renewed_at };
            }
            Do::RenewByName => {
                let hits = log.heartbeat("APP", "i1") == Outcome::Done;
                assert_eq!(hits, renewed_at.is_some(), "{steps:?}");
                renewed_at = renewed_at.map(|_| now);
            }
            Do::Register => {
                log.register(instance("APP", "i1"));
                renewed_at = Some(now);
            }
            Do::Cancel => {
                log.cancel("APP", "i1");
                renewed_at = None;
            }
            Do::Evict => {
                let is_over = renewed_at.is_some_and(|at| at + 90_000 <= now);
                assert_eq!(
                    log.evict(),
                    Outcome::Evicted(u32::from(is_over)),
                    "{steps:?}"
                );
                renewed_at = renewed_at.filter(|_| !is_over);
            }
            Do::Pass45 => {
                log.pass_ms(45_000);
            }
        }
        if *step == Do::RenewByName
            && let Some(record) = log.record("APP", "i1")
        {
            known = record;
        }
    }
    assert_eq!(
        log.record("APP", "i1").is_some(),
        renewed_at.is_some(),
        "{steps:?}"
    );
}
