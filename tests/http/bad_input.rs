//! Bad input has a clear status, changes nothing, and leaves nothing in the log.

use crate::client::{self, Answer};
use crate::world::{JSON, JSON_BODY, World, instance};

/// Asserts that a refusal changed nothing, and that the server still answers.
async fn nothing_happened(world: &World, entries: u64, what: &str) {
    assert_eq!(world.node.entries(), entries, "{what}");
    let apps = world.get("/eureka/apps").await;
    assert_eq!(apps.status, 200, "{what}");
}

#[tokio::test]
async fn a_bad_registration_is_refused_and_nothing_changes() {
    let world = World::new().await;
    for (what, body, text) in bad_registrations() {
        let answer = world.post("APP", &body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(answer.text().contains(text), "{what}: {}", answer.text());
        nothing_happened(&world, 0, what).await;
    }
}

/// What is wrong, the body, and what the answer says about it.
fn bad_registrations() -> Vec<(&'static str, String, &'static str)> {
    let without = |field: &str| {
        let mut document: serde_json::Value =
            serde_json::from_str(&instance("APP", "i1", "UP")).unwrap();
        document["instance"].as_object_mut().unwrap().remove(field);
        document.to_string()
    };
    let with = |field: &str, value: serde_json::Value| {
        let mut document: serde_json::Value =
            serde_json::from_str(&instance("APP", "i1", "UP")).unwrap();
        document["instance"][field] = value;
        document.to_string()
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        (
            "nonsense",
            "nonsense".to_owned(),
            "cannot parse request body",
        ),
        (
            "cut off",
            r#"{"instance":{"app":"APP""#.to_owned(),
            "cannot parse request body",
        ),
        ("an array", "[]".to_owned(), "cannot parse request body"),
        ("no instance", "{}".to_owned(), "cannot parse request body"),
        (
            "instance array",
            r#"{"instance":[]}"#.to_owned(),
            "cannot parse request body",
        ),
        (
            "deep nesting",
            format!(r#"{{"instance":{{"x":{deep}}}}}"#),
            "cannot parse request body",
        ),
        ("no app", without("app"), "cannot parse request body"),
        ("no host", without("hostName"), "Missing hostname"),
        ("no address", without("ipAddr"), "Missing ip address"),
        (
            "no data center",
            without("dataCenterInfo"),
            "Missing dataCenterInfo",
        ),
        (
            "other app",
            with("app", "OTHER".into()),
            "Mismatched appName",
        ),
        (
            "lease over 2^31",
            with(
                "leaseInfo",
                serde_json::json!({"durationInSecs": 4_294_967_296_u64}),
            ),
            "",
        ),
        (
            "dirty 10^19",
            with("lastDirtyTimestamp", 10_000_000_000_000_000_000_u64.into()),
            "",
        ),
        ("NUL in the id", with("instanceId", "a\0b".into()), ""),
        ("newline in the id", with("instanceId", "a\nb".into()), ""),
        ("long id", with("instanceId", "x".repeat(10_240).into()), ""),
    ]
}

#[tokio::test]
async fn bad_xml_is_refused_and_nothing_changes() {
    let world = World::new().await;
    let good = "<hostName>h</hostName><app>APP</app><ipAddr>1.1.1.1</ipAddr>\
                <dataCenterInfo><name>MyOwn</name></dataCenterInfo>";
    let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
    let table = [
        ("cut off", "<instance><app>".to_owned()),
        ("wrong root", format!("<x>{good}</x>")),
        (
            "empty port",
            format!("<instance>{good}<port></port></instance>"),
        ),
        (
            "doctype",
            format!("<!DOCTYPE a [<!ENTITY b \"c\">]><instance>{good}</instance>"),
        ),
        (
            "deep nesting",
            format!("<instance>{good}<x>{deep}</x></instance>"),
        ),
    ];
    let headers = [("Content-Type", "application/xml")];
    for (what, body) in table {
        let answer = world
            .send("POST", "/eureka/apps/APP", &headers, body.as_bytes())
            .await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        nothing_happened(&world, 0, what).await;
    }
    let body = format!("<instance>{good}</instance>");
    let answer = world
        .send("POST", "/eureka/apps/APP", &headers, body.as_bytes())
        .await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_it_is_sent() {
    let world = World::new().await;
    let large = instance("APP", "i1", "UP") + &" ".repeat(256 * 1024);
    let declared = world.post("APP", &large).await;
    assert_eq!((declared.status, declared.body.len()), (413, 0));
    let chunked = format!(
        "POST /eureka/apps/APP HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    let answer = Answer::parse(&client::raw(world.addr, chunked.as_bytes()).await);
    assert_eq!(answer.status, 413);
    let expecting = format!(
        "POST /eureka/apps/APP HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        large.len()
    );
    let answer = Answer::parse(&client::raw(world.addr, expecting.as_bytes()).await);
    assert_eq!(answer.status, 413, "before a byte of the body is asked for");
    let headers = [JSON_BODY, ("Content-Encoding", "gzip")];
    let bomb = gzip(&vec![b' '; 4 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024);
    let answer = world
        .send("POST", "/eureka/apps/APP", &headers, &bomb)
        .await;
    assert_eq!(answer.status, 413, "a small body that grows");
    nothing_happened(&world, 0, "large bodies").await;
}

#[tokio::test]
async fn gzip_bodies_are_read_and_other_encodings_are_not() {
    let world = World::new().await;
    let body = gzip(instance("APP", "i1", "UP").as_bytes());
    let send = async |encoding: &str, body: &[u8]| {
        let headers = [JSON_BODY, ("Content-Encoding", encoding)];
        world
            .send("POST", "/eureka/apps/APP", &headers, body)
            .await
            .status
    };
    assert_eq!(send("br", &body).await, 415);
    assert_eq!(send("gzip", b"not gzip").await, 400);
    assert_eq!(world.node.entries(), 0);
    assert_eq!(send("gzip", &body).await, 204);
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn paths_that_mean_nothing_are_refused_and_nothing_changes() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let long = format!("/eureka/apps/APP/{}", "x".repeat(10_240));
    let longish = format!("/eureka/apps/APP/{}", "x".repeat(1_500));
    let table = [
        ("PUT", "/eureka/apps/APP/%00", 400),
        ("PUT", "/eureka/apps/APP/%5C", 400),
        ("PUT", "/eureka/apps/APP/a%0Ab", 400),
        ("PUT", "/eureka/apps/APP/%7F", 400),
        ("PUT", "/eureka/apps/APP/%FF", 400),
        ("PUT", "/eureka/apps/APP/%zz", 400),
        ("PUT", longish.as_str(), 400),
        ("PUT", long.as_str(), 414),
        ("GET", "/eureka/apps/APP/i1/x", 404),
        ("GET", "/eureka/nothing", 404),
        ("GET", "/", 200),
        ("GET", "/favicon.ico", 404),
        ("POST", "/eureka/peerreplication/batch", 404),
        ("DELETE", "/eureka/apps/APP", 405),
        ("POST", "/eureka/apps", 405),
        ("POST", "/eureka/apps/delta", 405),
        ("GET", "/eureka/apps/APP/i1/status", 405),
        ("GET", "/eureka/vips", 405),
        ("GET", "/eureka/instances", 405),
        ("PATCH", "/eureka/apps/APP/i1", 405),
        ("BREW", "/eureka/apps/APP/i1", 405),
        ("PUT", "/eureka/asg/x/status?value=ENABLED", 400),
    ];
    for (method, target, status) in table {
        let answer = world.ask(method, target).await;
        assert_eq!(answer.status, status, "{method} {target}");
        if status >= 400 {
            assert_eq!(answer.text(), "", "{method} {target}");
        }
        assert_eq!(
            answer.header("allow").is_some(),
            status == 405,
            "{method} {target}"
        );
        assert_eq!(world.node.entries(), 1, "{method} {target}");
    }
}

#[tokio::test]
async fn names_with_strange_characters_are_names_like_others() {
    let world = World::new().await;
    let table = [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("a+b", "a+b"),
        ("h:app:8080", "h%3Aapp%3A8080"),
        ("ä", "%C3%A4"),
        ("a%b", "a%25b"),
        ("a;b", "a%3Bb"),
        ("..", ".."),
        ("test#1.[3.?]!", "test%231.%5B3.%3F%5D!"),
    ];
    for (id, escaped) in table {
        world.register("APP", id).await;
        let path = format!("/eureka/apps/app/{escaped}");
        for (method, status) in [("PUT", 200), ("GET", 200), ("DELETE", 200), ("PUT", 404)] {
            assert_eq!(
                world.ask(method, &path).await.status,
                status,
                "{method} {id}"
            );
        }
    }
}

#[tokio::test]
async fn parameters_out_of_range_are_400_and_nothing_changes() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let path = "/eureka/apps/APP/i1";
    let table = [
        (
            "PUT",
            format!("{path}?lastDirtyTimestamp=10000000000000000000"),
        ),
        ("PUT", format!("{path}?lastDirtyTimestamp=abc")),
        ("PUT", format!("{path}?lastDirtyTimestamp=")),
        ("PUT", format!("{path}?lastDirtyTimestamp=%205")),
        ("PUT", format!("{path}/status")),
        ("PUT", format!("{path}/status?value=up")),
        (
            "PUT",
            format!("{path}/status?value=UP&lastDirtyTimestamp=x"),
        ),
        ("DELETE", format!("{path}/status?value=bogus")),
        ("PUT", format!("{path}/metadata?a=%FF")),
        ("GET", "/eureka/apps?consistency=perhaps".to_owned()),
        ("GET", "/eureka/apps/delta?since=-1".to_owned()),
        ("GET", "/eureka/apps/delta?since=x".to_owned()),
        ("GET", "/eureka/apps/delta?since=0&wait=61s".to_owned()),
        ("GET", "/eureka/apps/delta?since=0&wait=soon".to_owned()),
        ("GET", "/eureka/apps/delta?since=99".to_owned()),
    ];
    for (method, target) in table {
        let answer = world.ask(method, &target).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, ""),
            "{method} {target}"
        );
        assert_eq!(world.node.entries(), 1, "{method} {target}");
    }
    let headers = [JSON, ("X-Eureka-Raft-Min-Index", "soon")];
    assert_eq!(
        world
            .send("GET", "/eureka/apps", &headers, b"")
            .await
            .status,
        400
    );
    let accepted = world
        .ask("PUT", &format!("{path}?lastDirtyTimestamp=%2B5"))
        .await;
    assert_eq!(accepted.status, 200, "Java parses +5");
}
