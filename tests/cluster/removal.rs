//! How a member goes: for good, with its number, and never so that too few voters live.

use serde_json::Value::Null;
use serde_json::json;

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::eventually;

use super::orders::{await_voters, invitation, member, node, order, order_done, refusal};

#[test]
fn the_removed_leader_hands_over_ends_with_76_and_never_comes_back() {
    let mut cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    let name = cluster.nodes[leader].name.clone();
    order_done(
        &cluster.nodes[leader],
        &format!("/v1/members/{name}/remove"),
        &Null,
    );
    let exit = cluster.nodes[leader].await_exit(SOON);
    assert_eq!(exit.code(), Some(76), "{}", cluster.nodes[leader].log());
    let left: Vec<String> = cluster
        .nodes
        .iter()
        .filter(|node| node.is_running())
        .map(|node| node.name.clone())
        .collect();
    await_voters(
        &cluster,
        &left.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(
        node(&cluster, &left[0])
            .register("GONE", "one", 3_600)
            .status,
        204
    );
    // Its directory knows of its removal, or is told: both ways it ends at once.
    cluster.nodes[leader].start();
    assert_eq!(cluster.nodes[leader].await_exit(SOON).code(), Some(76));
}

#[test]
fn who_was_down_when_it_was_removed_hears_of_it_at_its_next_start() {
    let mut cluster = Cluster::started(
        3,
        &["raft.snapshot_every_entries=20", "raft.keep_entries=5"],
    );
    cluster.nodes[2].kill();
    let old = member(&cluster.nodes[0], "node-3").expect("a member")["id"].clone();
    order_done(&cluster.nodes[0], "/v1/members/node-3/remove", &Null);
    await_voters(&cluster, &["node-1", "node-2"]);
    // Whoever lost the answer gives the order again, and hears that it is done.
    let again = order_done(&cluster.nodes[1], "/v1/members/node-3/remove", &Null);
    let message = again["message"].as_str().expect("a sentence");
    assert!(
        message.starts_with("node-3 was removed at index "),
        "{message}"
    );
    // The memory of it outlives snapshots and restarts.
    for number in 0..40 {
        let answer = cluster.nodes[0].register("LATER", &format!("i-{number}"), 3_600);
        assert_eq!(answer.status, 204);
    }
    for survivor in 0..2 {
        cluster.nodes[survivor].kill();
        cluster.nodes[survivor].start();
    }
    cluster.nodes[0].await_ready();
    cluster.nodes[2].start();
    let exit = cluster.nodes[2].await_exit(SOON);
    assert_eq!(exit.code(), Some(76), "{}", cluster.nodes[2].log());
    // Under the old name an empty directory is another member, with another number.
    cluster.nodes[2].wipe();
    let place = cluster.newcomer("node-3");
    cluster.nodes[place].start();
    await_voters(&cluster, &["node-1", "node-2", "node-3"]);
    let new = member(&cluster.nodes[0], "node-3").expect("a member")["id"].clone();
    assert_ne!(old, new);
}

#[test]
fn nobody_goes_whose_going_leaves_too_few() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(
        refusal(&cluster.nodes[0], "/v1/members/nobody/remove", &Null),
        "unknown_member"
    );
    cluster.nodes[2].kill();
    let first = &cluster.nodes[0];
    assert_eq!(
        refusal(first, "/v1/members/node-2/remove", &Null),
        "quorum_at_risk"
    );
    assert_eq!(
        refusal(first, "/v1/members/node-2/remove?dry_run=true", &Null),
        "quorum_at_risk"
    );
    order_done(first, "/v1/members/node-3/remove", &Null);
    await_voters(&cluster, &["node-1", "node-2"]);
    order_done(&cluster.nodes[0], "/v1/members/node-2/remove", &Null);
    assert_eq!(cluster.nodes[1].await_exit(SOON).code(), Some(76));
    await_voters(&cluster, &["node-1"]);
    assert_eq!(
        refusal(&cluster.nodes[0], "/v1/members/node-1/remove", &Null),
        "last_voter"
    );
    assert_eq!(cluster.nodes[0].register("LAST", "one", 3_600).status, 204);
}

#[test]
fn of_two_changes_at_once_one_is_refused() {
    let cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    let silent = (leader + 1) % 3;
    // Looking for the silent member takes the first order most of a second.
    cluster.nodes[silent].signal("STOP");
    let path = format!(
        "/v1/members/{}/remove?dry_run=true",
        cluster.nodes[silent].name
    );
    let refused = eventually("an order meets another", SOON, || {
        let leading = &cluster.nodes[leader];
        std::thread::scope(|scope| {
            let both: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| order(leading, &path, &Null)))
                .collect();
            both.into_iter()
                .map(|given| given.join().expect("an answer"))
                .find(|answer| answer.status == 409)
        })
    });
    assert_eq!(refused.json()["code"], "change_in_progress");
    cluster.nodes[silent].signal("CONT");
}

#[test]
fn a_replaced_voter_goes_in_the_same_change_in_which_the_new_one_votes() {
    let mut cluster = Cluster::started(3, &[]);
    let place = cluster.newcomer("node-4");
    cluster.nodes[place].start();
    let learner = invitation(&cluster.nodes[place], "learner");
    let first = &cluster.nodes[0];
    assert_eq!(
        refusal(
            first,
            "/v1/members/node-3/replace",
            &json!({"with": "node-4"})
        ),
        "unknown_member"
    );
    order_done(first, "/v1/members", &learner);
    assert_eq!(
        refusal(
            first,
            "/v1/members/node-3/replace",
            &json!({"with": "node-3"})
        ),
        "same_member"
    );
    assert_eq!(
        refusal(
            first,
            "/v1/members/node-3/replace",
            &json!({"with": "node-2"})
        ),
        "already_voter"
    );
    assert_eq!(
        refusal(
            first,
            "/v1/members/node-4/replace",
            &json!({"with": "node-3"})
        ),
        "not_a_voter"
    );
    let report = order(
        first,
        "/v1/members/node-3/replace",
        &json!({"with": "node-4"}),
    );
    assert!(report.status < 300, "{}", report.text());
    assert_eq!(
        report.json()["after"]["voters"],
        json!(["node-1", "node-2", "node-4"])
    );
    assert_eq!(cluster.nodes[2].await_exit(SOON).code(), Some(76));
    await_voters(&cluster, &["node-1", "node-2", "node-4"]);
    cluster.await_equal_state();
}
