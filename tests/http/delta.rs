//! The delta, classic and by cursor.

use std::time::Duration;

use eureka_raft::registry::{AppName, Command, InstanceId, Settings};

use crate::client::Answer;
use crate::fake_node::CLUSTER;
use crate::world::World;

/// `APP/id:ACTION` of each entry, in the order of the document.
fn entries(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    let apps = list["applications"]["application"].as_array().unwrap();
    let instances = apps
        .iter()
        .flat_map(|app| app["instance"].as_array().unwrap());
    let shown = instances.map(|instance| {
        let field = |name: &str| instance[name].as_str().unwrap().to_owned();
        format!(
            "{}/{}:{}",
            field("app"),
            field("instanceId"),
            field("actionType")
        )
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn version(answer: &Answer) -> u64 {
    answer.json()["applications"]["versions__delta"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn one_entry_an_instance_and_deleted_last_in_each_application() {
    let world = World::new().await;
    for (app, id) in [("A", "i1"), ("A", "i2"), ("A", "i3"), ("B", "i1")] {
        world.register(app, id).await;
    }
    world.ask("DELETE", "/eureka/apps/A/i1").await;
    world
        .ask("PUT", "/eureka/apps/A/i2/status?value=DOWN")
        .await;
    let classic = world.get("/eureka/apps/delta").await;
    assert_eq!(
        entries(&classic),
        "A/i2:MODIFIED A/i3:ADDED A/i1:DELETED B/i1:ADDED"
    );
    let full = world.get("/eureka/apps").await.json();
    let hash = |list: &serde_json::Value| list["applications"]["apps__hashcode"].clone();
    assert_eq!(hash(&classic.json()), hash(&full));
    let since = world.get("/eureka/apps/delta?since=3").await;
    assert_eq!(entries(&since), "A/i2:MODIFIED A/i1:DELETED B/i1:ADDED");
    assert_eq!(hash(&since.json()), hash(&full));
    world.register("A", "i1").await;
    let again = world.get("/eureka/apps/delta").await;
    assert_eq!(
        entries(&again),
        "A/i1:ADDED A/i2:MODIFIED A/i3:ADDED B/i1:ADDED"
    );
}

#[tokio::test]
async fn the_version_changes_with_every_content_and_with_nothing_else() {
    let world = World::new().await;
    let mut seen = vec![version(&world.get("/eureka/apps/delta").await)];
    let mut next = async |what: &str| {
        let now = version(&world.get("/eureka/apps/delta").await);
        assert!(now > *seen.last().unwrap(), "{what}: {now} after {seen:?}");
        seen.push(now);
    };
    world.register("A", "i1").await;
    next("registered").await;
    world.ask("PUT", "/eureka/apps/A/i1/metadata?a=b").await;
    next("metadata alone, same hash code").await;
    world.node.clock.advance(Duration::from_secs(100));
    world.register("A", "i2").await;
    next("another instance").await;
    let before = world.get("/eureka/apps/delta").await;
    world.ask("PUT", "/eureka/apps/A/i1").await;
    let renewed = world.get("/eureka/apps/delta").await;
    assert_eq!(renewed.body, before.body, "a renewal changes no delta");
    world.node.clock.advance(Duration::from_secs(100));
    world.ask("PUT", "/eureka/apps/A/i1").await;
    let later = world.get("/eureka/apps/delta").await;
    assert_eq!(
        entries(&later),
        "A/i2:ADDED",
        "the older change left the window"
    );
    next("a change left the window").await;
    world.node.clock.advance(Duration::from_secs(200));
    world.ask("PUT", "/eureka/apps/A/i1").await;
    assert_eq!(entries(&world.get("/eureka/apps/delta").await), "");
    next("the window is empty").await;
    world.register("A", "i3").await;
    next("a change in an empty window").await;
}

#[tokio::test]
async fn a_cursor_sees_each_change_once() {
    let world = World::new().await;
    world.register("A", "i1").await;
    let first = world.get("/eureka/apps/delta?since=0").await;
    assert_eq!((entries(&first).as_str(), first.index()), ("A/i1:ADDED", 1));
    let second = world.get("/eureka/apps/delta?since=1").await;
    assert_eq!((entries(&second).as_str(), second.index()), ("", 1));
    world.register("A", "i2").await;
    let third = world.get("/eureka/apps/delta?since=1").await;
    assert_eq!((entries(&third).as_str(), third.index()), ("A/i2:ADDED", 2));
}

#[tokio::test]
async fn a_long_poll_ends_with_the_next_change_or_with_its_wait() {
    let world = World::new().await;
    world.register("A", "i1").await;
    let polling = world.get("/eureka/apps/delta?since=1&wait=30s");
    let changing = async {
        world.ask("PUT", "/eureka/apps/A/i1").await;
        world.register("A", "i2").await
    };
    let (polled, changed) = tokio::join!(polling, changing);
    assert_eq!(entries(&polled), "A/i2:ADDED");
    assert_eq!(polled.index(), changed.index());
    let quiet = world.get("/eureka/apps/delta?since=3&wait=20ms").await;
    assert_eq!((entries(&quiet).as_str(), quiet.index()), ("", 3));
}

#[tokio::test]
async fn history_that_is_gone_is_410_with_where_to_go_on() {
    let world = World::new().await;
    let settings = Settings {
        delta_retention_changes: 2,
        ..Settings::default()
    };
    world.node.apply(vec![Command::Settings(settings)]);
    for id in ["i1", "i2", "i3", "i4"] {
        world.register("A", id).await;
    }
    for target in ["/eureka/apps/delta?since=1", "/v1/changes?after=1"] {
        let gone = world.get(target).await;
        assert_eq!(gone.status, 410, "{target}");
        assert_eq!(gone.index(), 5);
        let oldest: u64 = gone
            .header("x-eureka-raft-oldest-index")
            .unwrap()
            .parse()
            .unwrap();
        let accepted = target.replace("=1", &format!("={oldest}"));
        assert_eq!(world.get(&accepted).await.status, 200, "{accepted}");
        let refused = target.replace("=1", &format!("={}", oldest - 1));
        assert_eq!(world.get(&refused).await.status, 410, "{refused}");
    }
    assert_eq!(
        world.get("/v1/changes?after=1").await.json()["code"],
        "history_gone"
    );
    assert_eq!(world.get("/eureka/apps/delta?since=1").await.body, b"");
}

#[tokio::test]
async fn a_cursor_of_another_cluster_is_410_and_one_never_committed_400() {
    let world = World::new().await;
    world.register("A", "i1").await;
    let of = |cluster: u128| format!("/eureka/apps/delta?since=1&cluster={cluster:032x}");
    assert_eq!(world.get(&of(CLUSTER)).await.status, 200);
    let other = world.get(&of(CLUSTER + 1)).await;
    assert_eq!((other.status, other.index()), (410, 1));
    assert_eq!(world.get("/eureka/apps/delta?cluster=x").await.status, 410);
    let never = world.get("/v1/changes?after=2").await;
    assert_eq!(
        (never.status, &never.json()["code"]),
        (400, &"never_committed".into())
    );
}

#[tokio::test]
async fn changes_of_one_entry_coalesce_too() {
    let world = World::new().await;
    world.register("A", "i1").await;
    world.register("A", "i2").await;
    let (app, one, two) = (
        AppName::new("A"),
        InstanceId::new("i1"),
        InstanceId::new("i2"),
    );
    world.node.apply(vec![
        Command::Cancel {
            app: app.clone(),
            id: one,
        },
        Command::PutMetadata {
            app,
            id: two,
            entries: vec![("k".into(), "v".into())],
        },
    ]);
    let since = world.get("/eureka/apps/delta?since=0").await;
    assert_eq!(entries(&since), "A/i2:ADDED A/i1:DELETED");
}
