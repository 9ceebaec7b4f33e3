//! The change log: cursors, floors, the classic delta's window (cases 63-67, I-c).
//!
//! Owns what `?since=` and `/apps/delta` are made of.

use eureka_raft::registry::{
    ActionType, AppName, Change, Command, HistoryGone, InstanceId, InstanceStatus, Origin, Outcome,
    Settings, View,
};

use super::log::{Log, dated, instance, put_metadata, put_status, register};

fn retaining(delta_retention_changes: u64) -> Log {
    let mut log = Log::new();
    log.one(Command::Settings(Settings {
        delta_retention_changes,
        ..Settings::default()
    }));
    log
}

fn positions(view: &View, cursor: u64) -> Result<Vec<(u64, u32)>, HistoryGone> {
    let position = |change: &std::sync::Arc<Change>| (change.index, change.seq);
    let changes = view.changes_after(cursor)?;
    Ok(changes.iter().map(position).collect())
}

fn cancel(id: &str) -> Command {
    Command::Cancel {
        app: AppName::new("APP"),
        id: InstanceId::new(id),
    }
}

#[test]
fn a_change_carries_its_commands_position_in_the_entry() {
    let mut log = Log::new();
    let up = |id: &str| register(instance("APP", id), Origin::Client);
    let outcomes = log.entry(vec![
        up("i1"),
        cancel("nobody"),
        up("i2"),
        put_status("i2", InstanceStatus::Up, None),
        cancel("i1"),
    ]);
    assert_eq!(outcomes.len(), 5);
    assert_eq!(positions(&log.view(), 0), Ok(vec![(1, 0), (1, 2), (1, 4)]));
}

#[test]
fn positions_stay_unique_even_after_a_pulse_in_mid_entry() {
    let mut log = Log::new();
    log.one(Command::Settings(Settings {
        protection_enabled: false,
        ..Settings::default()
    }));
    let up = |id: &str| register(instance("APP", id), Origin::Client);
    log.entry(vec![up("i1"), up("i2"), up("i3")]);
    log.pass_ms(90_000);
    let outcomes = log.entry(vec![Command::Evict { max: 10 }, up("i4"), up("i5")]);
    assert_eq!(outcomes[0], Outcome::Evicted(3));
    let expected = (0..5).map(|seq| (3, seq)).collect();
    assert_eq!(positions(&log.view(), 2), Ok(expected));
}

#[test]
fn renewals_and_refusals_are_no_changes() {
    let mut log = Log::new();
    log.register(dated(InstanceStatus::Up, 1));
    log.heartbeat("APP", "i1");
    log.one(put_status("i1", InstanceStatus::Up, None));
    log.one(cancel("nobody"));
    log.evict();
    assert_eq!(positions(&log.view(), 0), Ok(vec![(1, 0)]));
    assert_eq!(log.view().catalogue_index(), 1);
}

#[test]
fn cursor_zero_now_and_beyond_are_accepted_until_something_is_dropped() {
    let mut log = Log::new();
    assert_eq!(positions(&log.view(), 0), Ok(vec![]));
    log.register(instance("APP", "i1"));
    assert_eq!(positions(&log.view(), 0), Ok(vec![(1, 0)]));
    assert_eq!(positions(&log.view(), 1), Ok(vec![]));
    assert_eq!(positions(&log.view(), 99), Ok(vec![]));
    assert_eq!(log.view().oldest_cursor(), 0);
}

#[test]
fn a_cursor_below_the_floor_is_refused_and_the_floor_itself_is_not() {
    let mut log = retaining(3);
    for n in 0..6 {
        log.register(instance("APP", &format!("i{n}")));
    }
    // Changes sit at indexes 2 to 7; the last three are held.
    let view = log.view();
    assert_eq!(view.oldest_cursor(), 4);
    assert_eq!(view.changes_after(3), Err(HistoryGone { oldest: 4 }));
    assert_eq!(view.changes_after(0), Err(HistoryGone { oldest: 4 }));
    assert_eq!(positions(&view, 4), Ok(vec![(5, 0), (6, 0), (7, 0)]));
}

#[test]
fn an_index_is_dropped_whole_never_split() {
    let mut log = retaining(3);
    let up = |id: &str| register(instance("APP", id), Origin::Client);
    log.entry(vec![up("a"), up("b"), up("c")]);
    log.entry(vec![up("d")]);
    assert_eq!(log.view().oldest_cursor(), 2);
    assert_eq!(positions(&log.view(), 2), Ok(vec![(3, 0)]));
    log.entry(vec![up("e"), up("f"), up("g"), up("h")]);
    assert_eq!(
        log.view().oldest_cursor(),
        4,
        "an entry larger than the room is gone at once"
    );
    assert_eq!(positions(&log.view(), 4), Ok(vec![]));
}

#[test]
fn lowering_the_retention_drops_at_once() {
    let mut log = retaining(100);
    for n in 0..5 {
        log.register(instance("APP", &format!("i{n}")));
    }
    log.one(Command::Settings(Settings {
        delta_retention_changes: 0,
        ..Settings::default()
    }));
    assert_eq!(log.view().oldest_cursor(), 6);
}

#[test]
fn the_window_shows_the_last_change_of_each_instance_in_log_order() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    log.register(instance("APP", "i2"));
    log.one(put_status("i1", InstanceStatus::Down, None));
    log.one(cancel("i2"));
    let view = log.view();
    let shown: Vec<_> = view
        .recent_changes()
        .map(|change| {
            (
                change.index,
                change.action,
                change.record.instance.id.to_string(),
            )
        })
        .collect();
    let expected = [
        (3, ActionType::Modified, "i1".to_owned()),
        (4, ActionType::Deleted, "i2".to_owned()),
    ];
    assert_eq!(shown, expected);
    assert_eq!(view.recent_oldest(), Some((3, 0)));
}

#[test]
fn a_change_leaves_the_window_after_the_retention_even_if_nothing_else_happens() {
    let mut log = Log::new();
    log.register(instance("APP", "i1"));
    log.pass_ms(179_999);
    log.entry(vec![]);
    assert_eq!(log.view().recent_changes().count(), 1);
    log.pass_ms(1);
    log.entry(vec![]);
    let view = log.view();
    assert_eq!(
        (view.recent_changes().count(), view.recent_oldest()),
        (0, None)
    );
    assert_eq!(positions(&view, 0), Ok(vec![(1, 0)]), "cursors do not age");
}

#[test]
fn a_metadata_change_moves_the_catalogue_index_though_the_hash_code_stays() {
    let mut log = Log::new();
    log.register(dated(InstanceStatus::Up, 1));
    let before = log.view();
    log.one(put_metadata("i1", &[("a", "b")]));
    let after = log.view();
    assert_eq!(before.hash_code(), after.hash_code());
    assert!(after.catalogue_index() > before.catalogue_index());
}

#[test]
fn the_window_has_room_for_at_least_ten_thousand_and_then_lets_the_oldest_go() {
    let mut log = Log::new();
    log.one(Command::Settings(Settings {
        instances_max: 1,
        ..Settings::default()
    }));
    for batch in 0..11 {
        let churn = (0..1_000).flat_map(|n| {
            let id = format!("i{batch}-{n}");
            [register(instance("APP", &id), Origin::Client), cancel(&id)]
        });
        let at = log.now;
        let commands = churn.collect();
        log.registry
            .apply_owned(batch + 2, eureka_raft::registry::Entry { at, commands });
    }
    assert_eq!(log.view().recent_changes().count(), 10_000);
    log.registry.assert_invariants();
}
