//! The page: escaped, bounded, filtered, and without anything from elsewhere.

use std::time::Duration;

use crate::world::{World, instance};

#[tokio::test]
async fn what_clients_registered_is_escaped_and_never_a_script_link() {
    let world = World::new().await;
    let mut evil: serde_json::Value =
        serde_json::from_str(&instance("APP", "<script>alert(1)</script>", "UP")).unwrap();
    evil["instance"]["homePageUrl"] = "javascript:alert(1)".into();
    evil["instance"]["statusPageUrl"] = "http://h/\"><b>".into();
    evil["instance"]["metadata"] = serde_json::json!({"zone": "<i>z</i>"});
    assert_eq!(world.post("APP", &evil.to_string()).await.status, 204);
    for target in [
        "/",
        "/lastn",
        "/?q=%22%3E%3Cscript%3E",
        "/?q=script&app=%3Cscript%3E",
    ] {
        let answer = world.get(target).await;
        let text = answer.text();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        for part in ["<script", "javascript:", "<i>z", "<b>\"", "\"><b>"] {
            assert!(!text.contains(part), "{part} in {target}");
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!text.contains("src="), "nothing is loaded");
    }
}

#[tokio::test]
async fn the_page_is_bounded_and_every_instance_is_behind_a_link() {
    let world = World::new().await;
    for app in 0..30 {
        for number in 0..(if app == 0 { 150 } else { 1 }) {
            world
                .register(&format!("APP{app:02}"), &format!("i-{app}-{number}."))
                .await;
        }
    }
    let text = async |target: &str| world.get(target).await.text();
    let rows = |page: &str| page.matches("<td class=\"id").count();
    let first = text("/").await;
    assert_eq!(rows(&first), 12 + 24);
    assert!(
        first.contains("and 138 more") && first.contains("page 1 of 2"),
        "{first}"
    );
    assert_eq!(rows(&text("/?page=2").await), 5);
    assert_eq!(
        rows(&text("/?page=99").await),
        5,
        "beyond the last is the last"
    );
    assert_eq!(rows(&text("/?app=APP00").await), 100);
    assert_eq!(rows(&text("/?app=APP00&page=2").await), 50);
    let found = text("/?q=i-0-149.").await;
    assert_eq!(rows(&found), 1);
    assert!(found.contains("1 instance in 1 application"), "{found}");
    assert!(text("/?q=nobody").await.contains("Nothing matches"));
}

#[tokio::test]
async fn statuses_filter_and_a_late_lease_stands_out() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    world.post("APP", &instance("APP", "i2", "DOWN")).await;
    let down = world.get("/?status=DOWN").await.text();
    assert!(down.contains(">i2<") && !down.contains(">i1<"), "{down}");
    assert!(!world.get("/").await.text().contains("fill late"));
    world.node.clock.advance(Duration::from_secs(50));
    assert!(world.get("/").await.text().contains("fill late"));
    world.node.clock.advance(Duration::from_secs(50));
    let over = world.get("/").await.text();
    assert!(
        over.contains("fill over") && over.contains("100 s"),
        "{over}"
    );
}

#[tokio::test]
async fn the_page_names_the_nodes_and_says_when_there_is_no_leader() {
    let world = World::new().await;
    let calm = world.get("/").await.text();
    for part in [
        "node-1",
        "node-2",
        "node-3",
        "leader",
        "unreachable",
        "No instance is registered yet",
    ] {
        assert!(calm.contains(part), "{part}");
    }
    assert!(!calm.contains("No leader"));
    *world.node.lags.lock().unwrap() = Some(Duration::from_secs(9));
    let cut_off = world.get("/").await.text();
    assert!(
        cut_off.contains("No leader") && cut_off.contains("at most 9 s old"),
        "{cut_off}"
    );
}
