//! A legacy Eureka server's batches, to any node, while leaders die.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::eventually;
use crate::support::http::{Answer, post_json};
use crate::support::instance;

const ON: &str = "compat.peer_replication=true";

fn register(app: &str, id: &str) -> Value {
    let body = instance::body(app, id, 3_600);
    let document: Value = serde_json::from_str(&body).expect("the support's own JSON");
    json!({"appName": app, "id": id, "action": "Register", "instanceInfo": document["instance"]})
}

fn about(action: &str, app: &str, id: &str) -> Value {
    json!({"appName": app, "id": id, "action": action})
}

fn send(to: std::net::SocketAddr, items: &[Value]) -> Option<Answer> {
    let body = json!({ "replicationList": items }).to_string();
    post_json(to, "/eureka/peerreplication/batch/", &body).ok()
}

fn statuses(answer: &Answer) -> Vec<u64> {
    let list = answer.json()["responseList"].clone();
    let status = |item: &Value| item["statusCode"].as_u64().expect("a status");
    list.as_array()
        .expect("a list")
        .iter()
        .map(status)
        .collect()
}

#[test]
fn a_batch_may_go_to_any_node_and_keeps_its_order_over_many_entries() {
    // So small that one instance's items are spread over entries.
    let cluster = Cluster::started(3, &[ON, "limits.batch_commands=2"]);
    let items = |app: &str| {
        vec![
            register(app, "a"),
            about("Heartbeat", app, "a"),
            about("Cancel", app, "a"),
            about("Heartbeat", app, "a"),
            register(app, "a"),
            register(app, "b"),
            about("Cancel", app, "b"),
            about("Cancel", app, "b"),
            about("Heartbeat", app, "a"),
        ]
    };
    for (i, node) in cluster.nodes.iter().enumerate() {
        let app = format!("ORDER-{i}");
        let answer = send(node.http, &items(&app)).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            statuses(&answer),
            [200, 200, 200, 404, 200, 200, 200, 404, 200]
        );
        // The node that answered has applied all of it.
        let shown = node.get(&format!("/eureka/apps/{app}?consistency=local"));
        let instances = &shown.json()["application"]["instance"];
        assert_eq!(instances.as_array().map(Vec::len), Some(1));
    }
    cluster.await_equal_state();
}

/// Sends 40 batches of 25 registrations as a Java peer does: the same one again after 503, and after
/// nothing else.
fn replicate(to: std::net::SocketAddr) {
    for batch in 0..40 {
        let items: Vec<Value> = (0..25)
            .map(|i| register("KILLED", &format!("i-{batch}-{i}")))
            .collect();
        eventually("the batch is taken", SOON, || {
            let answer = send(to, &items).expect("the follower lives");
            if answer.status == 200 {
                assert!(statuses(&answer).iter().all(|status| *status == 200));
                return Some(());
            }
            assert_eq!((answer.status, answer.body.len()), (503, 0));
            let outcome = answer.header("x-eureka-raft-outcome");
            assert!(matches!(outcome, Some("unknown" | "not-executed")));
            None
        });
    }
}

#[test]
fn a_batch_in_flight_when_the_leader_dies_is_503_or_done_and_may_be_sent_again() {
    let mut cluster = Cluster::started(3, &[ON]);
    let leader = cluster.leader();
    let to = cluster.nodes[cluster.follower()].http;
    let at = cluster
        .nodes
        .iter()
        .position(|node| node.http == to)
        .unwrap();
    let count = |cluster: &Cluster| cluster.nodes[at].status()?["registry"]["instances"].as_u64();
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || replicate(to));
        eventually("some batches are done", SOON, || {
            count(&cluster).filter(|instances| *instances >= 100)
        });
        cluster.nodes[leader].kill();
        sender.join().expect("every batch is taken in the end");
    });
    assert_eq!(count(&cluster), Some(1_000), "each exactly once");
}
