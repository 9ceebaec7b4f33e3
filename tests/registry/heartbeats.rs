//! Heartbeats: who is answered what (cases 27-36, P10's three reasons).
//!
//! Owns `eureka-api.md` 1.6 and 3.3 as tables.

use eureka_raft::registry::{Command, InstanceStatus, Origin, Outcome};

use super::log::{Log, dated, instance, put_metadata, put_status, renew, renew_by_name};

use InstanceStatus::{Down, OutOfService, Starting, Unknown, Up};

/// (the client's timestamp, who sends, the answer), for an instance held with timestamp 10.
#[test]
fn a_heartbeats_timestamp_is_compared_as_the_released_server_does() {
    let table = [
        (None, Origin::Client, Outcome::Done),
        (Some(10), Origin::Client, Outcome::Done),
        (Some(11), Origin::Client, Outcome::NotFound),
        (Some(9), Origin::Client, Outcome::Done),
        (None, Origin::Replication, Outcome::Done),
        (Some(10), Origin::Replication, Outcome::Done),
        (Some(11), Origin::Replication, Outcome::NotFound),
        (Some(9), Origin::Replication, Outcome::Conflict),
    ];
    for (stamp, origin, answer) in table {
        let mut log = Log::new();
        log.register(dated(Up, 10));
        log.pass_ms(60_000);
        let outcome = log.one(renew_by_name("app", "i1", stamp, origin));
        assert_eq!(outcome, answer, "{stamp:?} {origin:?}");
        log.pass_ms(60_000);
        assert_eq!(log.evict(), Outcome::Evicted(0), "renewed before compared");
    }
}

#[test]
fn a_heartbeat_of_an_instance_in_status_unknown_is_404_and_renews_nothing() {
    let mut log = Log::new();
    log.register(dated(Unknown, 10));
    let record = log.record("APP", "i1").unwrap();
    log.pass_ms(60_000);
    assert_eq!(log.heartbeat("APP", "i1"), Outcome::NotFound);
    assert_eq!(log.one(renew(&record)), Outcome::SlotMiss);
    log.pass_ms(30_000);
    assert_eq!(log.evict(), Outcome::Evicted(1));
}

#[test]
fn every_other_status_renews() {
    for status in [Up, Down, Starting, OutOfService] {
        let mut log = Log::new();
        log.register(dated(status, 10));
        let record = log.record("APP", "i1").unwrap();
        assert_eq!(log.heartbeat("APP", "i1"), Outcome::Done);
        assert_eq!(log.one(renew(&record)), Outcome::Done);
    }
}

#[test]
fn ids_are_case_sensitive_and_application_names_are_not() {
    let mut log = Log::new();
    log.register(instance("App", "i1"));
    assert_eq!(log.heartbeat("aPP", "i1"), Outcome::Done);
    assert_eq!(log.heartbeat("APP", "I1"), Outcome::NotFound);
    assert_eq!(log.heartbeat("OTHER", "i1"), Outcome::NotFound);
}

#[test]
fn a_short_renewal_misses_once_its_registration_is_over() {
    let mut log = Log::new();
    log.register(dated(Up, 1));
    let first = log.record("APP", "i1").unwrap();
    log.register(dated(Up, 2));
    assert_eq!(
        log.one(renew(&first)),
        Outcome::SlotMiss,
        "registered again"
    );
    let second = log.record("APP", "i1").unwrap();
    assert_eq!(second.slot, first.slot);
    log.cancel("APP", "i1");
    assert_eq!(log.one(renew(&second)), Outcome::SlotMiss, "cancelled");
    log.register(instance("APP", "i2"));
    assert_eq!(
        log.record("APP", "i2").unwrap().slot,
        first.slot,
        "the slot is reused"
    );
    assert_eq!(log.one(renew(&second)), Outcome::SlotMiss, "another's slot");
    let beyond = Command::Renew {
        slot: 99,
        generation: 1,
    };
    assert_eq!(log.one(beyond), Outcome::SlotMiss, "no such slot");
}

#[test]
fn a_short_renewal_still_hits_after_a_status_or_metadata_change() {
    let mut log = Log::new();
    log.register(dated(Up, 1));
    let record = log.record("APP", "i1").unwrap();
    log.one(put_status("i1", Down, None));
    log.one(put_metadata("i1", &[("a", "b")]));
    assert_eq!(log.one(renew(&record)), Outcome::Done);
}

#[test]
fn a_renewal_is_no_catalogue_change_but_shows_in_the_lease() {
    let mut log = Log::new();
    log.register(dated(Up, 1));
    let before = log.view();
    let record = log.record("APP", "i1").unwrap();
    log.pass_ms(30_000);
    log.one(renew(&record));
    let after = log.view();
    assert_eq!(after.catalogue_index(), before.catalogue_index());
    assert_ne!(after.state_hash(), before.state_hash());
    assert_eq!(
        after.instance(&record.instance.app, &record.instance.id),
        Some(&record)
    );
    let renewal = log.registry.renewal(record.slot, record.generation);
    assert_eq!(renewal, Some(log.now));
    assert_eq!(
        log.registry.renewal(record.slot, record.generation + 1),
        None
    );
}
