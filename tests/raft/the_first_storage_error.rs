//! After the first storage error nothing is acknowledged, and the process is told to end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use eureka_raft::raft::Failure;
use tokio::time::timeout;

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_single_node_whose_disk_fails_acknowledges_nothing_more_and_says_why() {
    let cluster = Cluster::start(1, quick()).await;
    let node = &cluster.nodes[0];
    node.propose(&entry(1)).await;
    let mut failure = node.raft().failure();
    node.disk_fails.store(true, Ordering::SeqCst);
    let term = node.raft().leadership().borrow().term;
    let lost = timeout(Duration::from_secs(2), node.raft().propose(term, &entry(2))).await;
    assert!(
        !matches!(lost, Ok(Ok(_))),
        "acknowledged without a disk: {lost:?}"
    );
    let failed = soon("notice", failure.wait_for(Option::is_some))
        .await
        .unwrap()
        .clone();
    assert!(matches!(failed, Some(Failure::Storage(_))), "{failed:?}");
    assert_eq!(node.instances_max(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_without_a_leader_whose_disk_failed() {
    let cluster = Cluster::start(3, quick()).await;
    let old = cluster.leader().await;
    cluster.nodes[old].propose(&entry(1)).await;
    cluster.nodes[old].disk_fails.store(true, Ordering::SeqCst);
    let term = cluster.nodes[old].raft().leadership().borrow().term;
    let second = entry(2);
    let attempt = cluster.nodes[old].raft().propose(term, &second);
    // It may even be committed, by the other two.
    drop(timeout(Duration::from_secs(2), attempt).await);
    let mut failure = cluster.nodes[old].raft().failure();
    soon("notice", failure.wait_for(Option::is_some))
        .await
        .unwrap();
    let others = cluster
        .nodes
        .iter()
        .filter(|node| node.id != cluster.nodes[old].id);
    for node in others {
        let now = node
            .until("another leader", |now| {
                now.term > term && now.leader.is_some()
            })
            .await;
        assert_ne!(now.leader, Some(cluster.nodes[old].id));
    }
}
