//! From one node to three and five and back, while clients go on writing.

use serde_json::Value::Null;

use crate::support::cluster::Cluster;

use super::orders::{Load, await_voters, member, node, order_done};

#[test]
fn a_cluster_grows_to_five_and_shrinks_to_one_and_loses_nothing() {
    let mut cluster = Cluster::started(1, &[]);
    for name in ["node-2", "node-3"] {
        let place = cluster.newcomer(name);
        cluster.nodes[place].start();
    }
    let load = Load::on(cluster.nodes.iter().map(|node| node.http).collect());
    await_voters(&cluster, &["node-1", "node-2", "node-3"]);
    for name in ["node-4", "node-5"] {
        let place = cluster.newcomer(name);
        cluster.nodes[place].start();
    }
    await_voters(
        &cluster,
        &["node-1", "node-2", "node-3", "node-4", "node-5"],
    );
    cluster.await_ready();
    let mut ids: Vec<u64> = (1..=5)
        .map(|number| {
            let row = member(&cluster.nodes[0], &format!("node-{number}")).expect("a member");
            row["id"].as_u64().expect("an id")
        })
        .collect();
    assert_eq!(ids[0], 1);
    assert!(
        ids[1..].iter().all(|id| *id > 1_000),
        "from the log: {ids:?}"
    );
    ids.dedup();
    assert_eq!(ids.len(), 5);
    for (gone, left) in [
        ("node-1", &["node-2", "node-3", "node-4", "node-5"][..]),
        ("node-4", &["node-2", "node-3", "node-5"]),
        ("node-2", &["node-3", "node-5"]),
        ("node-5", &["node-3"]),
    ] {
        let report = order_done(
            node(&cluster, "node-3"),
            &format!("/v1/members/{gone}/remove"),
            &Null,
        );
        assert_eq!(
            report["after"]["voters"].as_array().expect("names").len(),
            left.len()
        );
        let going = cluster
            .nodes
            .iter_mut()
            .find(|node| node.name == gone && node.is_running());
        let going = going.expect("it runs");
        assert_eq!(
            going.await_exit(crate::support::cluster::SOON).code(),
            Some(76),
            "{}",
            going.log()
        );
        assert!(going.log().contains("removed from the cluster at index"));
        await_voters(&cluster, left);
    }
    assert!(load.nothing_is_lost(&cluster) > 0);
}
