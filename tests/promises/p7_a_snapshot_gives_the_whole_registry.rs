//! P7: a node that was away beyond the purged log gets the whole registry by snapshot.

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::eventually;

#[test]
fn p7_a_follower_that_was_away_past_the_purged_log_returns_with_an_equal_state() {
    let mut cluster = Cluster::started(
        3,
        &["raft.snapshot_every_entries=20", "raft.keep_entries=5"],
    );
    let leader = cluster.leader();
    let away = cluster.follower();
    assert_eq!(
        cluster.nodes[leader]
            .register("SNAP", "first", 3_600)
            .status,
        204
    );
    cluster.await_equal_state();
    let held = cluster.nodes[away].status().expect("a status")["log"]["last"]
        .as_u64()
        .expect("an index");
    cluster.nodes[away].kill();
    eventually(
        "the log is purged beyond what the absent node holds",
        SOON,
        || {
            let id = "changing";
            assert_eq!(
                cluster.nodes[leader].register("SNAP", id, 3_600).status,
                204
            );
            let purged = cluster.nodes[leader].status()?["log"]["purged"].as_u64()?;
            (purged > held).then_some(())
        },
    );
    assert_eq!(
        cluster.nodes[leader]
            .put("/eureka/apps/SNAP/first/status?value=OUT_OF_SERVICE")
            .status,
        200
    );
    cluster.nodes[away].start();
    cluster.nodes[away].await_ready();
    cluster.await_equal_state();
    let answer = cluster.nodes[away].get("/eureka/apps/SNAP/first?consistency=local");
    assert_eq!(answer.json()["instance"]["status"], "OUT_OF_SERVICE");
    let installed = cluster.nodes[away].status().expect("a status")["log"]["snapshot"].as_u64();
    assert!(
        installed > Some(held),
        "it came back by log, not by snapshot"
    );
}

#[test]
fn p7_a_single_node_starts_from_its_snapshot() {
    let mut cluster = Cluster::started(
        1,
        &["raft.snapshot_every_entries=20", "raft.keep_entries=5"],
    );
    for i in 0..100 {
        assert_eq!(
            cluster.nodes[0]
                .register("SNAP", &format!("i-{i}"), 3_600)
                .status,
            204
        );
    }
    eventually("a snapshot and a purge", SOON, || {
        (cluster.nodes[0].status()?["log"]["purged"].as_u64()? > 0).then_some(())
    });
    cluster.nodes[0].kill();
    cluster.nodes[0].start();
    cluster.nodes[0].await_ready();
    let held = cluster.nodes[0].get("/v1/status").json();
    assert_eq!(held["registry"]["instances"], 100);
}
