//! A cluster of one needs nobody.

use eureka_raft::registry::Outcome;

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_single_node_writes_reads_and_keeps_across_restarts() {
    let mut cluster = Cluster::start(1, quick()).await;
    let proposed = cluster.nodes[0].propose(&entry(5)).await;
    assert_eq!(proposed.outcomes, [Outcome::Done]);
    let index = soon("read index", cluster.nodes[0].raft().read_index())
        .await
        .unwrap();
    assert!(index >= proposed.index);
    cluster.nodes[0].stop().await;
    cluster.nodes[0].start().await;
    cluster.nodes[0].until("lead again", |now| now.ready).await;
    assert_eq!(cluster.nodes[0].instances_max(), 5);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn initialising_again_changes_nothing() {
    let cluster = Cluster::start(1, quick()).await;
    let node = &cluster.nodes[0];
    node.raft()
        .initialize(vec![node.member.clone()])
        .await
        .unwrap();
    assert_eq!(node.raft().status().members.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_the_log_behind_it_give_the_same_state() {
    let mut cluster = Cluster::start(1, quick()).await;
    cluster.nodes[0].propose(&entry(5)).await;
    soon("snapshot", cluster.nodes[0].raft().snapshot_now()).await;
    let last = cluster.nodes[0].propose(&entry(6)).await;
    let applied = cluster.nodes[0].raft().state().view();
    assert!(
        cluster.nodes[0].raft().status().purged > 0,
        "the snapshot covers a part of the log"
    );
    cluster.nodes[0].stop().await;
    cluster.nodes[0].start().await;
    soon("apply again", cluster.nodes[0].raft().applied(last.index)).await;
    assert_eq!(cluster.nodes[0].instances_max(), 6);
    assert_eq!(
        cluster.nodes[0].raft().state().view().hash_code(),
        applied.hash_code()
    );
    cluster.stop().await;
}
