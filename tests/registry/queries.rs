//! What a view answers: by application, instance, vip, and the hash code (cases 57-61).
//!
//! Owns the read half of the core.

use std::sync::Arc;

use eureka_raft::registry::{AppName, Instance, InstanceId, InstanceStatus, Record, Registry};

use super::log::{Log, dated, instance, put_status};
use super::random::random_log;

use InstanceStatus::{Down, OutOfService, Starting, Unknown, Up};

fn ids(records: &[Arc<Record>]) -> Vec<String> {
    records
        .iter()
        .map(|record| record.instance.id.to_string())
        .collect()
}

#[test]
fn the_hash_code_counts_statuses_by_alphabetic_name() {
    let mut log = Log::new();
    assert_eq!(log.view().hash_code(), "");
    let statuses = [Up, Unknown, Starting, OutOfService, Down, Up];
    for (n, status) in statuses.into_iter().enumerate() {
        log.register(Instance {
            status,
            ..instance(&format!("APP{}", n % 2), &format!("i{n}"))
        });
    }
    let expected = "DOWN_1_OUT_OF_SERVICE_1_STARTING_1_UNKNOWN_1_UP_2_";
    assert_eq!(log.view().hash_code(), expected);
    log.cancel("APP0", "i0");
    let expected = "DOWN_1_OUT_OF_SERVICE_1_STARTING_1_UNKNOWN_1_UP_1_";
    assert_eq!(log.view().hash_code(), expected);
}

#[test]
fn the_hash_code_follows_the_status_shown_not_the_one_told() {
    let mut log = Log::new();
    log.register(dated(Up, 1));
    log.one(put_status("i1", OutOfService, None));
    assert_eq!(log.view().hash_code(), "OUT_OF_SERVICE_1_");
}

#[test]
fn a_vip_matches_a_member_of_the_list_exactly_and_untrimmed() {
    let mut log = Log::new();
    log.register(Instance {
        vip_address: Some("va,vb , vc".into()),
        secure_vip_address: Some("sa".into()),
        ..instance("B", "i1")
    });
    log.register(Instance {
        vip_address: Some("va".into()),
        ..instance("A", "i2")
    });
    log.register(instance("A", "i3"));
    let view = log.view();
    assert_eq!(ids(&view.by_vip("va")), ["i2", "i1"], "in key order");
    for (vip, found) in [
        ("vb ", 1),
        ("vb", 0),
        (" vc", 1),
        ("VA", 0),
        ("va,vb", 0),
        ("", 0),
    ] {
        assert_eq!(view.by_vip(vip).len(), found, "{vip:?}");
    }
    assert_eq!(ids(&view.by_secure_vip("sa")), ["i1"]);
    assert!(view.by_secure_vip("va").is_empty());
}

/// A list with more members than are indexed is found by each of them all the same.
#[test]
fn a_list_of_any_length_is_found_by_its_members() {
    let mut log = Log::new();
    let many: Vec<String> = (0..1_000).map(|n| format!("v{n}")).collect();
    for (id, list) in [
        ("i1", many.join(",")),
        ("i2", "v7".to_owned()),
        ("i0", many[..8].join(",")),
    ] {
        log.register(Instance {
            vip_address: Some(list.into()),
            ..instance("A", id)
        });
    }
    assert_eq!(ids(&log.view().by_vip("v7")), ["i0", "i1", "i2"]);
    assert_eq!(ids(&log.view().by_vip("v999")), ["i1"]);
    assert!(log.view().by_vip("v1000").is_empty());
    log.cancel("A", "i1");
    assert_eq!(ids(&log.view().by_vip("v7")), ["i0", "i2"]);
}

/// What the index finds is what a look at every instance finds, after every entry of random logs.
#[test]
fn vips_are_found_as_by_a_look_at_every_instance() {
    let mut registry = Registry::new();
    for (index, entry) in (1..).zip(random_log(0x0711, 400)) {
        registry.apply(index, &entry);
        let view = registry.view();
        for wanted in ["v1", "v2", " v2", "v39", "v40", ""] {
            let scan = |list: fn(&Record) -> Option<&str>| {
                let all = view
                    .applications()
                    .flat_map(|application| application.instances.values());
                let names = |record: &&Arc<Record>| {
                    list(record).is_some_and(|list| list.split(',').any(|vip| vip == wanted))
                };
                all.filter(names).cloned().collect::<Vec<_>>()
            };
            let plain = scan(|record| record.instance.vip_address.as_deref());
            assert_eq!(view.by_vip(wanted), plain, "{wanted:?} after entry {index}");
            let secure = scan(|record| record.instance.secure_vip_address.as_deref());
            assert_eq!(
                view.by_secure_vip(wanted),
                secure,
                "{wanted:?} after entry {index}"
            );
        }
    }
}

#[test]
fn an_instance_is_found_anywhere_in_application_order() {
    let mut log = Log::new();
    log.register(instance("B", "same"));
    log.register(instance("A", "same"));
    let view = log.view();
    let found = view.instance_anywhere(&InstanceId::new("same")).unwrap();
    assert_eq!(found.instance.app, AppName::new("a"));
    assert!(view.instance_anywhere(&InstanceId::new("other")).is_none());
}

#[test]
fn applications_come_in_name_order_with_the_index_of_their_last_change() {
    let mut log = Log::new();
    log.register(instance("B", "i1"));
    log.register(instance("A", "i1"));
    log.register(instance("B", "i2"));
    log.cancel("B", "i2");
    log.heartbeat("A", "i1");
    let view = log.view();
    let versions: Vec<_> = view
        .applications()
        .map(|application| (application.name.to_string(), application.version))
        .collect();
    assert_eq!(versions, [("A".to_owned(), 2), ("B".to_owned(), 4)]);
    assert_eq!((view.index(), view.catalogue_index()), (5, 4));
    assert_eq!((view.application_count(), view.instance_count()), (2, 2));
}

#[test]
fn a_view_never_changes() {
    let mut log = Log::new();
    log.register(instance("A", "i1"));
    let view = log.view();
    let hash = view.state_hash();
    log.cancel("A", "i1");
    log.register(instance("B", "i2"));
    assert_eq!(
        (view.instance_count(), view.hash_code().as_str()),
        (1, "UP_1_")
    );
    assert!(view.application(&AppName::new("A")).is_some());
    assert_eq!(view.changes_after(0).unwrap().len(), 1);
    assert_eq!(view.state_hash(), hash);
}
