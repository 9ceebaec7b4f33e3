//! What a node that cannot says, on Eureka's routes and ours.

use std::time::Duration;

use eureka_raft::http::Limits;
use eureka_raft::node::{ReadError, WriteError};

use crate::world::{World, instance};

#[tokio::test]
async fn a_refused_write_is_an_empty_503_that_says_whether_it_was_executed() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let table = [
        (WriteError::Overloaded, "not-executed", "overloaded", "1"),
        (WriteError::NoLeader, "not-executed", "no_leader", "2"),
        (WriteError::Unknown, "unknown", "unknown_outcome", "1"),
        (WriteError::Stopping, "not-executed", "stopping", "1"),
        (WriteError::DiskFull, "not-executed", "disk_full", "30"),
        (WriteError::DiskStalled, "not-executed", "disk_stalled", "1"),
        (WriteError::HashesSplit, "not-executed", "hashes_split", "3"),
    ];
    for (refusal, outcome, code, seconds) in table {
        *world.node.refuses_writes.lock().unwrap() = Some(refusal);
        for (method, target) in [
            ("PUT", "/eureka/apps/APP/i1"),
            ("DELETE", "/eureka/apps/APP/i1"),
            ("PUT", "/eureka/apps/APP/i1/status?value=DOWN"),
            ("PUT", "/eureka/apps/APP/i1/metadata?a=b"),
        ] {
            let answer = world.ask(method, target).await;
            assert_eq!(
                (answer.status, answer.body.len()),
                (503, 0),
                "{method} {target}"
            );
            assert_eq!(answer.header("x-eureka-raft-outcome"), Some(outcome));
            assert_eq!(answer.header("x-eureka-raft-error"), Some(code));
            let reason = match refusal {
                WriteError::DiskFull => Some("disk-full"),
                WriteError::DiskStalled => Some("disk-stalled"),
                WriteError::HashesSplit => Some("hashes-split"),
                _ => None,
            };
            assert_eq!(answer.header("x-eureka-raft-reason"), reason);
            assert_eq!(answer.header("retry-after"), Some(seconds));
            assert_eq!(answer.header("content-type"), None);
        }
        assert_eq!(
            world.post("APP", &instance("APP", "i2", "UP")).await.status,
            503
        );
    }
    assert_eq!(world.node.entries(), 1);
}

#[tokio::test]
async fn a_refused_read_is_503_empty_for_eureka_and_explained_under_v1() {
    let world = World::new().await;
    *world.node.refuses_reads.lock().unwrap() = Some(ReadError::NoLeader);
    for target in [
        "/eureka/apps",
        "/eureka/apps/delta",
        "/eureka/apps/A",
        "/eureka/vips/v",
        "/eureka/instances/i",
    ] {
        let answer = world.get(target).await;
        assert_eq!((answer.status, answer.body.len()), (503, 0), "{target}");
        assert_eq!(answer.header("x-eureka-raft-outcome"), Some("not-executed"));
    }
    let explained = world.get("/v1/changes?after=0").await;
    assert_eq!(
        (explained.status, &explained.json()["code"]),
        (503, &"no_leader".into())
    );
    for part in ["message", "hint"] {
        assert!(
            explained.json()[part]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{part}"
        );
    }
}

#[tokio::test]
async fn unknown_routes_under_v1_explain_themselves() {
    let world = World::new().await;
    let unknown = world.get("/v1/nothing").await;
    assert_eq!(
        (unknown.status, &unknown.json()["code"]),
        (404, &"not_found".into())
    );
    let wrong = world.ask("DELETE", "/v1/status").await;
    assert_eq!(
        (wrong.status, &wrong.json()["code"]),
        (405, &"method_not_allowed".into())
    );
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn a_min_index_not_reached_is_503() {
    let world = World::new().await;
    let index = world.register("APP", "i1").await.index();
    let ask = async |least: u64| {
        let least = least.to_string();
        let headers = [("X-Eureka-Raft-Min-Index", least.as_str())];
        world
            .send("GET", "/eureka/apps", &headers, b"")
            .await
            .status
    };
    assert_eq!(ask(index).await, 200);
    assert_eq!(ask(index + 1).await, 503);
}

#[tokio::test]
async fn a_local_answer_says_so_and_how_old_it_is() {
    let world = World::new().await;
    *world.node.lags.lock().unwrap() = Some(Duration::from_millis(250));
    let answer = world.get("/eureka/apps?consistency=local").await;
    assert_eq!(answer.header("x-eureka-raft-consistency"), Some("local"));
    assert_eq!(answer.header("x-eureka-raft-age-ms"), Some("250"));
    *world.node.lags.lock().unwrap() = None;
    let answer = world.get("/eureka/apps").await;
    assert_eq!(
        answer.header("x-eureka-raft-consistency"),
        Some("linearizable")
    );
    assert_eq!(answer.header("x-eureka-raft-age-ms"), None);
}

#[tokio::test]
async fn limits_are_what_the_manual_says() {
    let limits = Limits::default();
    assert_eq!(
        (limits.body_bytes_max, limits.connections_max),
        (256 * 1024, 20_000)
    );
    assert!(
        limits.idle_timeout > Duration::from_secs(30),
        "heartbeats keep their connection"
    );
    assert!(
        limits.answer_timeout < Duration::from_secs(5),
        "clients give up after 5 s"
    );
}
