//! What one node was told, all know.

use std::time::Duration;

use bytes::Bytes;
use eureka_raft::raft::CallError;
use eureka_raft::registry::Outcome;

use super::support::{Cluster, PATIENCE, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_on_the_leader_is_applied_on_every_node() {
    let cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let proposed = cluster.nodes[leader].propose(&entry(41)).await;
    assert_eq!(proposed.outcomes, [Outcome::Done]);
    cluster.applied_everywhere(proposed.index).await;
    for node in &cluster.nodes {
        assert_eq!(node.instances_max(), 41);
    }
    let hashes = cluster.equal_views().await;
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:x?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_index_on_a_follower_covers_what_the_leader_acknowledged() {
    let cluster = Cluster::start(3, quick()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    for round in 1..=20 {
        let proposed = cluster.nodes[leader].propose(&entry(round)).await;
        let reader = cluster.nodes[follower].raft();
        let index = soon("read index", reader.read_index()).await.unwrap();
        assert!(index >= proposed.index);
        soon("apply", reader.applied(index)).await;
        assert!(cluster.nodes[follower].instances_max() >= round);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_all_keeps_everything() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let proposed = cluster.nodes[leader].propose(&entry(7)).await;
    cluster.applied_everywhere(proposed.index).await;
    for node in &mut cluster.nodes {
        node.stop().await;
    }
    for node in &mut cluster.nodes {
        node.start().await;
    }
    cluster.leader().await;
    cluster.applied_everywhere(proposed.index).await;
    for node in &cluster.nodes {
        assert_eq!(node.instances_max(), 7);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_go_on_and_do_not_spin_at_the_third() {
    let mut cluster = Cluster::start(3, quick()).await;
    let follower = cluster.follower().await;
    cluster.nodes[follower].stop().await;
    let leader = cluster.leader().await;
    let before = cluster.nodes[leader].peers().connects();
    let started = tokio::time::Instant::now();
    let mut value = 0;
    while started.elapsed() < Duration::from_secs(2) {
        value += 1;
        cluster.nodes[leader].propose(&entry(value)).await;
    }
    let connects = cluster.nodes[leader].peers().connects() - before;
    // The control and the log channel each try five times a second.
    assert!(
        connects <= 30,
        "{connects} connects in 2 s to a peer that is down"
    );
    cluster.nodes[follower].start().await;
    soon("catch up", async {
        let index = cluster.nodes[leader].raft().read_index().await.unwrap();
        cluster.nodes[follower].raft().applied(index).await;
    })
    .await;
    assert_eq!(cluster.nodes[follower].instances_max(), value);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_member_is_answered_and_a_refusal_is_not_executed() {
    let cluster = Cluster::start(3, quick()).await;
    let raft = cluster.nodes[0].raft();
    let answer = raft
        .call(2, Bytes::from_static(b"hello"), PATIENCE)
        .await
        .unwrap();
    assert_eq!(&answer[..], b"node-2 to node-1: hello");
    let refused = raft.call(2, Bytes::from_static(b"refuse"), PATIENCE).await;
    assert_eq!(refused, Err(CallError::NotSent));
    let nobody = raft.call(9, Bytes::from_static(b"hello"), PATIENCE).await;
    assert_eq!(nobody, Err(CallError::NotSent));
    cluster.stop().await;
}
