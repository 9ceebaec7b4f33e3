//! P1: a 2xx on a write means synced on a majority and applied; no kill takes it back.

use crate::support::cluster::Cluster;

#[test]
fn p1_a_single_node_keeps_what_it_acknowledged_through_kill_9() {
    let mut cluster = Cluster::started(1, &[]);
    for turn in 0..5 {
        for i in 0..20 {
            let answer = cluster.nodes[0].register("KEEP", &format!("i-{turn}-{i}"), 3_600);
            assert_eq!(answer.status, 204);
        }
        cluster.nodes[0].kill();
        cluster.nodes[0].start();
        cluster.nodes[0].await_ready();
        let held = cluster.nodes[0].get("/v1/status").json();
        assert_eq!(held["registry"]["instances"], (turn + 1) * 20);
    }
}

#[test]
fn p1_three_nodes_keep_what_they_acknowledged_through_kill_9_of_all() {
    let mut cluster = Cluster::started(3, &[]);
    for i in 0..60 {
        let answer = cluster.nodes[i % 3].register("KEEP", &format!("i-{i}"), 3_600);
        assert_eq!(answer.status, 204);
    }
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    cluster.start_all();
    cluster.await_ready();
    for node in &cluster.nodes {
        for i in 0..60 {
            let path = format!("/eureka/apps/KEEP/i-{i}");
            assert_eq!(node.get(&path).status, 200, "{} has lost i-{i}", node.name);
        }
    }
    cluster.await_equal_state();
}

#[test]
fn p1_a_killed_leader_takes_no_acknowledged_write_with_it() {
    let mut cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    for i in 0..60 {
        assert_eq!(
            cluster.nodes[i % 3]
                .register("KEEP", &format!("i-{i}"), 3_600)
                .status,
            204
        );
    }
    cluster.nodes[leader].kill();
    let next = cluster.leader();
    assert_ne!(next, leader);
    let held = cluster.nodes[next].get("/v1/status").json();
    assert_eq!(held["registry"]["instances"], 60);
    assert_eq!(
        cluster.nodes[next].register("KEEP", "after", 3_600).status,
        204
    );
    cluster.nodes[leader].start();
    cluster.await_ready();
    cluster.await_equal_state();
}

#[test]
fn p1_sigterm_hands_leadership_over_and_exits_0_within_ten_seconds() {
    let mut cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    assert_eq!(
        cluster.nodes[leader].register("KEEP", "one", 3_600).status,
        204
    );
    cluster.nodes[leader].signal("TERM");
    let status = cluster.nodes[leader].await_exit(std::time::Duration::from_secs(10));
    assert_eq!(status.code(), Some(0));
    let next = cluster.leader();
    assert_eq!(cluster.nodes[next].get("/eureka/apps/KEEP/one").status, 200);
}
