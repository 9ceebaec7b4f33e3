//! Who was away past the end of the log comes back by snapshot, with the same state.

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_away_past_the_purged_log_comes_back_by_snapshot_with_an_equal_state_hash() {
    let mut cluster = Cluster::start(3, quick()).await;
    let follower = cluster.follower().await;
    let seen = cluster.nodes[follower].raft().status().applied;
    cluster.nodes[follower].stop().await;
    let leader = cluster.leader().await;
    for value in 1..=50 {
        cluster.nodes[leader].propose(&entry(value)).await;
    }
    soon("snapshot", cluster.nodes[leader].raft().snapshot_now()).await;
    soon("purge what the follower has not", async {
        while cluster.nodes[leader].raft().status().purged <= seen {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let purged = cluster.nodes[leader].raft().status().purged;
    cluster.nodes[follower].start().await;
    let last = cluster.nodes[leader].propose(&entry(77)).await;
    soon(
        "come back",
        cluster.nodes[follower].raft().applied(last.index),
    )
    .await;
    assert!(
        cluster.nodes[follower].raft().status().snapshot >= purged,
        "it came by snapshot"
    );
    let hashes = cluster.equal_views().await;
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:x?}");
    assert_eq!(cluster.nodes[follower].instances_max(), 77);

    // And it keeps what it got that way.
    cluster.nodes[follower].stop().await;
    cluster.nodes[follower].start().await;
    soon(
        "start again",
        cluster.nodes[follower].raft().applied(last.index),
    )
    .await;
    assert_eq!(cluster.nodes[follower].instances_max(), 77);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cut_by_itself_after_so_many_entries() {
    let settings = eureka_raft::raft::RaftSettings {
        snapshot_every_entries: 20,
        ..quick()
    };
    let cluster = Cluster::start(1, settings).await;
    for value in 1..=30 {
        cluster.nodes[0].propose(&entry(value)).await;
    }
    let raft = cluster.nodes[0].raft();
    soon("purge", async {
        while raft.status().purged == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(raft.status().snapshot >= 20);
    cluster.stop().await;
}
