//! Leadership moves when asked to, and when a leader dies.

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_on_request() {
    let cluster = Cluster::start(3, quick()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.nodes[leader].propose(&entry(3)).await;
    let wanted = cluster.nodes[follower].id;
    let taken = soon(
        "transfer",
        cluster.nodes[leader]
            .raft()
            .transfer_leadership(Some(wanted)),
    )
    .await;
    assert_eq!(taken, Ok(wanted));
    assert_eq!(cluster.leader().await, follower);
    assert_eq!(cluster.nodes[follower].instances_max(), 3);
    cluster.nodes[follower].propose(&entry(4)).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_leader_dies_another_takes_over_with_everything_acknowledged() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].propose(&entry(8)).await;
    let old = cluster.nodes[leader].id;
    cluster.nodes[leader].stop().await;
    for node in cluster.nodes.iter().filter(|node| node.id != old) {
        node.until("another leader", |now| {
            now.leader.is_some_and(|leader| leader != old)
        })
        .await;
    }
    let next = cluster.leader().await;
    assert_eq!(cluster.nodes[next].instances_max(), 8);
    cluster.stop().await;
}
