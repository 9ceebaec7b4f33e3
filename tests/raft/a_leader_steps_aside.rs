//! A leader that must not lead any more goes, and one that should not stand does not.

use std::time::Duration;

use eureka_raft::raft::Candidacy;
use tokio::time::timeout;

use super::support::{Cluster, entry, quick, soon};

#[tokio::test(flavor = "multi_thread")]
async fn leadership_goes_to_the_voter_that_was_asked() {
    let cluster = Cluster::start(3, quick()).await;
    let old = cluster.leader().await;
    cluster.nodes[old].propose(&entry(1)).await;
    let next = (old + 1) % 3;
    let raft = cluster.nodes[old].raft().clone();
    let to = cluster.nodes[next].id;
    soon("step aside", raft.step_aside(Some(to))).await.unwrap();
    cluster.nodes[next]
        .until("the one asked leads", |now| now.leader == Some(to))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_goes_even_if_who_was_asked_does_not_take_over() {
    let cluster = Cluster::start(3, quick()).await;
    let old = cluster.leader().await;
    let (asked, third) = ((old + 1) % 3, (old + 2) % 3);
    cluster.nodes[asked].cable.pull();
    let raft = cluster.nodes[old].raft().clone();
    let term = raft.leadership().borrow().term;
    let to = cluster.nodes[asked].id;
    soon("step aside", raft.step_aside(Some(to))).await.unwrap();
    cluster.nodes[third]
        .until("somebody else leads", |now| {
            now.term > term && now.leader.is_some()
        })
        .await;
    // Both of the two that are left take part, whichever of them leads: with two of three, they have to.
    let ready = |node: usize| {
        cluster.nodes[node].until("it leads and is ready", |now| now.ready && now.term > term)
    };
    let leader = tokio::select! {
        _ = ready(old) => old,
        _ = ready(third) => third,
    };
    cluster.nodes[leader].propose(&entry(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_stand_leaves_the_election_to_the_others() {
    let mut cluster = Cluster::start(3, quick()).await;
    let old = cluster.leader().await;
    let (held, free) = ((old + 1) % 3, (old + 2) % 3);
    cluster.nodes[held]
        .raft()
        .set_candidacy(Candidacy::Withheld);
    cluster.nodes[old].stop().await;
    let free_id = cluster.nodes[free].id;
    cluster.nodes[held]
        .until("the other one leads", |now| now.leader == Some(free_id))
        .await;
    // And while it alone could win, nobody does until it is let.
    cluster.nodes[free].stop().await;
    cluster.nodes[old].start().await;
    cluster.nodes[old].raft().set_candidacy(Candidacy::Withheld);
    let mut leadership = cluster.nodes[held].raft().leadership();
    let led = |now: &eureka_raft::raft::Leadership| now.ready;
    let waited = timeout(Duration::from_secs(2), leadership.wait_for(led)).await;
    assert!(waited.is_err(), "it stood for election");
    drop(waited);
    cluster.nodes[held].raft().set_candidacy(Candidacy::Allowed);
    soon("lead", leadership.wait_for(led)).await.unwrap();
}
