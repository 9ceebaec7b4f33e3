//! How a node comes in: by itself, invited, as a learner, in the place of another; and who may not.

use std::time::Duration;

use serde_json::Value::Null;
use serde_json::json;

use eureka_raft::store::DirFiles;
use eureka_raft::store::identity::{IdentityFile, JoinMark};

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, outlast};
use crate::support::http::request;

use super::orders::{await_voters, invitation, member, order, order_done, refusal};

const THREE: [&str; 3] = ["node-1", "node-2", "node-3"];

#[test]
fn a_learner_that_was_invited_stays_one_serves_clients_and_votes_when_promoted() {
    let mut cluster = Cluster::started(3, &[]);
    let place = cluster.newcomer("node-4");
    // The invitation comes first: nobody answers there yet.
    let body = invitation(&cluster.nodes[place], "learner");
    let early = order(&cluster.nodes[1], "/v1/members", &body);
    assert_eq!(
        (early.status, early.json()["done"] == false),
        (202, true),
        "{}",
        early.text()
    );
    cluster.nodes[place].start();
    let report = order_done(&cluster.nodes[2], "/v1/members", &body);
    assert_eq!(report["after"]["learners"], json!(["node-4"]));
    let learner = &cluster.nodes[place];
    learner.await_ready();
    // The steward has looked several times at a learner that is fit.
    outlast(Duration::from_millis(1_500));
    let row = member(learner, "node-4").expect("a member");
    assert_eq!(
        (&row["role"], &row["seat"]),
        (&json!("learner"), &json!("learner"))
    );
    assert_eq!(
        learner.status().expect("a status")["node"]["role"],
        "learner"
    );
    assert_eq!(learner.register("LEARN", "one", 3_600).status, 204);
    let read = learner.get("/eureka/apps/LEARN/one");
    assert_eq!(
        (read.status, read.header("x-eureka-raft-consistency")),
        (200, Some("linearizable"))
    );
    assert_eq!(cluster.nodes[0].get("/eureka/apps/LEARN/one").status, 200);
    let asked = order_done(learner, "/v1/members/node-4/promote", &Null);
    assert_eq!(asked["before"]["voters"], json!(THREE));
    await_voters(&cluster, &["node-1", "node-2", "node-3", "node-4"]);
    assert_eq!(
        refusal(learner, "/v1/members/node-4/promote", &Null),
        "already_voter"
    );
    assert_eq!(refusal(learner, "/v1/members", &body), "already_voter");
}

#[test]
fn an_order_to_add_may_come_after_the_node_and_any_number_of_times() {
    let mut cluster = Cluster::started(1, &[]);
    let place = cluster.newcomer("node-2");
    cluster.nodes[place].start();
    let body = invitation(&cluster.nodes[place], "voter");
    for _ in 0..3 {
        let report = order_done(&cluster.nodes[0], "/v1/members", &body);
        assert_eq!(report["after"]["voters"], json!(["node-1", "node-2"]));
    }
    let id = member(&cluster.nodes[0], "node-2").expect("a member")["id"].clone();
    // Restarted, it is who it was, whatever its configuration says of joining.
    cluster.nodes[place].kill();
    cluster.nodes[place].start();
    cluster.await_ready();
    await_voters(&cluster, &["node-1", "node-2"]);
    assert_eq!(
        member(&cluster.nodes[0], "node-2").expect("a member")["id"],
        id
    );
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let mut cluster = Cluster::started(3, &[]);
    let place = cluster.newcomer("node-4");
    let body = invitation(&cluster.nodes[place], "voter");
    assert_eq!(
        refusal(&cluster.nodes[0], "/v1/members?dry_run=true", &body),
        "unreachable"
    );
    let before = cluster.nodes[0].get("/v1/members").json()["members"].clone();
    let removal = order(
        &cluster.nodes[0],
        "/v1/members/node-2/remove?dry_run=true",
        &Null,
    );
    let report = removal.json();
    assert_eq!((removal.status, &report["done"]), (200, &json!(false)));
    assert_eq!(report["before"]["quorum"], 2);
    assert_eq!(report["after"]["voters"], json!(["node-1", "node-3"]));
    assert_eq!(report["after"]["quorum"], 2);
    let transfer = order(&cluster.nodes[0], "/v1/leader/transfer?dry_run=true", &Null).json();
    assert_eq!(transfer["done"], false);
    let names = |rows: &serde_json::Value| -> Vec<String> {
        rows.as_array()
            .expect("rows")
            .iter()
            .map(|row| format!("{} {}", row["name"], row["role"]))
            .collect()
    };
    let after = cluster.nodes[0].get("/v1/members").json()["members"].clone();
    assert_eq!(names(&before), names(&after));
}

#[test]
fn a_name_another_data_directory_has_is_refused_with_what_to_do() {
    let mut cluster = Cluster::started(3, &[]);
    let place = cluster.newcomer("node-2");
    let body = invitation(&cluster.nodes[place], "voter");
    cluster.nodes[place].start();
    let impostor = &mut cluster.nodes[place];
    assert_eq!(
        impostor.await_exit(SOON).code(),
        Some(77),
        "{}",
        impostor.log()
    );
    let log = cluster.nodes[place].log();
    for command in [
        "eureka-raft recover replace-disk",
        "eureka-raft members remove",
    ] {
        assert!(log.contains(command), "{command} in {log}");
    }
    // Nothing has changed, and an order to add the name finds the member there is.
    let report = order_done(&cluster.nodes[0], "/v1/members", &body);
    assert_eq!(report["before"], report["after"]);
    await_voters(&cluster, &THREE);
}

#[test]
fn who_belongs_elsewhere_or_does_not_want_to_join_is_left_alone() {
    let cluster = Cluster::started(1, &[]);
    let other = Cluster::started(1, &[]);
    let mut undecided = Cluster::new(2, &[]);
    undecided.nodes[1].start();
    let home = &cluster.nodes[0];
    let foreign = json!({"name": "node-1", "peer": other.nodes[0].peer.to_string()});
    assert_eq!(
        refusal(
            home,
            "/v1/members",
            &json!({"name": "node-7", "peer": foreign["peer"]})
        ),
        "foreign_cluster"
    );
    let waiting = json!({"name": "node-2", "peer": undecided.nodes[1].peer.to_string()});
    eventually("node-2 of the other list listens", SOON, || {
        request(undecided.nodes[1].http, "GET", "/livez").ok()
    });
    assert_eq!(refusal(home, "/v1/members", &waiting), "not_joining");
    let misnamed = json!({"name": "node-9", "peer": undecided.nodes[1].peer.to_string()});
    assert_eq!(refusal(home, "/v1/members", &misnamed), "wrong_node");
    let itself = json!({"name": "node-9", "peer": home.peer.to_string()});
    assert_eq!(refusal(home, "/v1/members", &itself), "wrong_node");
    await_voters(&cluster, &["node-1"]);
}

#[test]
fn a_newcomer_that_gives_another_nodes_address_is_told_so() {
    let mut cluster = Cluster::started(1, &[]);
    let place = cluster.newcomer("node-2");
    let wrong = format!("node.advertise_peer=\"{}\"", cluster.nodes[0].peer);
    cluster.nodes[place].set(&wrong);
    cluster.nodes[place].start();
    let newcomer = &mut cluster.nodes[place];
    assert_eq!(
        newcomer.await_exit(SOON).code(),
        Some(78),
        "{}",
        newcomer.log()
    );
    assert!(newcomer.log().contains("answers at"), "{}", newcomer.log());
    await_voters(&cluster, &["node-1"]);
}

#[test]
fn a_newcomer_that_finds_nobody_waits_and_says_where_it_asked() {
    let mut cluster = Cluster::new(1, &[]);
    let place = cluster.newcomer("node-2");
    cluster.nodes[place].start();
    let founder = cluster.nodes[0].peer.to_string();
    eventually("it says whom it waits for", SOON, || {
        let answer = request(cluster.nodes[place].http, "GET", "/readyz?verbose").ok()?;
        (answer.status == 503 && answer.text().contains(&founder)).then_some(())
    });
    cluster.nodes[0].start();
    cluster.await_ready();
    await_voters(&cluster, &["node-1", "node-2"]);
}

/// What `recover replace-disk` prepares: an empty directory that stands for the member whose disk is lost.
#[test]
fn a_node_with_a_new_disk_takes_the_place_of_its_old_self_in_one_change() {
    let mut cluster = Cluster::started(3, &[]);
    let via = cluster.nodes[..2].iter().map(|node| node.peer.to_string());
    let via: Vec<String> = via.collect();
    let old = member(&cluster.nodes[0], "node-3").expect("a member")["id"].clone();
    cluster.nodes[2].kill();
    cluster.nodes[2].wipe();
    let files = DirFiles::open(&cluster.nodes[2].data).expect("an empty directory");
    let identity = IdentityFile::create(std::sync::Arc::new(files), "node-3", 0xD15C);
    let mark = JoinMark {
        via,
        replaces: old.as_u64(),
    };
    let marked = identity
        .expect("an identity")
        .update(|it| it.join = Some(mark));
    marked.expect("the mark is stored");
    // Its configuration still lists the initial members: the mark goes before it.
    cluster.nodes[2].start();
    cluster.nodes[2].await_ready();
    await_voters(&cluster, &THREE);
    let new = member(&cluster.nodes[0], "node-3").expect("a member");
    assert_ne!(new["id"], old);
    assert_eq!(cluster.nodes[2].register("DISK", "one", 3_600).status, 204);
    cluster.await_equal_state();
}
