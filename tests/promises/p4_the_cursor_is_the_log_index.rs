//! P4 and P5: a change stream read by cursor has no gap and no duplicate on any node; a delta never
//! disagrees with its hash code.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::http::Answer;

/// A consumer that keeps a copy by deltas, moving to another node at each step.
#[derive(Default)]
struct Consumer {
    cursor: u64,
    statuses: BTreeMap<String, String>,
}

impl Consumer {
    fn take(&mut self, answer: &Answer) {
        let applications = &answer.json()["applications"];
        for application in applications["application"]
            .as_array()
            .expect("always an array")
        {
            for instance in application["instance"].as_array().expect("always an array") {
                self.apply(instance);
            }
        }
        self.cursor = answer.index();
        let hash = applications["apps__hashcode"].as_str().expect("a string");
        assert_eq!(
            self.hash_code(),
            hash,
            "P5: the copy and the hash code disagree at {}",
            self.cursor
        );
    }

    fn apply(&mut self, instance: &Value) {
        let key = format!("{}/{}", instance["app"], instance["instanceId"]);
        match instance["actionType"].as_str() {
            Some("DELETED") => self.statuses.remove(&key),
            _ => self.statuses.insert(
                key,
                instance["status"].as_str().expect("a status").to_owned(),
            ),
        };
    }

    fn hash_code(&self) -> String {
        let mut counts = BTreeMap::new();
        for status in self.statuses.values() {
            *counts.entry(status.clone()).or_insert(0) += 1;
        }
        counts
            .into_iter()
            .map(|(status, count)| format!("{status}_{count}_"))
            .collect()
    }
}

#[test]
fn p4_a_cursor_that_moves_between_nodes_and_outlives_a_leader_misses_nothing() {
    let mut cluster = Cluster::started(3, &[]);
    let mut consumer = Consumer::default();
    let mut dead = None;
    for turn in 0_usize..45 {
        if turn == 20 {
            let leader = cluster.leader();
            cluster.nodes[leader].kill();
            cluster.leader();
            dead = Some(leader);
        }
        if turn == 35 {
            cluster.start_all();
            cluster.await_ready();
            dead = None;
        }
        let alive: Vec<usize> = (0..3).filter(|&i| Some(i) != dead).collect();
        let writer = &cluster.nodes[alive[turn % alive.len()]];
        let id = format!("i-{}", turn / 3);
        let written = match turn % 3 {
            0 => writer.register("CURSOR", &id, 3_600),
            1 => writer.put(&format!(
                "/eureka/apps/CURSOR/{id}/status?value=OUT_OF_SERVICE"
            )),
            _ if turn % 2 == 0 => writer.delete(&format!("/eureka/apps/CURSOR/{id}")),
            _ => continue,
        };
        assert!(written.status < 300, "turn {turn}: {}", written.status);
        let reader = &cluster.nodes[alive[(turn + 1) % alive.len()]];
        let answer = reader.get(&format!("/eureka/apps/delta?since={}", consumer.cursor));
        assert_eq!(answer.status, 200, "turn {turn}");
        consumer.take(&answer);
    }
    assert!(consumer.statuses.len() >= 7);
}

#[test]
fn p4_a_cursor_older_than_the_history_is_410_and_names_where_to_go_on() {
    let cluster = Cluster::started(1, &["delta.retention_changes=10"]);
    let node = &cluster.nodes[0];
    for i in 0..30 {
        assert_eq!(node.register("OLD", &format!("i-{i}"), 3_600).status, 204);
    }
    let gone = node.get("/eureka/apps/delta?since=1");
    assert_eq!((gone.status, gone.body.len()), (410, 0));
    let oldest: u64 = gone
        .header("x-eureka-raft-oldest-index")
        .expect("the oldest cursor")
        .parse()
        .unwrap();
    assert_eq!(
        node.get(&format!("/eureka/apps/delta?since={oldest}"))
            .status,
        200
    );
    assert_eq!(
        node.get(&format!("/eureka/apps/delta?since={}", oldest - 1))
            .status,
        410
    );
}

#[test]
fn p4_a_cursor_that_was_never_committed_is_400() {
    let cluster = Cluster::started(3, &[]);
    for node in &cluster.nodes {
        let answer = node.get("/eureka/apps/delta?since=1000000");
        assert_eq!((answer.status, answer.body.len()), (400, 0));
    }
}

#[test]
fn p4_a_cursor_of_another_cluster_is_410() {
    let cluster = Cluster::started(1, &[]);
    let node = &cluster.nodes[0];
    let own = node
        .get("/eureka/apps/delta")
        .header("x-eureka-raft-cluster")
        .expect("the cluster")
        .to_owned();
    assert_eq!(
        node.get(&format!("/eureka/apps/delta?since=0&cluster={own}"))
            .status,
        200
    );
    let other = "00000000000000000000000000000001";
    assert_eq!(
        node.get(&format!("/eureka/apps/delta?since=0&cluster={other}"))
            .status,
        410
    );
}
