//! Every write of Eureka's API: its status, its empty body, its place in the log.

use crate::client::Answer;
use crate::world::{JSON, JSON_BODY, World, instance};

fn assert_empty(answer: &Answer, status: u16, index: u64) {
    assert_eq!((answer.status, answer.text().as_str()), (status, ""));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.index(), index);
    assert_eq!(answer.header("x-eureka-raft-seq"), Some("0"));
    assert!(
        answer
            .header("x-eureka-raft-cluster")
            .is_some_and(|id| id.len() == 32)
    );
}

#[tokio::test]
async fn a_life_of_an_instance_has_eurekas_statuses() {
    let world = World::new().await;
    let path = "/eureka/apps/APP/i1";
    assert_empty(&world.register("APP", "i1").await, 204, 1);
    assert_empty(&world.ask("PUT", path).await, 200, 2);
    assert_empty(
        &world
            .ask("PUT", &format!("{path}/status?value=OUT_OF_SERVICE"))
            .await,
        200,
        3,
    );
    assert_empty(
        &world
            .ask("DELETE", &format!("{path}/status?value=UP"))
            .await,
        200,
        4,
    );
    assert_empty(
        &world
            .ask("PUT", &format!("{path}/metadata?a=1&b=x%20y"))
            .await,
        200,
        5,
    );
    let metadata = &world.get(path).await.json()["instance"]["metadata"];
    assert_eq!(
        metadata,
        &serde_json::json!({"zone": "z1", "a": "1", "b": "x y"})
    );
    assert_empty(&world.ask("DELETE", path).await, 200, 6);
    for (method, target) in [
        ("DELETE", path.to_owned()),
        ("PUT", path.to_owned()),
        ("PUT", format!("{path}/status?value=UP")),
        ("DELETE", format!("{path}/status")),
        ("PUT", format!("{path}/metadata?a=1")),
    ] {
        let answer = world.ask(method, &target).await;
        let index = world.node.entries();
        assert_empty(&answer, 404, index);
    }
    assert_eq!(world.get(path).await.status, 404);
}

#[tokio::test]
async fn a_renewal_is_404_when_the_client_is_newer_and_409_when_a_peer_is_older() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let renew = async |dirty: u64, headers: &[(&str, &str)]| {
        let target = format!("/eureka/apps/APP/i1?status=DOWN&lastDirtyTimestamp={dirty}");
        world.send("PUT", &target, headers, b"").await
    };
    let peer = [JSON, ("x-netflix-discovery-replication", "true")];
    let not_a_peer = [JSON, ("x-netflix-discovery-replication", "TRUE")];
    assert_eq!(renew(1000, &[JSON]).await.status, 200);
    assert_eq!(renew(999, &[JSON]).await.status, 200);
    assert_eq!(renew(1001, &[JSON]).await.status, 404);
    assert_eq!(renew(1000, &peer).await.status, 200);
    assert_eq!(renew(1001, &peer).await.status, 404);
    assert_eq!(renew(999, &not_a_peer).await.status, 200);
    let conflict = renew(999, &peer).await;
    assert_eq!(conflict.status, 409);
    assert_eq!(conflict.json()["instance"]["instanceId"], "i1");
    assert_eq!(conflict.header("content-type"), Some("application/json"));
    let as_xml = renew(999, &[peer[1]]).await;
    assert!(as_xml.text().starts_with("<instance>"), "{}", as_xml.text());
}

#[tokio::test]
async fn a_renewal_ignores_its_body_and_a_status_of_unknown_is_404() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let body = world
        .send("PUT", "/eureka/apps/APP/i1", &[JSON, JSON_BODY], b"{}")
        .await;
    assert_eq!(body.status, 200);
    let odd = [("Content-Type", "text/nonsense")];
    assert_eq!(
        world
            .send("PUT", "/eureka/apps/APP/i1", &odd, b"\xff\xfe")
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .ask("PUT", "/eureka/apps/APP/i1/status?value=DOWN")
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .ask("DELETE", "/eureka/apps/APP/i1/status")
            .await
            .status,
        200
    );
    assert_eq!(
        world.get("/eureka/apps/APP/i1").await.json()["instance"]["status"],
        "UNKNOWN"
    );
    assert_eq!(world.ask("PUT", "/eureka/apps/APP/i1").await.status, 404);
}

#[tokio::test]
async fn application_names_have_no_case_and_ids_have() {
    let world = World::new().await;
    let body = instance("app", "i1", "UP");
    assert_eq!(world.post("aPp", &body).await.status, 204);
    assert_eq!(world.ask("PUT", "/eureka/apps/App/i1").await.status, 200);
    assert_eq!(world.ask("PUT", "/eureka/apps/APP/I1").await.status, 404);
    assert_eq!(
        world.get("/eureka/apps/app").await.json()["application"]["name"],
        "APP"
    );
}

#[tokio::test]
async fn a_registration_needs_a_content_type_we_read() {
    let world = World::new().await;
    let body = instance("APP", "i1", "UP");
    let table = [
        (None, 415),
        (Some("text/plain"), 415),
        (Some("text/json"), 415),
        (Some("application/json; charset=utf-16"), 415),
        (Some("application/json; charset=utf-8"), 204),
        (Some("Application/JSON"), 204),
    ];
    for (kind, status) in table {
        let headers: Vec<(&str, &str)> = kind
            .map(|kind| ("Content-Type", kind))
            .into_iter()
            .collect();
        let answer = world
            .send("POST", "/eureka/apps/APP", &headers, body.as_bytes())
            .await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{kind:?}");
    }
}
