//! What operators ask: status, members, probes, metrics, and Eureka's own status pages.

use eureka_raft::node::Readiness;

use crate::world::{World, instance};

#[tokio::test]
async fn the_status_is_that_of_the_node_and_has_the_documented_keys() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let answer = world.get("/v1/status").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    let status = answer.json();
    for path in [
        "/version",
        "/node/name",
        "/node/id",
        "/node/role",
        "/cluster/id",
        "/cluster/leader",
        "/cluster/term",
        "/cluster/voters",
        "/cluster/learners",
        "/log/last",
        "/log/committed",
        "/log/applied",
        "/log/snapshot",
        "/log/purged",
        "/log/snapshot_receiving",
        "/log/snapshots_refused",
        "/state/index",
        "/state/hash",
        "/registry/applications",
        "/registry/instances",
        "/protection/enabled",
        "/protection/active",
        "/protection/leases",
        "/protection/silent",
        "/protection/allowed_silent",
        "/delta/oldest_index",
        "/alarms",
    ] {
        assert!(status.pointer(path).is_some(), "{path} in {status}");
    }
    assert_eq!(answer.index(), 1);
    let members = world.get("/v1/members").await.json();
    assert_eq!(members["members"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_node_that_is_not_ready_lives_but_wants_no_traffic() {
    let world = World::new().await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for target in ["/livez", "/readyz", "/eureka/healthcheck"] {
            statuses.push(world.get(target).await.status);
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 200, 200]);
    let reasons = vec!["no leader is known".to_owned()];
    *world.node.ready.lock().unwrap() = Readiness {
        ready: false,
        reasons,
    };
    assert_eq!(statuses().await, [200, 503, 503]);
    assert_eq!(world.get("/readyz").await.text(), "not ready\n");
    assert_eq!(
        world.get("/readyz?verbose").await.text(),
        "not ready\n[-] no leader is known\n"
    );
}

#[tokio::test]
async fn metrics_count_requests_writes_and_instances() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    world.post("APP", &instance("APP", "i2", "DOWN")).await;
    world.ask("PUT", "/eureka/apps/APP/none").await;
    world.ask("BREW", "/eureka/apps/APP/i1").await;
    world.get("/some/path/nobody/knows").await;
    let text = world.get("/metrics").await.text();
    for line in [
        r#"eureka_raft_http_requests_total{route="apps/{app}",method="POST",code="204"} 2"#,
        r#"eureka_raft_http_requests_total{route="apps/{app}/{id}",method="PUT",code="404"} 1"#,
        r#"eureka_raft_http_requests_total{route="apps/{app}/{id}",method="other",code="405"} 1"#,
        r#"eureka_raft_http_requests_total{route="unknown",method="GET",code="404"} 1"#,
        r#"eureka_raft_writes_total{kind="registration",result="done"} 2"#,
        r#"eureka_raft_writes_total{kind="renewal",result="not_found"} 1"#,
        r#"eureka_raft_instances{status="UP"} 1"#,
        r#"eureka_raft_instances{status="DOWN"} 1"#,
        r#"eureka_raft_instances{status="STARTING"} 0"#,
        "eureka_raft_apps 1",
        "eureka_raft_raft_is_leader 1",
        "eureka_raft_raft_applied_index 3",
        "eureka_raft_protection_active 0",
        "eureka_raft_http_connections 1",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} in:\n{text}"
        );
    }
    assert!(
        text.contains(r#"eureka_raft_http_request_duration_seconds_count{route="apps/{app}"} 2"#),
        "{text}"
    );
    assert!(!text.contains("APP"), "no series by application");
}

#[tokio::test]
async fn eurekas_status_names_the_other_members_as_replicas() {
    let world = World::new().await;
    let json = world.get("/eureka/status").await.json();
    let text = json.to_string();
    assert!(text.contains("http://127.0.0.1:8762/eureka/"), "{text}");
    assert!(
        !text.contains("http://127.0.0.1:8761/eureka/"),
        "not itself: {text}"
    );
    let xml = world.send("GET", "/eureka/status", &[], b"").await;
    assert_eq!(xml.header("content-type"), Some("application/xml"));
}

#[tokio::test]
async fn status_overrides_list_who_has_one() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    world.register("APP", "i2").await;
    assert_eq!(
        world.get("/eureka/serverinfo/statusoverrides").await.text(),
        "{}"
    );
    world
        .ask("PUT", "/eureka/apps/APP/i1/status?value=OUT_OF_SERVICE")
        .await;
    let overrides = world.get("/eureka/serverinfo/statusoverrides").await;
    assert_eq!(overrides.text(), r#"{"i1":"OUT_OF_SERVICE"}"#);
}
