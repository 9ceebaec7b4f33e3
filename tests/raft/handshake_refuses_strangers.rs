//! Who may not talk to whom.

use std::sync::Arc;

use bytes::Bytes;
use eureka_raft::codec;
use eureka_raft::net::{Connection, Network, TcpNetwork};
use eureka_raft::raft::{CallError, Failure, PeerIdentity, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{CLUSTER, Cluster, PATIENCE, TestNode, entry, quick, soon};

fn stranger(cluster_id: Option<u128>) -> PeerIdentity {
    PeerIdentity {
        name: "stranger".to_owned(),
        incarnation: 1,
        cluster_id,
        node_id: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_cluster_gets_no_answer() {
    let cluster = Cluster::start(1, quick()).await;
    let mut node = TestNode::new(9, quick());
    let peers = node.listen(stranger(Some(CLUSTER + 1))).await;
    let addr = cluster.nodes[0].member.peer_addr.clone();
    let asked = peers
        .call_addr(&addr, Bytes::from_static(b"x"), PATIENCE)
        .await;
    assert_eq!(asked.unwrap_err(), CallError::NotSent);
    peers.shutdown().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_cluster_may_ask_who_is_there() {
    let cluster = Cluster::start(1, quick()).await;
    let mut node = TestNode::new(9, quick());
    let peers = node.listen(stranger(None)).await;
    let addr = cluster.nodes[0].member.peer_addr.clone();
    let (from, answer) = peers
        .call_addr(&addr, Bytes::from_static(b"x"), PATIENCE)
        .await
        .unwrap();
    assert_eq!(
        (from, &answer[..]),
        (cluster.nodes[0].identity(), &b"node-1 to stranger: x"[..])
    );
    peers.shutdown().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_under_another_incarnation_takes_no_part() {
    let mut cluster = Cluster::start(3, quick()).await;
    let follower = cluster.follower().await;
    cluster.nodes[follower].stop().await;
    let mut impostor = TestNode::new(cluster.nodes[follower].id, quick());
    impostor.member = cluster.nodes[follower].member.clone();
    impostor.member.incarnation += 1;
    impostor.start().await;
    let leader = cluster.leader().await;
    for value in 1..=20 {
        let proposed = cluster.nodes[leader].propose(&entry(value)).await;
        soon("read", cluster.nodes[leader].raft().read_index())
            .await
            .unwrap();
        assert!(proposed.index > 0);
    }
    assert_eq!(impostor.raft().status().last, 0, "it was sent nothing");
    impostor.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_member_whose_disk_went_back_stops_itself() {
    let mut cluster = Cluster::start(3, quick()).await;
    let follower = cluster.follower().await;
    let leader = cluster.leader().await;
    let proposed = cluster.nodes[leader].propose(&entry(1)).await;
    cluster.applied_everywhere(proposed.index).await;
    // It has told the others how far it is, by a restart.
    cluster.nodes[follower].stop().await;
    cluster.nodes[follower].start().await;
    soon("be back", async {
        let index = cluster.nodes[leader].raft().read_index().await.unwrap();
        cluster.nodes[follower].raft().applied(index).await;
    })
    .await;
    cluster.nodes[follower].stop().await;
    let mut wiped = TestNode::new(cluster.nodes[follower].id, quick());
    wiped.member = cluster.nodes[follower].member.clone();
    wiped.start().await;
    let mut failure = wiped.raft().failure();
    let failed = soon("notice", failure.wait_for(Option::is_some))
        .await
        .unwrap()
        .clone();
    assert!(matches!(failed, Some(Failure::Identity(_))), "{failed:?}");
    wiped.stop().await;
    cluster.stop().await;
}

async fn raw(addr: &str) -> Connection {
    Arc::new(TcpNetwork).connect(addr).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_over_the_cap_closes_the_connection_before_it_is_read() {
    let cluster = Cluster::start(1, quick()).await;
    let mut connection = raw(&cluster.nodes[0].member.peer_addr).await;
    // An envelope of the right kind that announces 2 GiB.
    let mut header = codec::encode(&entry(1))[..codec::ENVELOPE_BYTES].to_vec();
    header[6..10].copy_from_slice(&(2_u32 << 30).to_le_bytes());
    connection.write_all(&header).await.unwrap();
    let mut answer = Vec::new();
    soon("close", connection.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(answer.is_empty(), "no answer, and no waiting for 2 GiB");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed() {
    let cluster = Cluster::start(1, quick()).await;
    let mut connection = raw(&cluster.nodes[0].member.peer_addr).await;
    let mut answer = Vec::new();
    soon("close", connection.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(answer.is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_the_cap_is_not_sent_and_does_not_cost_the_connection() {
    let cluster = Cluster::start(3, quick()).await;
    let raft = cluster.nodes[0].raft();
    let refused = raft.call(2, Bytes::from(vec![0; 2 << 20]), PATIENCE).await;
    assert_eq!(refused, Err(CallError::NotSent));
    let answer = raft.call(2, Bytes::from_static(b"x"), PATIENCE).await;
    assert!(answer.is_ok());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_log_under_a_known_identity_does_not_start() {
    let mut cluster = Cluster::start(1, quick()).await;
    let node = &mut cluster.nodes[0];
    node.propose(&entry(1)).await;
    node.stop().await;
    std::fs::remove_dir_all(node.path().join("log")).unwrap();
    std::fs::remove_file(node.path().join("LOG.end")).unwrap();
    let refused = node.try_start().await;
    assert!(
        matches!(refused, Err(StartError::Identity(_))),
        "{refused:?}"
    );
}
