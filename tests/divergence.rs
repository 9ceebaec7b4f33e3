//! A state that differs is seen, named and stopped: real processes, one of whose disks was altered with
//! every checksum right.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use support::altering::alter;
use support::cluster::{Cluster, SOON};
use support::eventually::eventually;

/// How long a difference may stay unseen, from the altered node's start.
const SEEN_MAX: Duration = Duration::from_secs(20);

/// Three nodes that agree, stopped, with a registration in their logs that no snapshot covers.
fn stopped_cluster() -> Cluster {
    let mut cluster = Cluster::started(3, &[]);
    for id in ["a", "b", "c"] {
        assert_eq!(cluster.nodes[0].register("SAME", id, 3_600).status, 204);
    }
    cluster.await_equal_state();
    for node in &mut cluster.nodes {
        node.kill();
    }
    cluster
}

#[test]
fn states_are_compared_all_the_time_and_every_node_knows_how_far() {
    let cluster = Cluster::started(3, &[]);
    assert_eq!(cluster.nodes[0].register("SAME", "a", 90).status, 204);
    let registered = cluster.nodes[0].get("/eureka/apps/SAME").index();
    for node in &cluster.nodes {
        eventually("a later state was compared", SOON, || {
            let checked = node.status()?["hashes"]["checked_index"].as_u64()?;
            (checked >= registered).then_some(())
        });
        let metrics = node.get("/metrics").text();
        let line = "eureka_raft_state_hash_last_checked_index ";
        let shown = metrics.lines().find_map(|text| text.strip_prefix(line));
        assert!(shown.unwrap().parse::<u64>().unwrap() >= registered);
    }
}

#[test]
fn the_odd_one_out_is_named_and_ends_with_74_and_evidence() {
    let mut cluster = stopped_cluster();
    let odd = 2;
    alter(&cluster.nodes[odd].data, 1);
    cluster.start_all();
    let ended = cluster.nodes[odd].await_exit(SEEN_MAX);
    assert_eq!(ended.code(), Some(74), "{}", cluster.nodes[odd].log());
    let log = cluster.nodes[odd].log();
    let last = log.lines().last().unwrap();
    assert!(last.contains("recover replace-disk"), "{last}");
    let evidence = cluster.nodes[odd].data.join("DIVERGED.json");
    let evidence: serde_json::Value =
        serde_json::from_slice(&std::fs::read(evidence).unwrap()).unwrap();
    assert_ne!(evidence["state_hash"], evidence["majority_hash"]);
    let leader = cluster.leader();
    assert_ne!(leader, odd);
    let status = cluster.nodes[leader].status().unwrap();
    let named = status["alarms"].as_array().unwrap().iter();
    let named = named.filter(|alarm| alarm["alarm"] == "diverged" && alarm["node"] == "node-3");
    let led_all_along = cluster.nodes[leader].log().contains("alarm raised");
    assert!(named.count() == 1 || !led_all_along, "{status}");
    assert_eq!(cluster.nodes[leader].register("SAME", "d", 90).status, 204);
    // Its disk still holds the altered entry: it differs again, and ends again.
    cluster.nodes[odd].start();
    let again = cluster.nodes[odd].await_exit(SEEN_MAX);
    assert_eq!(again.code(), Some(74));
}

#[test]
fn without_a_majority_nothing_is_written_and_reads_go_on() {
    let mut cluster = stopped_cluster();
    alter(&cluster.nodes[1].data, 1);
    alter(&cluster.nodes[2].data, 2);
    cluster.start_all();
    for node in &cluster.nodes {
        eventually("the split is known", SEEN_MAX, || {
            let status = node.status()?;
            let alarms = status["alarms"].as_array()?;
            let split = |alarm: &serde_json::Value| alarm["alarm"] == "hashes_split";
            (status["hashes"]["split"] == true && alarms.iter().any(split)).then_some(())
        });
    }
    for node in &cluster.nodes {
        let refused = node.register("SAME", "new", 90);
        assert_eq!(refused.status, 503);
        assert_eq!(
            refused.header("x-eureka-raft-outcome"),
            Some("not-executed")
        );
        assert_eq!(refused.header("x-eureka-raft-reason"), Some("hashes-split"));
        assert_eq!(node.put("/eureka/apps/SAME/a").status, 503);
        assert_eq!(node.get("/eureka/apps/SAME").status, 200, "reads go on");
        let hashes = node.status().unwrap()["hashes"]["compared"].clone();
        let hashes = hashes.as_array().unwrap().iter();
        let hashes: std::collections::BTreeSet<_> =
            hashes.map(|row| row["hash"].to_string()).collect();
        assert_eq!(hashes.len(), 3, "three different hashes are shown");
        assert!(node.is_running());
    }
}

#[test]
fn an_odd_leader_leaves_leadership_to_a_right_one() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(cluster.nodes[0].register("SAME", "a", 3_600).status, 204);
    cluster.await_equal_state();
    let odd = cluster.leader();
    let others: Vec<usize> = (0..3).filter(|at| *at != odd).collect();
    for at in &others {
        cluster.nodes[*at].kill();
    }
    // Two that were altered alike are the majority: it is the leader that is odd.
    for at in &others {
        alter(&cluster.nodes[*at].data, 1);
        cluster.nodes[*at].start();
    }
    let ended = cluster.nodes[odd].await_exit(SEEN_MAX);
    let log = cluster.nodes[odd].log();
    assert_eq!(ended.code(), Some(74), "{log}");
    let named = format!("about=\"{}\"", cluster.nodes[odd].name);
    assert!(log.contains(&named), "it led and named itself: {log}");
    let leader = cluster.leader();
    assert_eq!(cluster.nodes[leader].register("SAME", "d", 90).status, 204);
}
