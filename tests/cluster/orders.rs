//! Giving orders to a cluster, and waiting for what comes of them.
//!
//! Owns the JSON of the routes, and repeats an order as an operator would while it is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Node, SOON};
use crate::support::eventually::eventually;
use crate::support::http::{Answer, post_json, request};
use crate::support::instance;

/// An empty order has an empty body.
fn text_of(body: &Value) -> String {
    if body.is_null() {
        return String::new();
    }
    body.to_string()
}

/// Gives an order to one node, once.
pub(crate) fn order(node: &Node, path: &str, body: &Value) -> Answer {
    post_json(node.http, path, &text_of(body)).expect("an answer")
}

/// Refusals that pass by themselves.
const PASSING: [&str; 6] = [
    "change_in_progress",
    "no_leader",
    "unknown_outcome",
    "not_caught_up",
    "not_alive",
    "quorum_at_risk",
];

/// Gives an order to one node and repeats it until it is done. A change under way, a leader that is
/// missing and a learner that is behind are waited for.
pub(crate) fn order_done(node: &Node, path: &str, body: &Value) -> Value {
    eventually(&format!("{path} {body} is done"), SOON, || {
        let answer = post_json(node.http, path, &text_of(body)).ok()?;
        let said = answer.json();
        match answer.status {
            200 if said["done"] == true => Some(said),
            200 | 202 => None,
            _ if PASSING.iter().any(|code| said["code"] == *code) => None,
            status => panic!("{path} {body}: {status} {said}"),
        }
    })
}

/// The code of a refusal.
pub(crate) fn refusal(node: &Node, path: &str, body: &Value) -> String {
    let answer = order(node, path, body);
    assert!(
        answer.status >= 400,
        "{path}: {} {}",
        answer.status,
        answer.text()
    );
    answer.json()["code"].as_str().expect("a code").to_owned()
}

/// What a node says of its members, `name` to `role/seat`.
pub(crate) fn members(node: &Node) -> Option<Vec<(String, String)>> {
    let answer = request(node.http, "GET", "/v1/members").ok()?;
    let rows = answer.json()["members"].as_array()?.clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(
        rows.iter()
            .map(|row| (text(&row["name"]), text(&row["role"])))
            .collect(),
    )
}

/// One member's row as `node` shows it.
pub(crate) fn member(node: &Node, name: &str) -> Option<Value> {
    let answer = request(node.http, "GET", "/v1/members").ok()?;
    let rows = answer.json()["members"].as_array()?.clone();
    rows.into_iter().find(|row| row["name"] == name)
}

/// Waits until every running node knows exactly these voters, one of which leads.
pub(crate) fn await_voters(cluster: &Cluster, names: &[&str]) {
    let mut wanted: Vec<&str> = names.to_vec();
    wanted.sort_unstable();
    eventually(&format!("the voters are {wanted:?}"), SOON, || {
        let running = cluster.nodes.iter().filter(|node| node.is_running());
        for node in running {
            let mut rows = members(node)?;
            rows.sort();
            let voters: Vec<&str> = rows
                .iter()
                .filter(|(_, role)| role != "learner")
                .map(|(name, _)| name.as_str())
                .collect();
            let led = rows.iter().any(|(_, role)| role == "leader");
            if voters != wanted || !led {
                return None;
            }
        }
        Some(())
    });
}

/// The node called `name` that runs.
pub(crate) fn node<'c>(cluster: &'c Cluster, name: &str) -> &'c Node {
    cluster
        .nodes
        .iter()
        .find(|node| node.name == name && node.is_running())
        .expect("a running node of that name")
}

/// Registrations that go on while members change, on any node that takes them.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    worker: JoinHandle<Vec<String>>,
}

impl Load {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client waits in a thread of its own"
    )]
    pub(crate) fn on(addresses: Vec<std::net::SocketAddr>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let worker = std::thread::spawn(move || {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("load-{number}");
                let to = addresses[number % addresses.len()];
                let body = instance::body("LOAD", &id, 3_600);
                if post_json(to, "/eureka/apps/LOAD", &body)
                    .is_ok_and(|answer| answer.status == 204)
                {
                    acknowledged.push(id);
                }
            }
            acknowledged
        });
        Self { stop, worker }
    }

    /// Ends the load; every acknowledged registration must be on every running node.
    pub(crate) fn nothing_is_lost(self, cluster: &Cluster) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let acknowledged = self.worker.join().expect("the load ends");
        cluster.await_equal_state();
        for node in cluster.nodes.iter().filter(|node| node.is_running()) {
            let list = node.get("/eureka/apps/LOAD?consistency=local").text();
            for id in &acknowledged {
                assert!(
                    list.contains(&format!("\"{id}\"")),
                    "{} has lost {id}",
                    node.name
                );
            }
        }
        acknowledged.len()
    }
}

/// The body of `POST /v1/members`.
pub(crate) fn invitation(node: &Node, seat: &str) -> Value {
    json!({"name": node.name, "peer": node.peer.to_string(), "learner": seat == "learner"})
}
