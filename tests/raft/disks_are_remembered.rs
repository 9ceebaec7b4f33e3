//! P8: a data directory that is an older copy of itself is found out, also when everybody who could know
//! better has been restarted since.

use std::path::Path;

use eureka_raft::raft::{Failure, StartError};
use eureka_raft::store::peer_memory::MEMORY_FILES;

use super::support::{Cluster, TestNode, entry, quick, soon};

/// Puts the data directory of a stopped node aside, and back.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    std::fs::create_dir(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

/// A cluster of three, of which one follower has an older copy of its directory put aside, and has held
/// and told more since.
async fn with_an_old_copy(aside: &Path) -> (Cluster, usize) {
    let mut cluster = Cluster::start(3, quick()).await;
    let victim = cluster.follower().await;
    let leader = cluster.leader().await;
    let first = cluster.nodes[leader].propose(&entry(1)).await;
    cluster.applied_everywhere(first.index).await;
    cluster.nodes[victim].stop().await;
    copy(&cluster.nodes[victim].path(), aside);
    cluster.nodes[victim].start().await;
    let leader = cluster.leader().await;
    let second = cluster.nodes[leader].propose(&entry(2)).await;
    cluster.applied_everywhere(second.index).await;
    // Told nobody that it holds an entry, a node may lose it: the leader has counted this one.
    let id = cluster.nodes[victim].id;
    let counted = async {
        loop {
            let members = cluster.nodes[leader].raft().status().members;
            let victim = members.iter().find(|view| view.member.id == id);
            if victim.and_then(|view| view.matched) >= Some(second.index) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("count what the follower holds", counted).await;
    cluster.nodes[victim].stop().await;
    (cluster, victim)
}

async fn ends_as_gone_back(cluster: &mut Cluster, victim: usize, aside: &Path) {
    copy(aside, &cluster.nodes[victim].path());
    cluster.nodes[victim].start().await;
    let mut failure = cluster.nodes[victim].raft().failure();
    let failed = soon("notice", failure.wait_for(Option::is_some)).await;
    assert!(matches!(*failed.unwrap(), Some(Failure::Identity(_))));
    let name = cluster.nodes[victim].member.name.clone();
    // It ends at the first who tells it; that one knows, the others may hear of it only at its next start.
    let waiting = cluster.nodes.iter().filter(|node| node.member.name != name);
    let waiting = waiting.map(|node| {
        let mut suspects = node.raft().suspects();
        let name = name.clone();
        Box::pin(async move {
            let named = suspects
                .wait_for(|accused| accused.contains_key(&name))
                .await;
            named.map(drop)
        })
    });
    let (named, _, _) = soon("be named", futures_util::future::select_all(waiting)).await;
    named.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_a_directory_ends_and_is_named_to_the_operator() {
    let aside = tempfile::tempdir().unwrap();
    let (mut cluster, victim) = with_an_old_copy(&aside.path().join("copy")).await;
    ends_as_gone_back(&mut cluster, victim, &aside.path().join("copy")).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_when_all_the_others_have_restarted_at_the_same_time() {
    let aside = tempfile::tempdir().unwrap();
    let (mut cluster, victim) = with_an_old_copy(&aside.path().join("copy")).await;
    let others: Vec<usize> = (0..3).filter(|other| *other != victim).collect();
    for other in &others {
        cluster.nodes[*other].stop().await;
    }
    for other in &others {
        cluster.nodes[*other].start().await;
    }
    ends_as_gone_back(&mut cluster, victim, &aside.path().join("copy")).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_directory_put_back_is_welcome_and_no_suspect_any_more() {
    let aside = tempfile::tempdir().unwrap();
    let (mut cluster, victim) = with_an_old_copy(&aside.path().join("copy")).await;
    let newest = aside.path().join("newest");
    copy(&cluster.nodes[victim].path(), &newest);
    ends_as_gone_back(&mut cluster, victim, &aside.path().join("copy")).await;
    cluster.nodes[victim].stop().await;
    copy(&newest, &cluster.nodes[victim].path());
    cluster.nodes[victim].start().await;
    let name = cluster.nodes[victim].member.name.clone();
    for node in &cluster.nodes {
        let mut suspects = node.raft().suspects();
        let acquitted = suspects.wait_for(|accused| !accused.contains_key(&name));
        soon("be acquitted", acquitted).await.unwrap();
    }
    let leader = cluster.leader().await;
    let third = cluster.nodes[leader].propose(&entry(3)).await;
    cluster.applied_everywhere(third.index).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_memory_is_damaged_starts_and_learns_anew() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let proposed = cluster.nodes[leader].propose(&entry(1)).await;
    cluster.applied_everywhere(proposed.index).await;
    let node = cluster.follower().await;
    cluster.nodes[node].stop().await;
    let path = cluster.nodes[node].path();
    let written = MEMORY_FILES.map(|name| path.join(name));
    let written: Vec<_> = written.iter().filter(|file| file.exists()).collect();
    assert!(
        !written.is_empty(),
        "what it remembers is written before it stops"
    );
    for file in &written {
        std::fs::write(file, b"rot").unwrap();
    }
    cluster.nodes[node].start().await;
    let leader = cluster.leader().await;
    let proposed = cluster.nodes[leader].propose(&entry(2)).await;
    cluster.applied_everywhere(proposed.index).await;
    cluster.stop().await;
}

/// A node alone that has a snapshot, stopped.
async fn alone_with_a_snapshot(mut node: TestNode) -> TestNode {
    node.start().await;
    let me = vec![node.member.clone()];
    node.raft().initialize(me).await.unwrap();
    for _ in 0..2 {
        node.until("lead", |now| now.ready).await;
        node.propose(&entry(1)).await;
        node.stop().await;
        node.start().await;
    }
    node.until("lead", |now| now.ready).await;
    soon("build a snapshot", node.raft().snapshot_now()).await;
    node.stop().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_later_term_than_the_vote_or_of_another_cluster_is_refused() {
    let mut node = TestNode::new(1, quick());
    node.start().await;
    let me = vec![node.member.clone()];
    node.raft().initialize(me).await.unwrap();
    node.until("lead", |now| now.ready).await;
    node.stop().await;
    let aside = tempfile::tempdir().unwrap();
    let early = aside.path().join("early");
    copy(&node.path(), &early);
    let mut node = alone_with_a_snapshot(node).await;
    let late = aside.path().join("late");
    copy(&node.path().join("snapshots"), &late);
    copy(&early, &node.path());
    copy(&late, &node.path().join("snapshots"));
    let refused = node.try_start().await;
    assert!(
        matches!(refused, Err(StartError::Identity(_))),
        "{refused:?}"
    );

    let mut stranger = TestNode::new(1, quick());
    stranger.member.incarnation = 99;
    let stranger = alone_with_a_snapshot(stranger).await;
    let mut node = alone_with_a_snapshot(TestNode::new(1, quick())).await;
    // Later than its own, of no later term.
    copy(&stranger.path().join("snapshots"), &late);
    std::fs::remove_dir_all(node.path().join("snapshots")).unwrap();
    copy(&late, &node.path().join("snapshots"));
    let refused = node.try_start().await;
    assert!(
        matches!(refused, Err(StartError::Identity(_))),
        "{refused:?}"
    );
}
