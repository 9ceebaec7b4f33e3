//! Random logs.
//!
//! Owns what a random entry looks like: a small world of a dozen instances, so that commands meet,
//! timestamps around the wall clock, clocks that mostly go forward.

use eureka_raft::registry::{
    AppName, Command, Entry, Instance, InstanceId, InstanceStatus, LeaseTerms, LogTime, Origin,
    Settings,
};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::log::{WALL_START_MS, instance, pairs, register};

/// A log of `entries` random entries, the same for the same seed.
pub(crate) fn random_log(seed: u64, entries: usize) -> Vec<Entry> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let log = logs(entries..entries + 1).new_tree(&mut runner);
    log.expect("no strategy here rejects anything").current()
}

/// Random logs: clocks that mostly go forward, small worlds so that commands meet.
pub(crate) fn logs(entries: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Entry>> {
    let passes = prop_oneof![6 => 0..5_000_u64, 3 => 5_000..40_000_u64, 1 => 90_000..200_000_u64];
    let jumps = prop_oneof![8 => Just(0_i64), 1 => -50_000..0_i64, 1 => 0..50_000_i64];
    let steps_back = prop_oneof![9 => Just(0_u64), 1 => 0..3_000_u64];
    let commands = prop::collection::vec(commands(), 0..6);
    let entry = (passes, jumps, steps_back, commands);
    prop::collection::vec(entry, entries).prop_map(|steps| {
        let mut now = LogTime {
            wall_ms: WALL_START_MS,
            lease_ms: 0,
        };
        let entries = steps
            .into_iter()
            .map(|(passed, jump, step_back, commands)| {
                now.lease_ms += passed;
                now.wall_ms = (now.wall_ms + passed).saturating_add_signed(jump);
                let lease_ms = now.lease_ms.saturating_sub(step_back);
                let wall_ms = now.wall_ms;
                let at = LogTime { wall_ms, lease_ms };
                Entry { at, commands }
            });
        entries.collect()
    })
}

fn apps() -> impl Strategy<Value = AppName> {
    prop_oneof![3 => Just("A"), 2 => Just("B"), 1 => Just("C")].prop_map(AppName::new)
}

fn ids() -> impl Strategy<Value = InstanceId> {
    (0..4_u8).prop_map(|n| InstanceId::new(&format!("i{n}")))
}

fn statuses() -> impl Strategy<Value = InstanceStatus> {
    prop_oneof![
        5 => Just(InstanceStatus::Up),
        2 => Just(InstanceStatus::OutOfService),
        1 => Just(InstanceStatus::Down),
        1 => Just(InstanceStatus::Starting),
        1 => Just(InstanceStatus::Unknown),
    ]
}

fn origins() -> impl Strategy<Value = Origin> {
    prop_oneof![3 => Just(Origin::Client), 1 => Just(Origin::Replication)]
}

fn stamps() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![2 => Just(None), 6 => (0..6_u64).prop_map(Some)]
}

/// Lists that share members, name one twice or none, and one with more members than are indexed.
fn vips() -> impl Strategy<Value = Option<Box<str>>> {
    let long: String = (0..40).map(|n| format!("v{n},")).collect();
    let lists =
        ["v1", "v2", "v1,v2", "v2,v2", "v1, v2", "", &long].map(|list| Just(Some(list.into())));
    prop_oneof![
        Just(None),
        prop::sample::select(lists.to_vec()).prop_flat_map(|list| list)
    ]
}

fn bodies() -> impl Strategy<Value = Instance> {
    let overrides = prop_oneof![9 => Just(InstanceStatus::Unknown), 1 => statuses()];
    let terms = (1..60_u32, 1..100_u32);
    let lists = (vips(), vips());
    let body = (apps(), ids(), statuses(), overrides, terms, stamps(), lists);
    body.prop_map(
        |(app, id, status, overridden, terms, last_dirty_ms, lists)| Instance {
            vip_address: lists.0,
            secure_vip_address: lists.1,
            app,
            id,
            status,
            overridden,
            lease: LeaseTerms {
                renewal_interval_secs: terms.0,
                duration_secs: terms.1,
            },
            // Small timestamps, but around the wall clock, which stands in for those missing.
            last_dirty_ms: last_dirty_ms.map(|stamp| WALL_START_MS + stamp * 50_000),
            ..instance("", "")
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let factor = prop_oneof![4 => Just(1_000), 1 => Just(500), 1 => Just(2_000)];
    let retention = (30_000..300_000_u64, 0..60_u64);
    let quotas = (5..14_u64, 2..4_u64);
    (factor, any::<bool>(), 300..1_000_u32, retention, quotas).prop_map(
        |(lease_factor_milli, protection_enabled, threshold, retention, quotas)| Settings {
            lease_factor_milli,
            protection_enabled,
            protection_threshold_milli: threshold,
            delta_retention_ms: retention.0,
            delta_retention_changes: retention.1,
            instances_max: quotas.0,
            applications_max: quotas.1,
        },
    )
}

fn commands() -> impl Strategy<Value = Command> {
    let stamps = || stamps().prop_map(|stamp| stamp.map(|stamp| WALL_START_MS + stamp * 50_000));
    let renewal = (
        apps(),
        ids(),
        stamps(),
        origins(),
        prop::option::of(statuses()),
    );
    let status = || (apps(), ids(), statuses(), stamps());
    let metadata = prop_oneof![
        Just(vec![]),
        Just(pairs(&[("k", "1")])),
        Just(pairs(&[("k", "2"), ("l", "3")])),
    ];
    prop_oneof![
        8 => (bodies(), origins()).prop_map(|(body, origin)| register(body, origin)),
        6 => (0..9_u32, 1..8_u32).prop_map(|(slot, generation)| Command::Renew { slot, generation }),
        6 => renewal.prop_map(|(app, id, last_dirty_ms, origin, overridden)| {
            Command::RenewByName { app, id, last_dirty_ms, origin, overridden }
        }),
        2 => (apps(), ids()).prop_map(|(app, id)| Command::Cancel { app, id }),
        3 => status().prop_map(|(app, id, status, last_dirty_ms)| {
            Command::PutStatus { app, id, status, last_dirty_ms }
        }),
        2 => status().prop_map(|(app, id, status, last_dirty_ms)| {
            Command::DeleteStatus { app, id, status, last_dirty_ms }
        }),
        2 => (apps(), ids(), metadata).prop_map(|(app, id, entries)| {
            Command::PutMetadata { app, id, entries }
        }),
        4 => prop_oneof![3 => Just(1_000), 1 => 0..3_u32].prop_map(|max| Command::Evict { max }),
        1 => settings().prop_map(Command::Settings),
    ]
}
