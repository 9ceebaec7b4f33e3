//! Whatever minority stops and starts, in whatever order: nothing acknowledged is lost, nothing differs.

use std::collections::BTreeMap;
use std::time::Duration;

use eureka_raft::raft::{ProposeError, RaftSettings};
use tokio::time::timeout;

use super::support::{Cluster, entry, quick};

/// Draws from a seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What was acknowledged: which value at which index.
#[derive(Default)]
struct Acknowledged(BTreeMap<u64, u64>);

impl Acknowledged {
    fn note(&mut self, index: u64, value: u64) {
        let other = self.0.insert(index, value);
        assert_eq!(
            other, None,
            "index {index} was acknowledged twice: one of the two is lost"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_no_two_nodes_differ() {
    for seed in [7, 1_234_567] {
        eprintln!("seed {seed}");
        run(Dice(seed)).await;
    }
}

async fn run(mut dice: Dice) {
    let settings = RaftSettings {
        snapshot_every_entries: 25,
        keep_entries: 5,
        ..quick()
    };
    let mut cluster = Cluster::start(3, settings).await;
    let (mut acknowledged, mut value, mut down) = (Acknowledged::default(), 0, None);
    for _ in 0..10 {
        match down.take() {
            Some(at) => {
                let node: &mut super::support::TestNode = &mut cluster.nodes[at];
                node.start().await;
            }
            None => {
                let at = usize::try_from(dice.roll(3)).unwrap();
                cluster.nodes[at].stop().await;
                down = Some(at);
            }
        }
        for _ in 0..dice.roll(40) {
            value += 1;
            propose(&cluster, value, &mut acknowledged).await;
        }
    }
    if let Some(at) = down {
        cluster.nodes[at].start().await;
    }
    settle(&cluster, acknowledged).await;
    cluster.stop().await;
}

/// One attempt on whoever leads; what is not acknowledged may or may not have happened.
async fn propose(cluster: &Cluster, value: u64, acknowledged: &mut Acknowledged) {
    let node = &cluster.nodes[cluster.leader().await];
    let term = node.raft().leadership().borrow().term;
    let attempt = timeout(
        Duration::from_secs(2),
        node.raft().propose(term, &entry(value)),
    )
    .await;
    match attempt {
        Ok(Ok(proposed)) => acknowledged.note(proposed.index, value),
        Ok(Err(ProposeError::NotExecuted | ProposeError::Unknown)) | Err(_) => {}
        Ok(Err(stopped)) => panic!("{stopped}"),
    }
}

async fn settle(cluster: &Cluster, mut acknowledged: Acknowledged) {
    let leader = cluster.leader().await;
    let last = cluster.nodes[leader].propose(&entry(999_999)).await;
    acknowledged.note(last.index, 999_999);
    assert_eq!(
        acknowledged.0.last_key_value(),
        Some((&last.index, &999_999)),
        "indexes only grow"
    );
    cluster.applied_everywhere(last.index).await;
    let hashes = cluster.equal_views().await;
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:x?}");
    for node in &cluster.nodes {
        assert_eq!(node.raft().failure().borrow().clone(), None);
    }
}
