//! A proposal is written for the term it was made in, or not at all.

use eureka_raft::raft::ProposeError;

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_for_an_older_term_is_not_executed() {
    let cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let node = &cluster.nodes[leader];
    let term = node.raft().leadership().borrow().term;
    let refused = soon("propose", node.raft().propose(term - 1, &entry(9))).await;
    assert_eq!(refused, Err(ProposeError::NotExecuted));
    node.propose(&entry(3)).await;
    assert_eq!(node.instances_max(), 3);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_on_a_follower_is_not_executed() {
    let cluster = Cluster::start(3, quick()).await;
    let follower = cluster.follower().await;
    let raft = cluster.nodes[follower].raft();
    let term = raft.leadership().borrow().term;
    let refused = soon("propose", raft.propose(term, &entry(9))).await;
    assert_eq!(refused, Err(ProposeError::NotExecuted));
    cluster.stop().await;
}
