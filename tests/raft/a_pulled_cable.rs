//! Nodes that cannot hear each other, and nobody tells them so.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_cut_off_is_replaced_and_can_neither_read_nor_write() {
    let cluster = Cluster::start(3, quick()).await;
    let old = cluster.leader().await;
    cluster.nodes[old].propose(&entry(1)).await;
    let old_term = cluster.nodes[old].raft().leadership().borrow().term;
    cluster.nodes[old].cable.pull();
    let others: Vec<_> = cluster
        .nodes
        .iter()
        .filter(|node| node.id != cluster.nodes[old].id)
        .collect();
    let mut next = None;
    for node in &others {
        let now = node
            .until("another leader", |now| {
                now.term > old_term && now.leader.is_some()
            })
            .await;
        next = now.leader;
    }
    let next = others.iter().find(|node| Some(node.id) == next).unwrap();
    next.until("be ready", |now| now.ready).await;
    next.propose(&entry(2)).await;

    let raft = cluster.nodes[old].raft();
    assert!(
        soon("read on the old leader", raft.read_index())
            .await
            .is_err()
    );
    let lost = timeout(Duration::from_secs(1), raft.propose(old_term, &entry(66))).await;
    assert!(
        !matches!(lost, Ok(Ok(_))),
        "acknowledged without a quorum: {lost:?}"
    );
    assert_eq!(cluster.nodes[old].instances_max(), 1);

    cluster.nodes[old].cable.plug_in();
    cluster.nodes[old]
        .until("follow", |now| now.term > old_term && now.leader.is_some())
        .await;
    let leader = cluster.leader().await;
    let last = cluster.nodes[leader].propose(&entry(3)).await;
    cluster.applied_everywhere(last.index).await;
    let hashes = cluster.equal_views().await;
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:x?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_cut_off_deposes_nobody_when_it_is_back() {
    let cluster = Cluster::start(3, quick()).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let before = *cluster.nodes[leader].raft().leadership().borrow();
    cluster.nodes[follower].cable.pull();
    // Writes go on, long enough for several election timeouts of the one cut off.
    let started = tokio::time::Instant::now();
    let mut last = 0;
    while started.elapsed() < Duration::from_secs(3) {
        last = cluster.nodes[leader].propose(&entry(last + 1)).await.index;
    }
    cluster.nodes[follower].cable.plug_in();
    soon("catch up", cluster.nodes[follower].raft().applied(last)).await;
    assert_eq!(*cluster.nodes[leader].raft().leadership().borrow(), before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_in_silence_is_given_up_and_made_anew() {
    let cluster = Cluster::start(3, quick()).await;
    let (asker, asked) = (&cluster.nodes[0], &cluster.nodes[1]);
    let call = || {
        let hello = Bytes::from_static(b"hello");
        asker
            .raft()
            .call(asked.id, hello, Duration::from_millis(200))
    };
    call().await.unwrap();
    asked.cable.pull();
    call().await.unwrap_err();
    asked.cable.plug_in();
    soon("be answered again", async {
        while call().await.is_err() {}
    })
    .await;
    cluster.stop().await;
}
