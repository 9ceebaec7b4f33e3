//! Quotas: what is refused, and that a refusal changes nothing.
//!
//! Owns `limits.instances`, `limits.applications` and the bounds of one instance's metadata.

use eureka_raft::registry::{
    AppName, Command, InstanceId, METADATA_BYTES_MAX, METADATA_ENTRIES_MAX, Outcome,
    RECENT_NAMES_MAX, Settings,
};

use super::log::{Log, instance};

fn limited(instances_max: u64, applications_max: u64) -> Log {
    let mut log = Log::new();
    log.one(Command::Settings(Settings {
        instances_max,
        applications_max,
        ..Settings::default()
    }));
    log
}

#[test]
fn a_new_instance_beyond_the_quota_is_refused_and_a_known_one_is_not() {
    let mut log = limited(2, 10);
    log.register(instance("APP", "i1"));
    log.register(instance("APP", "i2"));
    let before = log.view();
    assert_eq!(log.register(instance("APP", "i3")), Outcome::QuotaExceeded);
    assert_eq!(log.record("APP", "i3"), None);
    assert_eq!(log.view().catalogue_index(), before.catalogue_index());
    assert_eq!(log.register(instance("APP", "i2")), Outcome::Done);
    log.cancel("APP", "i1");
    assert_eq!(log.register(instance("APP", "i3")), Outcome::Done);
}

#[test]
fn a_new_application_beyond_the_quota_is_refused_and_a_known_one_is_not() {
    let mut log = limited(10, 1);
    log.register(instance("A", "i1"));
    assert_eq!(log.register(instance("B", "i1")), Outcome::QuotaExceeded);
    assert_eq!(log.register(instance("A", "i2")), Outcome::Done);
    log.cancel("A", "i1");
    log.cancel("A", "i2");
    assert_eq!(log.register(instance("B", "i1")), Outcome::Done);
}

#[test]
fn a_quota_below_what_is_held_still_admits_instances_of_known_applications() {
    let mut log = limited(10, 10);
    log.register(instance("A", "i1"));
    log.register(instance("B", "i1"));
    log.one(Command::Settings(Settings {
        applications_max: 1,
        ..Settings::default()
    }));
    assert_eq!(log.register(instance("A", "i2")), Outcome::Done);
    assert_eq!(log.register(instance("C", "i1")), Outcome::QuotaExceeded);
}

#[test]
fn a_quota_below_what_is_held_takes_nothing_away() {
    let mut log = limited(10, 10);
    log.register(instance("A", "i1"));
    log.register(instance("A", "i2"));
    log.one(Command::Settings(Settings {
        instances_max: 1,
        ..Settings::default()
    }));
    assert_eq!(log.view().instance_count(), 2);
    assert_eq!(log.heartbeat("A", "i1"), Outcome::Done);
}

#[test]
fn the_lists_of_recent_names_hold_a_thousand_newest_first() {
    let mut log = Log::new();
    let names = 0..RECENT_NAMES_MAX + 1;
    let name = |n| format!("i{n}");
    let commands = names.clone().map(|n| {
        super::log::register(
            instance("APP", &name(n)),
            eureka_raft::registry::Origin::Client,
        )
    });
    log.entry(commands.collect());
    let registered = log.view().recently_registered();
    assert_eq!(registered.len(), RECENT_NAMES_MAX);
    assert_eq!(registered[0].2.as_str(), "i1000");
    assert_eq!(registered[RECENT_NAMES_MAX - 1].2.as_str(), "i1");
    let cancels = names.map(|n| Command::Cancel {
        app: eureka_raft::registry::AppName::new("APP"),
        id: eureka_raft::registry::InstanceId::new(&name(n)),
    });
    log.entry(cancels.collect());
    let cancelled = log.view().recently_cancelled();
    assert_eq!(cancelled.len(), RECENT_NAMES_MAX);
    assert_eq!(cancelled[0].2.as_str(), "i1000");
}

#[test]
fn metadata_updates_add_up_to_what_one_document_may_hold_and_no_further() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    let held = log.record("APP", "i1").unwrap().instance.metadata.len();
    let entry = |n: usize| (format!("added-{n}").into(), "v".into());
    let room: Vec<(Box<str>, Box<str>)> = (held..METADATA_ENTRIES_MAX).map(entry).collect();
    assert_eq!(log.one(put(room)), Outcome::Done);
    let full = log.record("APP", "i1");
    let index = log.view().catalogue_index();
    assert_eq!(
        log.one(put(vec![entry(METADATA_ENTRIES_MAX)])),
        Outcome::QuotaExceeded
    );
    let long = "x".repeat(METADATA_BYTES_MAX + 1);
    assert_eq!(
        log.one(put(vec![("added-511".into(), long.into())])),
        Outcome::QuotaExceeded
    );
    assert_eq!(
        (log.record("APP", "i1"), log.view().catalogue_index()),
        (full, index)
    );
    assert_eq!(
        log.one(put(vec![("added-511".into(), "other".into())])),
        Outcome::Done
    );
}

fn put(entries: Vec<(Box<str>, Box<str>)>) -> Command {
    Command::PutMetadata {
        app: AppName::new("APP"),
        id: InstanceId::new("i1"),
        entries,
    }
}
