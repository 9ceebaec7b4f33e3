//! What `recover force` makes of one survivor: its own registry in a new cluster, which no old node
//! can come back to.

use std::time::Duration;

use crate::support::cluster::Cluster;
use crate::support::command::{Said, run, text};

fn force(node: &crate::support::cluster::Node, more: &[&str]) -> Said {
    let data = text(&node.data);
    let arguments = ["recover", "force", "--data-dir", data, "--name", &node.name];
    run(&[&arguments[..], more].concat())
}

#[test]
fn a_survivor_is_asked_first_and_then_leads_what_it_holds() {
    let mut cluster = Cluster::started(3, &[]);
    for id in 0..10 {
        let id = format!("i-{id}");
        assert_eq!(cluster.nodes[0].register("LEFT", &id, 90).status, 204);
    }
    cluster.await_equal_state();
    let before = cluster.nodes[0].get("/eureka/apps");
    for node in &mut cluster.nodes {
        node.kill();
    }
    let asked = force(&cluster.nodes[0], &[]);
    assert!(
        asked.refused(64).contains("--accept-data-loss"),
        "{asked:?}"
    );
    assert!(asked.out.contains("node-2, node-3"), "{asked:?}");
    let unproven = force(
        &cluster.nodes[0],
        &["--others-last", "999/1", "--others-last", "1/1"],
    );
    assert!(
        unproven.refused(64).contains("later than this one"),
        "{unproven:?}"
    );
    let few = force(&cluster.nodes[0], &["--others-last", "0/0"]);
    assert!(few.refused(64).contains("1 of 2"), "{few:?}");
    force(&cluster.nodes[0], &["--accept-data-loss"]).fine();
    let node = &mut cluster.nodes[0];
    node.start();
    node.await_ready();
    let after = node.get("/eureka/apps");
    assert_eq!(
        after.json()["applications"]["apps__hashcode"],
        before.json()["applications"]["apps__hashcode"]
    );
    assert_ne!(
        after.header("x-eureka-raft-cluster"),
        before.header("x-eureka-raft-cluster")
    );
    let gone = node.get(&format!("/eureka/apps/delta?since={}", before.index()));
    assert_eq!(gone.status, 410);
    assert_eq!(node.register("LEFT", "new", 90).status, 204);
    node.kill();
    let again = force(node, &["--accept-data-loss"]);
    assert!(again.refused(77).contains("only voter"), "{again:?}");
}

#[test]
fn old_nodes_that_meet_the_forced_one_end_with_77() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(cluster.nodes[0].register("LEFT", "one", 90).status, 204);
    for node in &mut cluster.nodes {
        node.kill();
    }
    force(&cluster.nodes[0], &["--accept-data-loss"]).fine();
    cluster.start_all();
    for at in [1, 2] {
        let ended = cluster.nodes[at].await_exit(Duration::from_secs(20));
        assert_eq!(ended.code(), Some(77), "{}", cluster.nodes[at].log());
        let log = cluster.nodes[at].log();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("recover force"), "{last}");
    }
    cluster.nodes[0].await_ready();
}
