//! Lists and single instances: the forms clients parse, fresh after every change.

use crate::world::{World, instance};

#[tokio::test]
async fn an_empty_registry_has_eurekas_bytes() {
    let world = World::new().await;
    let json = world.get("/eureka/apps").await;
    assert_eq!(
        json.text(),
        r#"{"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}}"#
    );
    let xml = world.send("GET", "/eureka/apps", &[], b"").await;
    assert_eq!(xml.body.len(), 105, "{}", xml.text());
    let vip = world.get("/eureka/vips/nope").await;
    assert_eq!(
        vip.text(),
        r#"{"applications":{"versions__delta":"-1","apps__hashcode":"","application":[]}}"#
    );
}

#[tokio::test]
async fn a_list_is_fresh_after_every_change_and_keeps_the_order_of_names() {
    let world = World::new().await;
    let names = async || {
        let list = world.get("/eureka/apps").await.json();
        let list = list["applications"]["application"]
            .as_array()
            .unwrap()
            .clone();
        let named = |app: serde_json::Value| {
            let count = app["instance"].as_array().unwrap().len();
            format!("{}:{count}", app["name"].as_str().unwrap())
        };
        list.into_iter().map(named).collect::<Vec<_>>().join(" ")
    };
    let expected = [
        ("M", "i1", "M:1"),
        ("B", "i1", "B:1 M:1"),
        ("Z", "i1", "B:1 M:1 Z:1"),
        ("M", "i2", "B:1 M:2 Z:1"),
    ];
    for (app, id, list) in expected {
        world.register(app, id).await;
        assert_eq!(names().await, list);
    }
    world.ask("DELETE", "/eureka/apps/B/i1").await;
    assert_eq!(names().await, "M:2 Z:1");
    world
        .ask("PUT", "/eureka/apps/M/i1/status?value=DOWN")
        .await;
    let list = world.get("/eureka/apps").await;
    assert_eq!(
        list.json()["applications"]["apps__hashcode"],
        "DOWN_1_UP_2_"
    );
    assert_eq!(list.index(), world.node.entries());
}

#[tokio::test]
async fn a_kept_list_has_the_bytes_of_a_fresh_one() {
    let world = World::new().await;
    for number in 0..30 {
        world
            .register(&format!("APP{}", number % 5), &format!("i{number}"))
            .await;
        world.get("/eureka/apps").await;
    }
    let kept = world.get("/eureka/apps").await;
    let other = World::new().await;
    for number in 0..30 {
        other
            .register(&format!("APP{}", number % 5), &format!("i{number}"))
            .await;
    }
    assert_eq!(kept.text(), other.get("/eureka/apps").await.text());
}

#[tokio::test]
async fn vips_match_exactly_and_show_their_own_hash_code() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    world.post("APP", &instance("APP", "i2", "DOWN")).await;
    world.register("OTHER", "i3").await;
    let found = async |target: &str| {
        let list = world.get(target).await.json();
        let list = list["applications"].clone();
        let apps = list["application"].as_array().unwrap().clone();
        let count: usize = apps
            .iter()
            .map(|app| app["instance"].as_array().unwrap().len())
            .sum();
        (
            apps.len(),
            count,
            list["apps__hashcode"].as_str().unwrap().to_owned(),
        )
    };
    let all = (2, 3, "DOWN_1_UP_2_".to_owned());
    assert_eq!(found("/eureka/vips/va").await, all);
    assert_eq!(found("/eureka/vips/vb").await, all);
    assert_eq!(found("/eureka/svips/sa").await, all);
    for none in ["vips/VA", "vips/va,vb", "vips/sa", "svips/va"] {
        assert_eq!(
            found(&format!("/eureka/{none}")).await,
            (0, 0, String::new()),
            "{none}"
        );
    }
}

#[tokio::test]
async fn a_single_instance_shows_its_real_last_renewal_and_lists_do_not() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let renewed = async |target: &str, path: &str| {
        let answer = world.get(target).await.json();
        answer.pointer(path).unwrap()["lastRenewalTimestamp"]
            .as_u64()
            .unwrap()
    };
    world.node.clock.advance(std::time::Duration::from_secs(20));
    world.ask("PUT", "/eureka/apps/APP/i1").await;
    for target in ["/eureka/apps/APP/i1", "/eureka/instances/i1"] {
        assert_eq!(
            renewed(target, "/instance/leaseInfo").await,
            1_700_000_020_000,
            "{target}"
        );
    }
    let listed = renewed(
        "/eureka/apps",
        "/applications/application/0/instance/0/leaseInfo",
    )
    .await;
    assert_eq!(listed, 1_700_000_000_000);
}

#[tokio::test]
async fn what_is_not_there_is_an_empty_404_that_says_at_which_index() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    for target in [
        "/eureka/apps/NONE",
        "/eureka/apps/APP/i2",
        "/eureka/apps/NONE/i1",
        "/eureka/instances/i2",
    ] {
        let answer = world.get(target).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, ""),
            "{target}"
        );
        assert_eq!(answer.header("content-type"), None, "{target}");
        assert_eq!(answer.index(), 1, "{target}");
    }
    assert_eq!(
        world.get("/eureka/apps/delta").await.status,
        200,
        "delta is no application"
    );
}

/// Ten readers and a writer: no answer may show a list and a hash code of different moments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hash_code_and_list_agree_under_concurrent_writes() {
    let world = World::new().await;
    let writing = async {
        for number in 0..60 {
            let status = ["UP", "DOWN", "STARTING"][number % 3];
            let body = instance("APP", &format!("i{}", number % 20), status);
            world.post("APP", &body).await;
        }
    };
    let reading = async {
        for number in 0..60 {
            let target = ["/eureka/apps", "/eureka/apps/delta"][number % 2];
            let list = world.get(target).await.json()["applications"].clone();
            let full = list["application"].as_array().unwrap();
            let mut counts = std::collections::BTreeMap::new();
            for instance in full
                .iter()
                .flat_map(|app| app["instance"].as_array().unwrap())
            {
                *counts
                    .entry(instance["status"].as_str().unwrap().to_owned())
                    .or_insert(0) += 1;
            }
            let hash: String = counts
                .iter()
                .map(|(status, count)| format!("{status}_{count}_"))
                .collect();
            assert_eq!(list["apps__hashcode"], hash.as_str());
        }
    };
    tokio::join!(writing, reading);
}
