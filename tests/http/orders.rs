//! Orders of operators: what reaches the node, and what is refused before.

use eureka_raft::node::{AdminRefusal, Change, Mode, Order, Seat};

use crate::world::{JSON_BODY, World};

async fn post(world: &World, path: &str, body: &str) -> crate::client::Answer {
    world
        .send("POST", path, &[JSON_BODY], body.as_bytes())
        .await
}

#[tokio::test]
async fn every_route_gives_the_order_it_names() {
    let world = World::new().await;
    let name = || "node-4".to_owned();
    let table = [
        (
            "/v1/members",
            r#"{"name":"node-4","peer":"h:8774"}"#,
            Change::Add {
                name: name(),
                peer: "h:8774".to_owned(),
                seat: Seat::Voter,
            },
        ),
        (
            "/v1/members",
            r#"{"name":"node-4","peer":"h:8774","learner":true}"#,
            Change::Add {
                name: name(),
                peer: "h:8774".to_owned(),
                seat: Seat::Learner,
            },
        ),
        (
            "/v1/members/node-4/promote",
            "",
            Change::Promote { name: name() },
        ),
        (
            "/v1/members/node-4/remove",
            "",
            Change::Remove { name: name() },
        ),
        (
            "/v1/members/node-4/replace",
            r#"{"with":"node-5"}"#,
            Change::Replace {
                old: name(),
                with: "node-5".to_owned(),
            },
        ),
        (
            "/v1/members/node-4/update",
            r#"{"peer":"h:1"}"#,
            Change::Update {
                name: name(),
                peer: Some("h:1".to_owned()),
                http: None,
            },
        ),
        (
            "/v1/leader/transfer",
            r#"{"to":"node-4"}"#,
            Change::Transfer { to: Some(name()) },
        ),
        ("/v1/leader/transfer", "", Change::Transfer { to: None }),
    ];
    for (path, body, change) in table {
        let waits = matches!(change, Change::Add { .. });
        let answer = post(&world, path, body).await;
        assert_eq!(
            answer.status,
            if waits { 202 } else { 200 },
            "{path} {body}"
        );
        assert_eq!(answer.json()["after"]["quorum"], 1);
        let given = world.node.orders.lock().unwrap().pop();
        let mode = Mode::Execute;
        assert_eq!(given, Some(Order { change, mode }), "{path} {body}");
    }
}

#[tokio::test]
async fn a_dry_run_is_marked_as_one() {
    let world = World::new().await;
    let answer = post(&world, "/v1/members/node-4/remove?dry_run=true", "").await;
    assert_eq!(
        (answer.status, &answer.json()["done"]),
        (200, &false.into())
    );
    let given = world.node.orders.lock().unwrap().pop().expect("an order");
    assert_eq!(given.mode, Mode::DryRun);
}

#[tokio::test]
async fn what_cannot_be_meant_never_reaches_the_node() {
    let world = World::new().await;
    let long = format!(r#"{{"name":"{}","peer":"h:1"}}"#, "n".repeat(65));
    for (path, body) in [
        ("/v1/members", ""),
        ("/v1/members", "{}"),
        ("/v1/members", r#"{"name":"","peer":"h:1"}"#),
        ("/v1/members", r#"{"name":"a b","peer":"h:1"}"#),
        ("/v1/members", long.as_str()),
        ("/v1/members", r#"{"name":"a","peer":"h"}"#),
        ("/v1/members", r#"{"name":"a","peer":"h:0"}"#),
        ("/v1/members", r#"{"name":"a","peer":"h:70000"}"#),
        ("/v1/members", r#"{"name":"a","peer":"h:1","voter":true}"#),
        ("/v1/members/a/replace", "{}"),
        ("/v1/members/a/update", "{}"),
        ("/v1/members/a/update", r#"{"http":"h:1"}"#),
        ("/v1/members/a%20b/promote", ""),
        ("/v1/leader/transfer", r#"{"to":7}"#),
    ] {
        let answer = post(&world, path, body).await;
        assert_eq!(answer.status, 400, "{path} {body}");
        assert_eq!(answer.json()["code"], "bad_order", "{path} {body}");
    }
    assert_eq!(
        post(&world, "/v1/members/a/remove?dry_run=perhaps", "")
            .await
            .status,
        400
    );
    assert_eq!(world.ask("GET", "/v1/members/a/remove").await.status, 405);
    assert!(world.node.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_has_a_code_a_message_and_a_hint() {
    let world = World::new().await;
    for (refusal, status, code) in [
        (AdminRefusal::NoLeader, 503, "no_leader"),
        (AdminRefusal::UnknownOutcome, 503, "unknown_outcome"),
        (AdminRefusal::ChangeInProgress, 409, "change_in_progress"),
        (
            AdminRefusal::UnknownMember("x".to_owned()),
            404,
            "unknown_member",
        ),
        (AdminRefusal::LastVoter("x".to_owned()), 409, "last_voter"),
    ] {
        *world.node.refuses_orders.lock().unwrap() = Some(refusal);
        let answer = post(&world, "/v1/members/x/remove", "").await;
        let json = answer.json();
        assert_eq!((answer.status, json["code"].as_str()), (status, Some(code)));
        assert!(!json["message"].as_str().unwrap().is_empty());
        assert!(!json["hint"].as_str().unwrap().is_empty());
    }
}
