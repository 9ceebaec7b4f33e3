//! Every queue is full at some point, and then says so.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eureka_raft::net::{Network, TcpNetwork};
use eureka_raft::raft::{CallError, READS_WAITING_MAX, ReadIndexError};
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::support::{Cluster, PATIENCE, quick, soon};

/// Calls answered at once for one peer.
const CALLS_MAX: usize = 1_024;
/// Peer connections served at once.
const CONNECTIONS_MAX: usize = 256;

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_bound_are_refused_at_once() {
    let cluster = Cluster::start(3, quick()).await;
    let raft = cluster.nodes[0].raft();
    let never = Bytes::from_static(b"hang");
    let mut calls: FuturesUnordered<_> = (0..=CALLS_MAX)
        .map(|_| raft.call(2, never.clone(), PATIENCE))
        .collect();
    let first = soon("refuse one", calls.next()).await;
    assert_eq!(first, Some(Err(CallError::NotSent)));
    let more = timeout(Duration::from_millis(100), calls.next()).await;
    assert!(more.is_err(), "only the one beyond the bound is refused");
    drop(calls);
    // Raft's own questions have room of their own.
    soon("read", cluster.nodes[1].raft().read_index())
        .await
        .unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_beyond_the_bound_are_refused_at_once() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    for at in (0..3).filter(|at| *at != leader) {
        cluster.nodes[at].stop().await;
    }
    // A round that cannot end takes some in, as many again queue up, and then it is enough.
    let raft = cluster.nodes[leader].raft();
    let reads = (0..2 * READS_WAITING_MAX + 2).map(|_| raft.read_index());
    let refused = soon("answer all", join_all(reads)).await;
    assert!(refused.contains(&Err(ReadIndexError::Overloaded)));
    assert!(refused.iter().all(Result::is_err));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_bound_are_closed_as_they_come() {
    let cluster = Cluster::start(1, quick()).await;
    let addr = cluster.nodes[0].member.peer_addr.clone();
    let network = Arc::new(TcpNetwork);
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        open.push(network.connect(&addr).await.unwrap());
    }
    let mut beyond = network.connect(&addr).await.unwrap();
    let first = open.first_mut().unwrap();
    let (mut one, mut other) = ([0; 1], [0; 1]);
    let closed_first = tokio::select! {
        _ = beyond.read(&mut one) => "the one beyond",
        _ = first.read(&mut other) => "the first",
    };
    assert_eq!(closed_first, "the one beyond");
    cluster.stop().await;
}
