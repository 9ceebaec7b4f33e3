//! The leader dies while members change: it ends uniform by itself.

use std::time::Duration;

use serde_json::Value::Null;
use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::eventually::outlast;
use crate::support::http::post_json;

use super::orders::{Load, await_voters, invitation, node, order_done};

/// Joining takes about a second: the learner is made, catches up, is compared, votes.
#[test]
fn a_newcomer_votes_whenever_the_leader_dies_while_it_joins() {
    for moment_ms in [20, 150, 400, 900] {
        let mut cluster = Cluster::started(3, &[]);
        let place = cluster.newcomer("node-4");
        let leader = cluster.leader();
        let load = Load::on(cluster.nodes[..3].iter().map(|node| node.http).collect());
        cluster.nodes[place].start();
        outlast(Duration::from_millis(moment_ms));
        cluster.nodes[leader].kill();
        let running = &cluster.nodes[(leader + 1) % 3];
        let order = invitation(&cluster.nodes[place], "voter");
        order_done(running, "/v1/members", &order);
        cluster.nodes[leader].start();
        await_voters(&cluster, &["node-1", "node-2", "node-3", "node-4"]);
        cluster.await_ready();
        load.nothing_is_lost(&cluster);
    }
}

/// The swap is two entries of the log: killed before, between or behind them, the next leader ends it.
#[test]
fn a_replacement_is_ended_by_the_next_leader() {
    for moment_ms in [0, 8, 25] {
        let mut cluster = Cluster::started(3, &[]);
        let place = cluster.newcomer("node-4");
        cluster.nodes[place].start();
        order_done(
            &cluster.nodes[0],
            "/v1/members",
            &invitation(&cluster.nodes[place], "learner"),
        );
        let leader = cluster.leader();
        let replaced = (leader + 1) % 3;
        let path = format!("/v1/members/{}/replace", cluster.nodes[replaced].name);
        let http = cluster.nodes[leader].http;
        let ordering = std::thread::spawn({
            let path = path.clone();
            move || post_json(http, &path, &json!({"with": "node-4"}).to_string()).ok()
        });
        outlast(Duration::from_millis(moment_ms));
        cluster.nodes[leader].kill();
        drop(ordering.join().expect("the order ends"));
        // Whether it came through or not: repeated, it is done.
        let survivor = cluster.nodes[(leader + 2) % 3].name.clone();
        cluster.nodes[leader].start();
        node(&cluster, &survivor).await_ready();
        let repeated = cluster.nodes[(leader + 2) % 3].name.clone();
        crate::support::eventually::eventually(
            "it is replaced",
            crate::support::cluster::SOON,
            || {
                let answer = post_json(
                    node(&cluster, &repeated).http,
                    &path,
                    &json!({"with": "node-4"}).to_string(),
                )
                .ok()?;
                let code = answer.json()["code"].as_str().map(str::to_owned);
                (answer.status == 200
                    || matches!(code.as_deref(), Some("unknown_member" | "already_voter")))
                .then_some(())
            },
        );
        assert_eq!(
            cluster.nodes[replaced]
                .await_exit(crate::support::cluster::SOON)
                .code(),
            Some(76)
        );
        let mut names: Vec<&str> = ["node-1", "node-2", "node-3", "node-4"].to_vec();
        names.remove(replaced);
        await_voters(&cluster, &names);
        cluster.await_equal_state();
    }
}

#[test]
fn a_removal_is_ended_by_the_next_leader() {
    let mut cluster = Cluster::started(5, &[]);
    let leader = cluster.leader();
    let gone = (leader + 1) % 5;
    let path = format!("/v1/members/{}/remove", cluster.nodes[gone].name);
    let http = cluster.nodes[leader].http;
    let ordering = std::thread::spawn({
        let path = path.clone();
        move || post_json(http, &path, "").ok()
    });
    outlast(Duration::from_millis(12));
    cluster.nodes[leader].kill();
    drop(ordering.join().expect("the order ends"));
    let asked = &cluster.nodes[(leader + 2) % 5];
    crate::support::eventually::eventually("it is removed", crate::support::cluster::SOON, || {
        let answer = post_json(asked.http, &path, "").ok()?;
        let unknown = answer.json()["code"] == "unknown_member";
        (answer.status == 200 || unknown).then_some(())
    });
    assert_eq!(
        cluster.nodes[gone]
            .await_exit(crate::support::cluster::SOON)
            .code(),
        Some(76)
    );
    cluster.nodes[leader].start();
    let mut names = ["node-1", "node-2", "node-3", "node-4", "node-5"].to_vec();
    names.remove(gone);
    await_voters(&cluster, &names);
    cluster.await_equal_state();
    let _ = Null;
}
