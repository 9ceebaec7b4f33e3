//! The same log gives the same state: twice here, and in a process of its own.
//!
//! Owns the hunt for anything that is not in the log: hash seeds, addresses, clocks.

use std::process::Command as Process;

use eureka_raft::registry::{DataCenter, Instance, InstanceStatus, Registry};

use super::log::{Log, dated, instance, pairs, put_status};
use super::random::random_log;

/// Set in the child: it prints its hash instead of starting a child of its own.
const CHILD: &str = "EUREKA_RAFT_DETERMINISM_CHILD";
const SEED: u64 = 20_261_121;

/// The state hash after every entry of one long log.
fn hashes() -> Vec<u128> {
    let mut registry = Registry::new();
    let mut hashes = Vec::new();
    for (index, entry) in (1..).zip(random_log(SEED, 1_500)) {
        registry.apply(index, &entry);
        hashes.push(registry.view().state_hash());
    }
    hashes
}

#[test]
fn the_same_log_twice_gives_the_same_hash_after_every_entry() {
    assert_eq!(hashes(), hashes());
}

#[test]
fn another_process_with_other_hash_seeds_gets_the_same_hash() {
    let last = hashes().pop().expect("the log is not empty");
    if std::env::var_os(CHILD).is_some() {
        println!("hash={last:032x}");
        return;
    }
    let name = "registry::determinism::another_process_with_other_hash_seeds_gets_the_same_hash";
    let output = Process::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains(&format!("hash={last:032x}")),
        "seed {SEED}: {printed}"
    );
}

/// Pins the bytes the hash is made of. If this fails, nodes of two builds disagree about equal
/// states: raise the snapshot format, do not just edit the number.
#[test]
fn the_hash_of_a_known_log_never_changes() {
    let mut log = Log::new();
    log.register(dated(InstanceStatus::Up, 1));
    log.register(Instance {
        metadata: pairs(&[("zone", "a")]),
        data_center: DataCenter::Amazon(pairs(&[("instance-id", "i-1")])),
        vip_address: Some("v".into()),
        ..instance("OTHER", "i2")
    });
    log.pass_ms(30_000).heartbeat("OTHER", "i2");
    log.one(put_status("i1", InstanceStatus::Down, None));
    log.cancel("OTHER", "i2");
    let hash = format!("{:032x}", log.view().state_hash());
    assert_eq!(hash, "bb98566e45c083bf1865b4bb18a304db");
}

#[test]
fn every_entry_that_changes_anything_changes_the_hash() {
    let mut hashes = hashes();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 1_500, "the index alone makes them differ");
}
