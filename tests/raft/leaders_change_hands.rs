//! Leadership moves when asked to, and when a leader dies.

use std::time::Duration;

use eureka_raft::raft::{Candidacy, RaftSettings};

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

/// A restarted node gives no vote for an election timeout, lest it depose a leader it has forgotten. A rolling
/// restart that waited for readiness alone met two such nodes, and nobody could take over.
#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over_among_nodes_that_have_just_started() {
    let mut cluster = Cluster::start(3, patient()).await;
    let oldest = cluster.leader().await;
    let (first, second) = ((oldest + 1) % 3, (oldest + 2) % 3);
    let restarted = [(first, oldest), (second, first)];
    for (node, leader) in restarted {
        restart(&mut cluster, node, leader).await;
        let heir = if node == first { first } else { oldest };
        hand_over(&cluster, leader, heir).await;
    }
    cluster.stop().await;
}

/// An election timeout far beyond what a test waits for: only a hand-over makes a leader.
fn patient() -> RaftSettings {
    RaftSettings {
        election_timeout: (Duration::from_secs(40), Duration::from_secs(60)),
        ..quick()
    }
}

/// Stops and starts a follower, and waits until it has written and applied an entry of `leader`: before, it
/// cannot be an heir.
async fn restart(cluster: &mut Cluster, node: usize, leader: usize) {
    cluster.nodes[node].stop().await;
    cluster.nodes[node].start().await;
    let written = cluster.nodes[leader].propose(&entry(1)).await;
    let applied = cluster.nodes[node].raft().applied(written.index);
    soon("the restarted node applies", applied).await;
}

async fn hand_over(cluster: &Cluster, leader: usize, heir: usize) {
    let wanted = cluster.nodes[heir].id;
    let leading = cluster.nodes[leader].raft();
    let taken = soon("transfer", leading.transfer_leadership(Some(wanted))).await;
    assert_eq!(taken, Ok(wanted));
    assert_eq!(cluster.leader().await, heir);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_about_to_stop_leads_no_more() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let (stopping, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let raft = cluster.nodes[stopping].raft();
    raft.set_candidacy(Candidacy::Over);
    raft.set_candidacy(Candidacy::Allowed);
    let old = cluster.nodes[leader].id;
    cluster.nodes[leader].stop().await;
    let next = cluster.nodes[other].id;
    for node in cluster.nodes.iter().filter(|node| node.id != old) {
        node.until("another leader", |now| {
            now.leader.is_some_and(|leader| leader != old)
        })
        .await;
    }
    let seen = cluster.nodes[other].raft().leadership().borrow().leader;
    assert_eq!(seen, Some(next));
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
