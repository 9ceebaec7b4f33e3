//! The leader dies while members change: it ends uniform by itself. Row 47 of the fault table does this at
//! many more moments.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, outlast};
use crate::support::http::post_json;

use super::orders::{Load, await_voters, invitation, order_done};

/// An order given in the background, whatever becomes of it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's client waits in a thread of its own"
)]
fn begin_order(to: SocketAddr, path: &str, body: &Value) -> JoinHandle<()> {
    let (path, body) = (path.to_owned(), body.to_string());
    std::thread::spawn(move || drop(post_json(to, &path, &body)))
}

/// Repeats an order until it is done, or one of `codes` says that it had been.
fn repeat_order(to: SocketAddr, path: &str, body: &Value, codes: &[&str]) {
    eventually(&format!("{path} is done"), SOON, || {
        let answer = post_json(to, path, &body.to_string()).ok()?;
        let said = answer.json();
        let had_been = codes.iter().any(|code| said["code"] == *code);
        (said["done"] == true || had_been).then_some(())
    });
}

/// Joining takes about a second: the learner is made, catches up, is compared, votes.
#[test]
fn a_newcomer_votes_whenever_the_leader_dies_while_it_joins() {
    for moment_ms in [100, 900] {
        let mut cluster = Cluster::started(3, &[]);
        let place = cluster.newcomer("node-4");
        let leader = cluster.leader();
        let load = Load::on(cluster.nodes[..3].iter().map(|node| node.http).collect());
        cluster.nodes[place].start();
        outlast(Duration::from_millis(moment_ms));
        cluster.nodes[leader].kill();
        let asked = &cluster.nodes[(leader + 1) % 3];
        let order = invitation(&cluster.nodes[place], "voter");
        order_done(asked, "/v1/members", &order);
        cluster.nodes[leader].start();
        await_voters(&cluster, &["node-1", "node-2", "node-3", "node-4"]);
        cluster.await_ready();
        load.nothing_is_lost(&cluster);
    }
}

/// The swap is two entries of the log: killed before, between or behind them, the next leader ends it.
#[test]
fn a_replacement_is_ended_by_the_next_leader() {
    let mut cluster = Cluster::started(3, &[]);
    let place = cluster.newcomer("node-4");
    cluster.nodes[place].start();
    let learner = invitation(&cluster.nodes[place], "learner");
    order_done(&cluster.nodes[0], "/v1/members", &learner);
    let leader = cluster.leader();
    let (replaced, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let path = format!("/v1/members/{}/replace", cluster.nodes[replaced].name);
    let body = json!({"with": "node-4"});
    let ordering = begin_order(cluster.nodes[leader].http, &path, &body);
    outlast(Duration::from_millis(15));
    cluster.nodes[leader].kill();
    ordering.join().expect("the order ends");
    cluster.nodes[leader].start();
    let had_been = ["unknown_member", "already_voter"];
    repeat_order(cluster.nodes[other].http, &path, &body, &had_been);
    assert_eq!(cluster.nodes[replaced].await_exit(SOON).code(), Some(76));
    let mut names = vec!["node-1", "node-2", "node-3", "node-4"];
    names.remove(replaced);
    await_voters(&cluster, &names);
    cluster.await_equal_state();
}

#[test]
fn a_removal_is_ended_by_the_next_leader() {
    let mut cluster = Cluster::started(5, &[]);
    let leader = cluster.leader();
    let gone = (leader + 1) % 5;
    let path = format!("/v1/members/{}/remove", cluster.nodes[gone].name);
    let ordering = begin_order(cluster.nodes[leader].http, &path, &Value::Null);
    outlast(Duration::from_millis(12));
    cluster.nodes[leader].kill();
    ordering.join().expect("the order ends");
    let asked = cluster.nodes[(leader + 2) % 5].http;
    repeat_order(asked, &path, &Value::Null, &["unknown_member"]);
    assert_eq!(cluster.nodes[gone].await_exit(SOON).code(), Some(76));
    cluster.nodes[leader].start();
    let mut names = vec!["node-1", "node-2", "node-3", "node-4", "node-5"];
    names.remove(gone);
    await_voters(&cluster, &names);
    cluster.await_equal_state();
}
