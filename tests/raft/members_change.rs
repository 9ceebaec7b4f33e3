//! Members change in fenced steps; what a leader leaves half done the next one ends; who was removed hears
//! of it.

use std::collections::BTreeSet;

use eureka_raft::raft::{ChangeError, FIRST_LATER_ID, Failure, Goal, MemberChange, Raft};

use super::support::{Cluster, TestNode, quick, soon};

fn votes(given: &[u64], taken: &[u64]) -> MemberChange {
    MemberChange::Votes {
        given: given.iter().copied().collect(),
        taken: taken.iter().copied().collect(),
    }
}

async fn change(raft: &Raft, change: MemberChange) -> Result<u64, ChangeError> {
    let based_on = raft.status().members_at;
    soon("change members", raft.change_members(based_on, change)).await
}

fn voters(raft: &Raft) -> BTreeSet<u64> {
    let members = raft.status().members;
    let voters = members.iter().filter(|view| view.voter);
    voters.map(|view| view.member.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_decided_on_one_membership_one_happens() {
    let cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let raft = cluster.nodes[leader].raft();
    let based_on = raft.status().members_at;
    let others: Vec<u64> = (1..=3).filter(|id| *id != raft.me()).collect();
    let both = tokio::join!(
        raft.change_members(based_on, votes(&[], &others[..1])),
        raft.change_members(based_on, votes(&[], &others[1..])),
    );
    let refused = match both {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        other => panic!("{other:?}"),
    };
    // Whose change has altered the membership is not told apart: then the answer is that nobody knows.
    assert!(
        matches!(refused, ChangeError::Outdated | ChangeError::Unknown),
        "{refused:?}"
    );
    // The metrics follow the log a little later.
    soon("two voters are left", async {
        while voters(raft).len() != 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Nor does one that was decided before and comes after.
    let late = raft.change_members(based_on, MemberChange::Settle);
    assert_eq!(
        soon("refuse what is late", late).await,
        Err(ChangeError::Outdated)
    );
    let follower = cluster.nodes[(leader + 1) % 3].raft();
    let elsewhere = change(follower, votes(&[], &[raft.me()])).await;
    assert!(
        matches!(
            elsewhere,
            Err(ChangeError::NotLeader | ChangeError::Outdated)
        ),
        "{elsewhere:?}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_from_the_log_is_never_given_twice_nor_is_it_one_of_the_first() {
    let mut cluster = Cluster::start(3, quick()).await;
    let mut given = BTreeSet::new();
    for turn in 0..2 {
        let leader = cluster.leader().await;
        let raft = cluster.nodes[leader].raft();
        for _ in 0..3 {
            let id = soon("allocate", raft.allocate_id()).await.unwrap();
            assert!(id > FIRST_LATER_ID);
            assert!(given.insert(id), "{id} was given before");
        }
        if turn == 0 {
            cluster.nodes[leader].stop().await;
        }
    }
    cluster.stop().await;
}

/// The change is dropped as soon as its first half is in the log: as if its leader had died there.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_left_half_done_is_ended_by_the_next_leader() {
    let mut cluster = Cluster::start(5, quick()).await;
    let leader = cluster.leader().await;
    let gone = cluster.nodes[(leader + 1) % 5].id;
    let raft = cluster.nodes[leader].raft().clone();
    let based_on = raft.status().members_at;
    let half_done = async {
        while !raft.status().joint {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = half_done => {}
        done = raft.change_members(based_on, votes(&[], &[gone])) => panic!("it was done: {done:?}"),
    }
    drop(raft);
    soon("the half is committed", async {
        let others = cluster
            .nodes
            .iter()
            .filter(|node| node.id != cluster.nodes[leader].id);
        for node in others {
            while !node.raft().status().joint {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    cluster.nodes[leader].stop().await;
    let next = cluster.leader().await;
    let raft = cluster.nodes[next].raft();
    assert!(raft.status().joint);
    let old = cluster.nodes[leader].id;
    assert!(voters(raft).contains(&old) && voters(raft).contains(&gone));
    change(raft, MemberChange::Settle).await.unwrap();
    soon("it is uniform", async {
        while raft.status().joint {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!voters(raft).contains(&gone));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_told_at_its_next_handshake() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let gone = (leader + 1) % 3;
    let id = cluster.nodes[gone].id;
    cluster.nodes[gone].stop().await;
    let raft = cluster.nodes[leader].raft();
    let index = change(raft, votes(&[], &[id])).await.unwrap();
    soon("apply the removal", raft.applied(index)).await;
    let incarnation = cluster.nodes[gone].member.incarnation;
    assert_eq!(raft.removed_at(incarnation), Some(index));
    cluster.nodes[gone].start().await;
    let mut failure = cluster.nodes[gone].raft().failure();
    let failed = soon("hear of it", failure.wait_for(Option::is_some)).await;
    assert_eq!(*failed.unwrap(), Some(Failure::Removed(index)));
    cluster.stop().await;
}

/// A learner is made, follows, and its goal is known to every member.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_learner_is_on_its_way_to_is_in_the_membership() {
    let mut cluster = Cluster::start(3, quick()).await;
    let leader = cluster.leader().await;
    let raft = cluster.nodes[leader].raft().clone();
    let id = soon("allocate", raft.allocate_id()).await.unwrap();
    let mut newcomer = TestNode::new(id, quick());
    newcomer.start().await;
    newcomer.member.goal = Goal::Replace(2);
    let index = change(&raft, MemberChange::Add(newcomer.member.clone())).await;
    cluster.nodes.push(newcomer);
    cluster.applied_everywhere(index.unwrap()).await;
    for node in &cluster.nodes {
        let members = node.raft().status().members;
        let view = members.iter().find(|view| view.member.id == id).unwrap();
        assert_eq!((view.voter, view.member.goal), (false, Goal::Replace(2)));
    }
    drop(raft);
    cluster.stop().await;
}
