//! Many reads cost one round.

use futures_util::future::join_all;

use super::support::{Cluster, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_wait_together_ride_on_one_round() {
    let cluster = Cluster::start(3, quick()).await;
    let follower = cluster.follower().await;
    let raft = cluster.nodes[follower].raft();
    soon("a first read", raft.read_index()).await.unwrap();
    let before = raft.read_rounds();
    let readers = 500;
    let reads = join_all((0..readers).map(|_| raft.read_index()));
    for index in soon("reads", reads).await {
        index.unwrap();
    }
    let rounds = raft.read_rounds() - before;
    assert!(
        rounds <= readers / 10,
        "{rounds} rounds for {readers} reads"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_there_is_no_index() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    for at in (0..3).filter(|at| *at != leader) {
        cluster.nodes[at].stop().await;
    }
    let read = soon(
        "a read without a quorum",
        cluster.nodes[leader].raft().read_index(),
    )
    .await;
    assert!(read.is_err(), "{read:?}");
    cluster.stop().await;
}
