//! P2: a read includes every write acknowledged before it, on any node, unless it asks for less.

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, outlast};
use crate::support::http::request;
use std::time::Duration;

#[test]
fn p2_a_write_on_one_node_is_seen_by_the_next_read_on_every_other() {
    let cluster = Cluster::started(3, &[]);
    for turn in 0..30 {
        let id = format!("i-{turn}");
        let written = cluster.nodes[turn % 3].register("SEEN", &id, 3_600);
        assert_eq!(written.status, 204);
        for node in &cluster.nodes {
            let answer = node.get(&format!("/eureka/apps/SEEN/{id}"));
            assert_eq!(answer.status, 200, "turn {turn} on {}", node.name);
            assert_eq!(
                answer.header("x-eureka-raft-consistency"),
                Some("linearizable")
            );
            assert!(answer.index() >= written.index());
        }
    }
}

#[test]
fn p2_without_a_quorum_reads_are_refused_and_weaker_ones_are_labelled() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(cluster.nodes[0].register("SEEN", "one", 3_600).status, 204);
    cluster.await_equal_state();
    cluster.nodes[1].kill();
    cluster.nodes[2].kill();
    let node = &cluster.nodes[0];
    // The survivor may still believe in its leadership for a moment: it must not answer all the same.
    let refused = node.get("/eureka/apps/SEEN");
    assert_eq!((refused.status, refused.body.len()), (503, 0));
    for mode in ["available", "local"] {
        let answer = node.get(&format!("/eureka/apps/SEEN?consistency={mode}"));
        assert_eq!(answer.status, 200, "{mode}");
        assert_eq!(
            answer.header("x-eureka-raft-consistency"),
            Some("local"),
            "{mode}"
        );
        assert!(answer.header("x-eureka-raft-age-ms").is_some(), "{mode}");
    }
    eventually("a node without a quorum is not ready", SOON, || {
        (node.get("/readyz").status == 503).then_some(())
    });
    let write = node.delete("/eureka/apps/SEEN/one");
    assert_eq!((write.status, write.body.len()), (503, 0));
    let outcome = write.header("x-eureka-raft-outcome").map(str::to_owned);
    assert!(
        matches!(outcome.as_deref(), Some("not-executed" | "unknown")),
        "{outcome:?}"
    );
    assert!(write.header("retry-after").is_some());
}

#[test]
fn p2_a_session_is_never_taken_back_by_another_node() {
    let cluster = Cluster::started(3, &[]);
    for turn in 0..20 {
        let written = cluster.nodes[turn % 3].register("SESSION", &format!("i-{turn}"), 3_600);
        let index = written.index().to_string();
        let other = &cluster.nodes[(turn + 1) % 3];
        let headers = [
            ("Accept", "application/json"),
            ("X-Eureka-Raft-Min-Index", index.as_str()),
        ];
        let answer = eventually("an answer at the wanted index", SOON, || {
            let path = format!("/eureka/apps/SESSION/i-{turn}?consistency=local");
            crate::support::http::send(other.http, "GET", &path, &headers, b"").ok()
        });
        assert_eq!(answer.status, 200);
        assert!(answer.index() >= written.index());
    }
}

#[test]
fn p2_a_survivor_that_restarts_alone_shows_what_it_had_and_says_how_old_it_is() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(cluster.nodes[1].register("SEEN", "one", 3_600).status, 204);
    cluster.await_equal_state();
    // The mark of what is known to be committed is written about once a second.
    outlast(Duration::from_secs(3));
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    cluster.nodes[0].start();
    let answer = eventually("an answer without a quorum", SOON, || {
        let path = "/eureka/apps/SEEN/one?consistency=local";
        request(cluster.nodes[0].http, "GET", path)
            .ok()
            .filter(|answer| answer.status != 503)
    });
    assert_eq!(
        answer.status, 200,
        "the registry was shown without what is on disk"
    );
    let age_ms: u64 = answer
        .header("x-eureka-raft-age-ms")
        .expect("an age")
        .parse()
        .unwrap();
    assert!((1..60_000).contains(&age_ms), "{age_ms}");
    assert_eq!(
        request(cluster.nodes[0].http, "GET", "/readyz")
            .unwrap()
            .status,
        503
    );
}
