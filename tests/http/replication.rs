//! `peerreplication/batch`, as the released Spring 5 server answered the same requests.

use eureka_raft::http::Limits;
use eureka_raft::node::WriteError;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::world::{JSON, JSON_BODY, World, instance};

const BATCH: &str = "/eureka/peerreplication/batch/";

async fn a_peer() -> World {
    World::with(Limits {
        replication_bytes_max: Some(256 * 1024),
        ..Limits::default()
    })
    .await
}

async fn send(world: &World, body: &str) -> Answer {
    world
        .send("POST", BATCH, &[JSON, JSON_BODY], body.as_bytes())
        .await
}

async fn batch(world: &World, items: &[Value]) -> Answer {
    send(world, &json!({ "replicationList": items }).to_string()).await
}

/// The status of every item, of a batch that is answered.
async fn statuses(world: &World, items: &[Value]) -> Vec<u64> {
    let answer = batch(world, items).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json()["responseList"].as_array().unwrap().clone();
    assert_eq!(list.len(), items.len(), "the peer ignores another length");
    list.iter()
        .map(|item| item["statusCode"].as_u64().unwrap())
        .collect()
}

/// An item about `i1` of `APP`, with more or other members.
fn item(action: &str, more: &Value) -> Value {
    let mut item = json!({"appName": "APP", "id": "i1", "action": action});
    for (key, value) in more.as_object().unwrap() {
        item[key] = value.clone();
    }
    item
}

/// The instance of a registration, without its wrapper, with other members; `null` takes one away.
fn info(id: &str, other: &Value) -> Value {
    let mut document: Value = serde_json::from_str(&instance("APP", id, "UP")).unwrap();
    let mut info = document["instance"].take();
    for (key, value) in other.as_object().unwrap() {
        match value {
            Value::Null => drop(info.as_object_mut().unwrap().remove(key)),
            value => info[key] = value.clone(),
        }
    }
    info
}

fn register(id: &str, other: &Value) -> Value {
    let more = json!({"id": id, "lastDirtyTimestamp": 1000, "status": "UP", "overriddenStatus": "UNKNOWN",
        "instanceInfo": info(id, other)});
    item("Register", &more)
}

#[tokio::test]
async fn a_mixed_batch_has_a_status_for_each_item_in_order_and_is_one_entry() {
    let world = a_peer().await;
    let items = [
        register("i1", &json!({})),
        item(
            "Heartbeat",
            &json!({"lastDirtyTimestamp": 1000, "status": "UP"}),
        ),
        item("Heartbeat", &json!({"lastDirtyTimestamp": 999})),
        item("Heartbeat", &json!({"lastDirtyTimestamp": 1001})),
        item("Heartbeat", &json!({"id": "no"})),
        item("Cancel", &json!({"id": "no"})),
        item(
            "StatusUpdate",
            &json!({"status": "OUT_OF_SERVICE", "lastDirtyTimestamp": 1000}),
        ),
        item("StatusUpdate", &json!({"id": "no", "status": "UP"})),
        item(
            "DeleteStatusOverride",
            &json!({"status": "UP", "lastDirtyTimestamp": 1000}),
        ),
        register("i2", &json!({})),
        item("Cancel", &json!({"id": "i2"})),
        item("Heartbeat", &json!({"id": "i2"})),
    ];
    let answer = batch(&world, &items).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!((answer.index(), world.node.entries()), (1, 1));
    let text = answer.text();
    let codes: Vec<u64> = answer.json()["responseList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["statusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(
        codes,
        [200, 200, 409, 404, 404, 404, 200, 404, 200, 200, 200, 404]
    );
    let conflict =
        r#"{"statusCode":409,"responseEntity":{"instanceId":"i1","hostName":"h1","app":"APP""#;
    assert!(text.contains(conflict), "{text}");
    assert_eq!(text.matches("responseEntity").count(), 1);
    assert_eq!(world.node.view().instance_count(), 1);
}

#[tokio::test]
async fn an_item_means_what_the_peers_single_request_means() {
    let world = a_peer().await;
    let alone = World::new().await;
    // UP replaces a client's OUT_OF_SERVICE only when a peer says it.
    let steps = [("OUT_OF_SERVICE", 200), ("UP", 200)];
    for (status, code) in steps {
        let other = json!({"status": status});
        let body = json!({"instance": info("i1", &other)}).to_string();
        let peer = [JSON, JSON_BODY, ("x-netflix-discovery-replication", "true")];
        let single = alone
            .send("POST", "/eureka/apps/APP", &peer, body.as_bytes())
            .await;
        assert_eq!(single.status, 204);
        assert_eq!(statuses(&world, &[register("i1", &other)]).await, [code]);
        let shown = |answer: Answer| answer.json()["instance"]["status"].clone();
        assert_eq!(
            shown(world.get("/eureka/apps/APP/i1").await),
            shown(alone.get("/eureka/apps/APP/i1").await)
        );
    }
    let newer = json!({"lastDirtyTimestamp": 2000, "overriddenStatus": "OUT_OF_SERVICE"});
    assert_eq!(statuses(&world, &[item("Heartbeat", &newer)]).await, [404]);
    let held = world.get("/eureka/apps/APP/i1").await.json();
    assert_eq!(held["instance"]["overriddenStatus"], "OUT_OF_SERVICE");
}

/// D-71, D-72.
#[tokio::test]
async fn a_refused_registration_is_200_without_effect_and_a_lame_item_is_400() {
    let world = a_peer().await;
    world.register("APP", "i1").await;
    let long = "x".repeat(1_025);
    let table = [
        (register("i9", &json!({"app": "OTHER"})), 200),
        (register("i9", &json!({"hostName": null})), 200),
        (register("i9", &json!({"dataCenterInfo": null})), 200),
        (item("Register", &json!({})), 400),
        (item("Register", &json!({"instanceInfo": null})), 400),
        (register(&long, &json!({})), 400),
        (json!({"appName": "APP", "id": "i1"}), 400),
        (item("Heartbeat", &json!({"appName": null})), 400),
        (item("Heartbeat", &json!({"id": null})), 400),
        (item("Cancel", &json!({"id": "a\u{0}b"})), 400),
        (item("StatusUpdate", &json!({})), 400),
        (item("StatusUpdate", &json!({"status": "bogus"})), 400),
        (item("DeleteStatusOverride", &json!({"status": "UP"})), 400),
        (
            item(
                "DeleteStatusOverride",
                &json!({"status": "bogus", "lastDirtyTimestamp": 1}),
            ),
            400,
        ),
    ];
    for (item, status) in table {
        assert_eq!(
            statuses(&world, std::slice::from_ref(&item)).await,
            [status],
            "{item}"
        );
        assert_eq!(world.node.entries(), 1, "{item}");
    }
    let table = [
        (json!({"appName": ""}), 404),
        (json!({"lastDirtyTimestamp": "1000"}), 200),
        (json!({"lastDirtyTimestamp": ""}), 200),
        (json!({"lastDirtyTimestamp": 1000.7}), 200),
        (json!({"lastDirtyTimestamp": -5}), 409),
        (json!({}), 200),
        (json!({"status": "bogus"}), 200),
        (json!({"status": 5}), 200),
        (json!({"overriddenStatus": "bogus"}), 200),
        (json!({"id": 5}), 404),
        (json!({"instanceInfo": info("i1", &json!({}))}), 200),
    ];
    for (more, status) in table {
        let item = item("Heartbeat", &more);
        assert_eq!(
            statuses(&world, std::slice::from_ref(&item)).await,
            [status],
            "{item}"
        );
    }
}

/// D-71, D-74.
#[tokio::test]
async fn a_body_that_is_no_batch_is_400_in_eurekas_words_and_changes_nothing() {
    let world = a_peer().await;
    let item_with = |item: Value| json!({ "replicationList": [item] }).to_string();
    let table = [
        "nonsense".to_owned(),
        String::new(),
        // These four are 500 there.
        "{}".to_owned(),
        "null".to_owned(),
        r#"{"replicationList":null}"#.to_owned(),
        r#"{"replicationList":[null]}"#.to_owned(),
        "[]".to_owned(),
        r#"{"replicationList":{}}"#.to_owned(),
        r#"{"replicationList":[],"x":1}"#.to_owned(),
        item_with(item("Heartbeat", &json!({"x": 1}))),
        item_with(item("Nope", &json!({}))),
        item_with(item("heartbeat", &json!({}))),
        item_with(json!({"appName": "APP", "id": "i1", "action": 1})),
        r#"{"replicationList":[],"replicationList":[]}"#.to_owned(),
        item_with(item("Heartbeat", &json!({"lastDirtyTimestamp": "abc"}))),
        item_with(item(
            "Heartbeat",
            &json!({"lastDirtyTimestamp": 10_000_000_000_000_000_000_u64}),
        )),
        item_with(item("Heartbeat", &json!({"id": {}}))),
        item_with(register("i1", &json!({"app": null}))),
        item_with(item("Register", &json!({"instanceInfo": {}}))),
        item_with(item("Register", &json!({"instanceInfo": "text"}))),
        // A good item before a bad one is not carried out either.
        json!({"replicationList": [register("i1", &json!({})), item("Nope", &json!({}))]})
            .to_string(),
    ];
    for body in table {
        let answer = send(&world, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(
            answer.text(),
            r#"{"error": "cannot parse request body"}"#,
            "{body}"
        );
        assert_eq!(world.node.entries(), 0, "{body}");
    }
    let types = [
        ("application/xml", 400),
        ("text/plain", 415),
        ("application/json;charset=UTF-8", 200),
    ];
    for (kind, status) in types {
        let headers = [JSON, ("Content-Type", kind)];
        let body = br#"{"replicationList":[]}"#;
        let answer = world.send("POST", BATCH, &headers, body).await;
        assert_eq!(answer.status, status, "{kind}");
    }
}

#[tokio::test]
async fn an_empty_batch_is_an_empty_answer_and_no_entry() {
    let world = a_peer().await;
    let answer = batch(&world, &[]).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, r#"{"responseList":[]}"#)
    );
    assert_eq!(world.node.entries(), 0);
    let xml = world
        .send("POST", BATCH, &[JSON_BODY], br#"{"replicationList":[]} x"#)
        .await;
    assert_eq!(xml.header("content-type"), Some("application/xml"));
    assert_eq!(
        xml.text(),
        "<com.netflix.eureka.cluster.protocol.ReplicationListResponse>\n  <responseList/>\n\
         </com.netflix.eureka.cluster.protocol.ReplicationListResponse>"
    );
}

#[tokio::test]
async fn without_accept_the_answer_is_xml_with_the_names_of_javas_classes() {
    let world = a_peer().await;
    world.register("APP", "i1").await;
    let list = json!({"replicationList": [
        item("Heartbeat", &json!({"lastDirtyTimestamp": 1})),
        item("Cancel", &json!({"id": "no"})),
    ]});
    let answer = world
        .send("POST", BATCH, &[JSON_BODY], list.to_string().as_bytes())
        .await;
    let text = answer.text();
    let head = "<com.netflix.eureka.cluster.protocol.ReplicationListResponse>
  <responseList>
    <com.netflix.eureka.cluster.protocol.ReplicationInstanceResponse>
      <statusCode>409</statusCode>
      <responseEntity>
        <instanceId>i1</instanceId>
        <hostName>h1</hostName>";
    let tail = "
        <actionType>ADDED</actionType>
      </responseEntity>
    </com.netflix.eureka.cluster.protocol.ReplicationInstanceResponse>
    <com.netflix.eureka.cluster.protocol.ReplicationInstanceResponse>
      <statusCode>404</statusCode>
    </com.netflix.eureka.cluster.protocol.ReplicationInstanceResponse>
  </responseList>
</com.netflix.eureka.cluster.protocol.ReplicationListResponse>";
    assert!(text.starts_with(head) && text.ends_with(tail), "{text}");
    let html = [("Accept", "text/html"), JSON_BODY];
    assert_eq!(world.send("POST", BATCH, &html, b"{}").await.status, 406);
}

/// D-72.
#[tokio::test]
async fn a_batch_beyond_a_limit_is_413_and_an_item_beyond_one_has_it_as_status() {
    let world = World::with(Limits {
        body_bytes_max: 4 * 1024,
        replication_bytes_max: Some(64 * 1024),
        ..Limits::default()
    })
    .await;
    let beat = item("Heartbeat", &json!({}));
    let fat = register("i2", &json!({"homePageUrl": "x".repeat(4 * 1024)}));
    let fine = register("i1", &json!({}));
    assert_eq!(
        statuses(&world, &[fine, fat, beat.clone()]).await,
        [200, 413, 200]
    );
    let small = json!({"appName": "A", "id": "b", "action": "Cancel"});
    let table = [(1_000, 200), (1_001, 413)];
    for (count, status) in table {
        let answer = batch(&world, &vec![small.clone(); count]).await;
        assert_eq!(answer.status, status, "{count} items");
    }
    let entries = world.node.entries();
    let long = item("Heartbeat", &json!({"id": "x".repeat(64 * 1024)}));
    let answer = batch(&world, &[beat, long]).await;
    assert_eq!((answer.status, answer.body.len()), (413, 0));
    assert_eq!(world.node.entries(), entries);
}

#[tokio::test]
async fn small_heartbeats_cannot_ask_for_an_answer_of_any_size() {
    let world = a_peer().await;
    let fat = register("i1", &json!({"homePageUrl": "x".repeat(200 * 1024)}));
    assert_eq!(statuses(&world, &[fat]).await, [200]);
    let old = item("Heartbeat", &json!({"lastDirtyTimestamp": 1}));
    let answer = batch(&world, &vec![old; 1_000]).await;
    let text = answer.text();
    assert_eq!(text.matches(r#""statusCode":409"#).count(), 1_000);
    assert_eq!(text.matches("responseEntity").count(), 21);
    assert!(text.len() < 5 * 1024 * 1024);
}

/// D-73.
#[tokio::test]
async fn a_batch_is_503_as_a_whole_and_says_whether_any_of_it_was_executed() {
    let world = a_peer().await;
    let table = [
        (WriteError::Overloaded, "not-executed", None),
        (WriteError::NoLeader, "not-executed", None),
        (WriteError::Unknown, "unknown", None),
        (WriteError::DiskFull, "not-executed", Some("disk-full")),
    ];
    for (refusal, outcome, reason) in table {
        *world.node.refuses_writes.lock().unwrap() = Some(refusal);
        let lame = item("Heartbeat", &json!({"id": null}));
        let answer = batch(&world, &[register("i1", &json!({})), lame]).await;
        assert_eq!((answer.status, answer.body.len()), (503, 0), "{refusal:?}");
        assert_eq!(answer.header("x-eureka-raft-outcome"), Some(outcome));
        assert_eq!(answer.header("x-eureka-raft-reason"), reason);
        assert!(answer.header("retry-after").is_some());
    }
    // Full disks refuse what grows; heartbeats of the same batch go on, so it was executed in part.
    *world.node.refuses_writes.lock().unwrap() = None;
    world.register("APP", "i1").await;
    *world.node.refuses_growth.lock().unwrap() = true;
    let entries = world.node.entries();
    let items = [
        register("i2", &json!({})),
        item("Heartbeat", &json!({"lastDirtyTimestamp": 1000})),
    ];
    let answer = batch(&world, &items).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("x-eureka-raft-outcome"), Some("unknown"));
    assert_eq!(world.node.entries(), entries + 1);
    assert_eq!(world.node.view().instance_count(), 1);
}

/// D-72.
#[tokio::test]
async fn a_quota_holds_for_the_items_of_a_batch() {
    let world = a_peer().await;
    world
        .node
        .apply(vec![eureka_raft::registry::Command::Settings(
            eureka_raft::registry::Settings {
                instances_max: 2,
                ..eureka_raft::registry::Settings::default()
            },
        )]);
    let items = ["i1", "i2", "i3"].map(|id| register(id, &json!({})));
    assert_eq!(statuses(&world, &items).await, [200, 200, 507]);
}

/// D-70.
#[tokio::test]
async fn a_node_takes_no_batch_unless_it_is_told_to() {
    let world = World::new().await;
    for method in ["POST", "GET", "OPTIONS"] {
        for target in [BATCH, "/eureka/v2/peerreplication/batch"] {
            let answer = world
                .send(
                    method,
                    target,
                    &[JSON, JSON_BODY],
                    br#"{"replicationList":[]}"#,
                )
                .await;
            assert_eq!(
                (answer.status, answer.body.len()),
                (404, 0),
                "{method} {target}"
            );
        }
    }
    let told = a_peer().await;
    let answer = told.ask("GET", BATCH).await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("POST, OPTIONS"))
    );
}
