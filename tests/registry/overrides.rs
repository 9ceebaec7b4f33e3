//! Statuses and overrides: the chain, the commands, what survives what (cases 23-25, 41-51).
//!
//! Owns `eureka-api.md` 3.4 and 3.5 as tables.

use eureka_raft::registry::{
    ActionType, AppName, Command, Instance, InstanceId, InstanceStatus, Origin, Outcome,
};

use super::log::{
    Log, WALL_START_MS, dated, delete_status, instance, put_metadata, put_status, register,
};

use InstanceStatus::{Down, OutOfService, Starting, Unknown, Up};

/// What happens to instance `i1`; registrations get ever newer timestamps.
#[derive(Clone, Copy, Debug)]
enum Do {
    Register(InstanceStatus),
    Replicated(InstanceStatus),
    Stale(InstanceStatus),
    Put(InstanceStatus),
    Delete(InstanceStatus),
    Metadata,
    Cancel,
}
use Do::{Cancel, Delete, Metadata, Put, Register, Replicated, Stale};

fn command(step: Do, stamp: u64) -> Command {
    match step {
        Register(status) => register(dated(status, stamp), Origin::Client),
        Replicated(status) => register(dated(status, stamp), Origin::Replication),
        Stale(status) => register(dated(status, 1), Origin::Client),
        Put(status) => put_status("i1", status, None),
        Delete(status) => delete_status("i1", status, None),
        Metadata => put_metadata("i1", &[("a", "b")]),
        Cancel => Command::Cancel {
            app: AppName::new("APP"),
            id: InstanceId::new("i1"),
        },
    }
}

/// Runs `steps` and compares the status and the override shown at the end.
fn check(steps: &[Do], status: InstanceStatus, overridden: InstanceStatus) {
    let mut log = Log::new();
    for (stamp, step) in (10..).zip(steps) {
        log.one(command(*step, stamp));
    }
    let record = log.record("APP", "i1").expect("every case ends registered");
    let shown = (record.status, record.overridden);
    assert_eq!(shown, (status, overridden), "{steps:?}");
}

#[test]
fn the_status_chain_gives_what_the_released_server_gives() {
    check(&[Register(Up), Register(OutOfService)], Up, Unknown);
    check(
        &[Register(OutOfService), Register(Up)],
        OutOfService,
        Unknown,
    );
    check(&[Register(Up), Register(Down)], Down, Unknown);
    check(&[Register(Up), Register(Down), Register(Up)], Up, Unknown);
    check(
        &[Register(OutOfService), Register(Down), Register(Up)],
        Up,
        Unknown,
    );
    check(
        &[Register(Starting), Register(OutOfService)],
        OutOfService,
        Unknown,
    );
    check(&[Register(Starting), Register(Up)], Up, Unknown);
    check(&[Register(OutOfService), Replicated(Up)], Up, Unknown);
    check(
        &[Register(Up), Replicated(OutOfService)],
        OutOfService,
        Unknown,
    );
    check(&[Register(Unknown)], Unknown, Unknown);
    check(&[Register(OutOfService), Stale(Up)], OutOfService, Unknown);
}

#[test]
fn an_override_is_kept_until_it_is_deleted_or_the_instance_goes() {
    check(
        &[Register(Up), Put(OutOfService)],
        OutOfService,
        OutOfService,
    );
    check(
        &[Register(Up), Put(OutOfService), Register(Up)],
        OutOfService,
        OutOfService,
    );
    check(
        &[Register(Up), Put(OutOfService), Replicated(Up)],
        OutOfService,
        OutOfService,
    );
    check(
        &[Register(Up), Put(OutOfService), Register(Down)],
        Down,
        OutOfService,
    );
    check(
        &[
            Register(Up),
            Put(OutOfService),
            Register(Down),
            Register(Up),
        ],
        OutOfService,
        OutOfService,
    );
    check(
        &[Register(Up), Put(OutOfService), Metadata],
        OutOfService,
        OutOfService,
    );
    check(
        &[Register(Up), Put(OutOfService), Stale(Up)],
        OutOfService,
        OutOfService,
    );
    check(
        &[Register(Up), Put(OutOfService), Cancel, Register(Up)],
        Up,
        Unknown,
    );
    check(
        &[Register(OutOfService), Put(Up), Register(OutOfService)],
        Up,
        Up,
    );
}

#[test]
fn deleting_an_override_shows_what_the_request_says_or_unknown() {
    check(
        &[Register(Up), Put(OutOfService), Delete(Unknown)],
        Unknown,
        Unknown,
    );
    check(&[Register(Up), Put(OutOfService), Delete(Up)], Up, Unknown);
    check(
        &[
            Register(Up),
            Put(OutOfService),
            Delete(Unknown),
            Register(Up),
        ],
        Up,
        Unknown,
    );
    check(&[Register(Up), Delete(Down)], Up, Unknown);
}

#[test]
fn putting_the_current_status_records_no_override() {
    check(
        &[
            Register(Up),
            Put(Up),
            Register(Down),
            Register(OutOfService),
        ],
        OutOfService,
        Unknown,
    );
}

#[test]
fn an_override_to_unknown_is_an_override_too() {
    check(
        &[Register(Up), Put(Unknown), Register(Up)],
        Unknown,
        Unknown,
    );
    check(&[Register(Up), Put(Unknown), Delete(Up)], Up, Unknown);
}

#[test]
fn a_registration_body_can_bring_an_override_where_there_is_none() {
    let body = |stamp| Instance {
        overridden: OutOfService,
        ..dated(Up, stamp)
    };
    let mut log = Log::new();
    log.register(body(1));
    assert_eq!(log.status("APP", "i1"), Some(OutOfService));
    log.one(put_status("i1", Down, None));
    log.register(body(2));
    assert_eq!(
        log.record("APP", "i1").unwrap().overridden,
        Down,
        "the one held stays"
    );
}

#[test]
fn an_override_belongs_to_one_instance_of_one_application() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    log.register(instance("TWIN", "i1"));
    log.one(put_status("i1", OutOfService, None));
    log.register(instance("TWIN", "i1"));
    assert_eq!(log.status("TWIN", "i1"), Some(Up));
    assert_eq!(log.status("APP", "i1"), Some(OutOfService));
}

#[test]
fn a_status_change_is_a_modification_with_its_time_and_the_larger_timestamp() {
    let mut log = Log::new();
    log.register(dated(Starting, 10));
    log.pass_ms(2_000);
    log.one(put_status("i1", Up, Some(9)));
    let record = log.record("APP", "i1").unwrap();
    assert_eq!(record.action, ActionType::Modified);
    assert_eq!(record.last_dirty_ms, 10);
    assert_eq!(record.registered_ms, WALL_START_MS);
    assert_eq!(record.last_updated_ms, WALL_START_MS + 2_000);
    assert_eq!(record.service_up_ms, WALL_START_MS + 2_000);
    log.one(put_status("i1", Down, Some(11)));
    assert_eq!(log.record("APP", "i1").unwrap().last_dirty_ms, 11);
    log.one(delete_status("i1", Up, Some(12)));
    assert_eq!(log.record("APP", "i1").unwrap().last_dirty_ms, 12);
}

#[test]
fn a_status_put_or_delete_renews_even_when_it_changes_nothing() {
    for order in [put_status("i1", Up, None), delete_status("i1", Up, None)] {
        let mut log = Log::new();
        log.register(instance("APP", "i1"));
        let before = log.view().catalogue_index();
        log.pass_ms(60_000);
        assert_eq!(log.one(order), Outcome::Done);
        assert_eq!(log.view().catalogue_index(), before, "nothing to show");
        log.pass_ms(60_000);
        assert_eq!(log.evict(), Outcome::Evicted(0));
    }
}

#[test]
fn a_status_order_for_nobody_is_404() {
    let mut log = Log::new();
    assert_eq!(log.one(put_status("i1", Down, None)), Outcome::NotFound);
    assert_eq!(log.one(delete_status("i1", Up, None)), Outcome::NotFound);
}

/// A peer's renewal: its timestamp, its override, and what is shown afterwards.
#[test]
fn a_peer_that_knows_more_brings_its_override() {
    let renewal = |last_dirty_ms, origin, overridden| Command::RenewByName {
        app: AppName::new("APP"),
        id: InstanceId::new("i1"),
        last_dirty_ms,
        origin,
        overridden,
    };
    let table = [
        (
            Some(11),
            Origin::Replication,
            Some(OutOfService),
            OutOfService,
        ),
        (Some(11), Origin::Client, Some(OutOfService), Unknown),
        (Some(10), Origin::Replication, Some(OutOfService), Unknown),
        (Some(9), Origin::Replication, Some(OutOfService), Unknown),
        (None, Origin::Replication, Some(OutOfService), Unknown),
        (Some(11), Origin::Replication, Some(Unknown), Unknown),
        (Some(11), Origin::Replication, None, Unknown),
    ];
    for (stamp, origin, told, overridden) in table {
        let mut log = Log::new();
        log.register(dated(Up, 10));
        log.one(renewal(stamp, origin, told));
        let record = log.record("APP", "i1").unwrap();
        assert_eq!(
            record.overridden, overridden,
            "{stamp:?} {origin:?} {told:?}"
        );
        let is_stored = overridden == OutOfService;
        assert_eq!(record.status, if is_stored { OutOfService } else { Up });
        assert_eq!(
            record.index,
            1 + u64::from(is_stored),
            "a change is in the change log"
        );
    }
}
