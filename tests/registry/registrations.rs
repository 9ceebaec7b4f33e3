//! Registrations: the dirty-timestamp rule, what is inherited, metadata updates (cases 19-26, 52).
//!
//! Owns `eureka-api.md` 3.1 as tests.

use eureka_raft::registry::{
    ActionType, Command, Instance, InstanceStatus, LeaseTerms, Origin, Outcome,
};

use super::log::{Log, WALL_START_MS, dated, instance, pairs, put_metadata, put_status, register};

use InstanceStatus::{Down, OutOfService, Starting, Up};

#[test]
fn a_first_registration_is_shown_with_the_servers_own_fields() {
    let mut log = Log::new();
    assert_eq!(log.register(instance("app", "i1")), Outcome::Done);
    let record = log.record("APP", "i1").unwrap();
    assert_eq!(record.action, ActionType::Added);
    assert_eq!(
        record.last_dirty_ms, WALL_START_MS,
        "the server's clock stands in"
    );
    assert_eq!(record.registered_ms, WALL_START_MS);
    assert_eq!(record.renewed_ms, WALL_START_MS);
    assert_eq!(record.service_up_ms, WALL_START_MS);
    assert_eq!(record.evicted_ms, 0);
    assert_eq!(record.index, 1);
}

/// (timestamp held, timestamp sent, whether the new body is taken)
#[test]
fn an_older_timestamp_keeps_what_is_held_and_an_equal_or_newer_one_replaces_it() {
    for (held, sent, taken) in [(10, 9, false), (10, 10, true), (10, 11, true)] {
        let mut log = Log::new();
        log.register(dated(Starting, held));
        log.pass_ms(5_000);
        let body = Instance {
            ip_addr: "10.9.9.9".into(),
            ..dated(Starting, sent)
        };
        assert_eq!(log.register(body), Outcome::Done);
        let record = log.record("APP", "i1").unwrap();
        assert_eq!(
            &*record.instance.ip_addr == "10.9.9.9",
            taken,
            "{held} {sent}"
        );
        assert_eq!(record.last_dirty_ms, held.max(sent));
        assert_eq!(
            record.registered_ms,
            WALL_START_MS + 5_000,
            "always a new lease"
        );
        assert_eq!(record.action, ActionType::Added);
        assert_eq!(record.index, 2);
    }
}

#[test]
fn a_registration_without_a_timestamp_counts_as_said_now() {
    let mut log = Log::new();
    log.register(dated(Up, WALL_START_MS + 1_000));
    log.register(Instance {
        last_dirty_ms: None,
        ..dated(Down, 0)
    });
    assert_eq!(log.status("APP", "i1"), Some(Up), "older than what is held");
    log.pass_ms(1_000);
    log.register(Instance {
        last_dirty_ms: None,
        ..dated(Down, 0)
    });
    assert_eq!(log.status("APP", "i1"), Some(Down));
}

#[test]
fn the_service_up_time_is_set_at_the_first_up_and_survives_registrations() {
    let mut log = Log::new();
    log.register(dated(Starting, 1));
    assert_eq!(log.record("APP", "i1").unwrap().service_up_ms, 0);
    log.pass_ms(100).register(dated(Up, 2));
    log.pass_ms(100).register(dated(Down, 3));
    log.pass_ms(100).register(dated(Up, 4));
    assert_eq!(
        log.record("APP", "i1").unwrap().service_up_ms,
        WALL_START_MS + 100
    );
}

#[test]
fn a_wall_clock_that_goes_back_never_turns_an_instances_timestamps_back() {
    let mut log = Log::new();
    log.register(dated(Up, 1));
    log.now.wall_ms -= 3_600_000;
    log.register(dated(Up, 2));
    log.one(put_status("i1", Down, None));
    let record = log.record("APP", "i1").unwrap();
    assert_eq!(record.registered_ms, WALL_START_MS);
    assert_eq!(record.last_updated_ms, WALL_START_MS);
    log.register(instance("APP", "other"));
    let other = log.record("APP", "other").unwrap();
    assert_eq!(
        other.registered_ms,
        WALL_START_MS - 3_600_000,
        "each instance for itself"
    );
}

#[test]
fn a_dropped_body_still_says_how_long_its_sender_wants_to_live() {
    let mut log = Log::new();
    log.register(dated(Up, 10));
    let terms = LeaseTerms {
        renewal_interval_secs: 100,
        duration_secs: 300,
    };
    log.register(Instance {
        lease: terms,
        ..dated(Up, 9)
    });
    assert_eq!(
        log.record("APP", "i1").unwrap().instance.lease,
        LeaseTerms::default()
    );
    log.pass_ms(299_999);
    assert_eq!(log.evict(), Outcome::Evicted(0));
    log.pass_ms(1);
    assert_eq!(log.evict(), Outcome::Evicted(1));
}

#[test]
fn metadata_is_merged_and_the_instance_registered_again_under_its_old_timestamp() {
    let mut log = Log::new();
    log.register(Instance {
        metadata: pairs(&[("zone", "a"), ("keep", "1")]),
        ..dated(Up, 10)
    });
    let before = log.record("APP", "i1").unwrap();
    log.pass_ms(7_000);
    let put = put_metadata("i1", &[("zone", "b"), ("new", "x y")]);
    assert_eq!(log.one(put), Outcome::Done);
    let record = log.record("APP", "i1").unwrap();
    let merged = pairs(&[("zone", "b"), ("keep", "1"), ("new", "x y")]);
    assert_eq!(record.instance.metadata, merged);
    assert_eq!(
        record.last_dirty_ms, 10,
        "the client's next registration wins"
    );
    assert_eq!(record.registered_ms, WALL_START_MS + 7_000);
    assert_eq!(record.action, ActionType::Added);
    assert_eq!(
        (record.slot, record.generation),
        (before.slot, before.generation)
    );
    log.register(dated(Up, 10));
    assert!(
        log.record("APP", "i1")
            .unwrap()
            .instance
            .metadata
            .is_empty()
    );
}

#[test]
fn metadata_never_changes_an_id_or_a_status() {
    let mut log = Log::new();
    log.register(dated(Up, 10));
    log.one(put_status("i1", OutOfService, None));
    log.one(put_metadata("i1", &[("instanceId", "q")]));
    assert_eq!(log.status("APP", "i1"), Some(OutOfService));
    assert_eq!(log.record("APP", "i1").unwrap().overridden, OutOfService);
    assert_eq!(
        log.one(put_metadata("nobody", &[("a", "b")])),
        Outcome::NotFound
    );
}

#[test]
fn a_cancelled_instance_is_gone_with_its_application_and_its_override() {
    let mut log = Log::new();
    log.register(dated(Up, 1));
    log.one(put_status("i1", OutOfService, None));
    assert_eq!(log.cancel("app", "i1"), Outcome::Done);
    assert_eq!(log.cancel("app", "i1"), Outcome::NotFound);
    assert_eq!(log.view().application_count(), 0);
    assert_eq!(log.heartbeat("APP", "i1"), Outcome::NotFound);
    assert_eq!(log.last_change().unwrap().0, ActionType::Deleted);
    log.register(dated(Up, 1));
    assert_eq!(log.status("APP", "i1"), Some(Up));
}

#[test]
fn a_peers_registration_is_not_held_to_the_status_it_had_here() {
    let mut log = Log::new();
    log.register(dated(OutOfService, 1));
    log.one(register(dated(Up, 2), Origin::Replication));
    assert_eq!(log.status("APP", "i1"), Some(Up));
}

#[test]
fn an_entry_by_reference_and_by_value_give_the_same_state() {
    let commands = vec![
        register(dated(Up, 1), Origin::Client),
        put_metadata("i1", &[("a", "b")]),
        Command::Evict { max: 1 },
    ];
    let mut owned = Log::new();
    owned.entry(commands.clone());
    let mut borrowed = Log::new();
    let at = borrowed.now;
    let entry = eureka_raft::registry::Entry { at, commands };
    borrowed.registry.apply(1, &entry);
    assert_eq!(owned.view().state_hash(), borrowed.view().state_hash());
}
