//! Which form an answer has: media type, compact, gzip, and the same over every prefix.

use std::io::Read;

use crate::client::Answer;
use crate::world::World;

const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JDK: &str = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";

#[tokio::test]
async fn accept_decides_between_xml_json_and_406() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let (xml, json, none) = (Some("application/xml"), Some("application/json"), None);
    let table = [
        (None, xml),
        (Some("*/*"), xml),
        (Some("application/xml"), xml),
        (Some("application/json"), json),
        (Some(" application/json; charset=UTF-8"), json),
        (Some("application/json, application/*+json"), json),
        (Some("application/xml, application/json"), json),
        (Some(CHROME), xml),
        (Some(JDK), xml),
        (Some("text/html"), none),
        (Some("text/plain"), none),
        (Some("application/vnd.foo+json"), none),
    ];
    for (accept, kind) in table {
        let headers: Vec<(&str, &str)> =
            accept.map(|value| ("Accept", value)).into_iter().collect();
        for target in [
            "/eureka/apps",
            "/eureka/apps/delta",
            "/eureka/apps/APP",
            "/eureka/vips/va",
            "/eureka/apps/APP/i1",
            "/eureka/status",
        ] {
            let answer = world.send("GET", target, &headers, b"").await;
            assert_eq!(
                answer.status,
                if kind.is_some() { 200 } else { 406 },
                "{accept:?} {target}"
            );
            assert_eq!(answer.header("content-type"), kind, "{accept:?} {target}");
            let first = answer.body.first().copied();
            assert_eq!(
                first,
                kind.map(|kind| if kind == "application/json" {
                    b'{'
                } else {
                    b'<'
                })
            );
        }
        let written = world
            .send("PUT", "/eureka/apps/APP/i1", &headers, b"")
            .await;
        assert_eq!(
            written.status,
            if kind.is_some() { 200 } else { 406 },
            "{accept:?}"
        );
        assert_eq!(written.body.len(), 0);
    }
}

#[tokio::test]
async fn compact_is_a_word_in_any_case_and_for_lists_only() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let ask = async |target: &str, value: &str| {
        let headers = [("Accept", "application/json"), ("X-Eureka-Accept", value)];
        world.send("GET", target, &headers, b"").await.text()
    };
    for target in ["/eureka/apps", "/eureka/apps/delta", "/eureka/vips/va"] {
        assert!(
            ask(target, "Compact")
                .await
                .contains("registeredApplicationsEmpty"),
            "{target}"
        );
        assert!(
            !ask(target, "[compact]")
                .await
                .contains("registeredApplicationsEmpty"),
            "{target}"
        );
    }
    assert!(
        !ask("/eureka/apps/APP", "compact")
            .await
            .contains("leaseInfo")
    );
    assert!(
        ask("/eureka/apps/APP/i1", "compact")
            .await
            .contains("leaseInfo")
    );
}

#[tokio::test]
async fn gzip_comes_only_when_asked_for_and_holds_the_same_bytes() {
    let world = World::new().await;
    for number in 0..50 {
        world
            .register(&format!("APP{}", number % 7), &format!("i{number}"))
            .await;
    }
    for target in [
        "/eureka/apps",
        "/eureka/apps/delta",
        "/eureka/apps/APP1",
        "/eureka/vips/va",
        "/eureka/apps/APP1/i1",
        "/",
    ] {
        for accept in ["application/json", "application/xml"] {
            let ask = async |encodings: Option<&str>| {
                let mut headers = vec![("Accept", accept)];
                headers.extend(encodings.map(|value| ("Accept-Encoding", value)));
                world.send("GET", target, &headers, b"").await
            };
            let plain = ask(None).await;
            assert_eq!(plain.header("content-encoding"), None, "{target}");
            for refused in ["identity", "br", "gzip;q=0"] {
                assert_eq!(
                    ask(Some(refused)).await.header("content-encoding"),
                    None,
                    "{target} {refused}"
                );
            }
            for round in ["made", "kept"] {
                let packed = ask(Some("deflate, gzip;q=0.8")).await;
                assert_eq!(packed.header("content-encoding"), Some("gzip"), "{target}");
                assert_eq!(gunzip(&packed), plain.body, "{target} {accept} {round}");
                assert!(packed.body.len() < plain.body.len(), "{target}");
                assert!(
                    packed
                        .header("vary")
                        .is_some_and(|by| by.contains("Accept-Encoding"))
                );
            }
        }
    }
}

fn gunzip(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&answer.body[..])
        .read_to_end(&mut plain)
        .expect("a whole gzip member");
    plain
}

/// Eureka-api case 78.
#[tokio::test]
async fn every_prefix_and_slash_gives_the_same_answer() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let paths = [
        "apps",
        "apps/delta",
        "apps/APP",
        "apps/APP/i1",
        "apps/NONE",
        "vips/va",
        "svips/sa",
        "instances/i1",
        "nothing",
        "apps/APP/i1/status",
    ];
    for path in paths {
        for accept in ["application/json", "application/xml", "text/html"] {
            let ask = async |target: String| {
                let mut answer = world.send("GET", &target, &[("Accept", accept)], b"").await;
                answer.headers.retain(|(name, _)| name != "date");
                answer
            };
            let expected = ask(format!("/eureka/{path}")).await;
            for target in [
                format!("/eureka/v2/{path}"),
                format!("/eureka/v1/{path}"),
                format!("/v2/{path}"),
                format!("/{path}"),
                format!("/eureka/{path}/"),
                format!("/eureka//{path}"),
                format!("//{path}"),
            ] {
                assert_eq!(ask(target.clone()).await, expected, "{target} {accept}");
            }
        }
    }
}

#[tokio::test]
async fn an_unchanged_list_is_304_for_who_holds_its_tag() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    for target in ["/eureka/apps", "/eureka/apps/delta", "/eureka/apps/APP"] {
        let ask = async |accept: &str, held: &str| {
            world
                .send(
                    "GET",
                    target,
                    &[("Accept", accept), ("If-None-Match", held)],
                    b"",
                )
                .await
        };
        let first = world.get(target).await;
        let tag = first.header("etag").expect("a tag").to_owned();
        assert!(tag.starts_with("W/\""), "{tag}");
        world.ask("PUT", "/eureka/apps/APP/i1").await;
        let same = ask("application/json", &tag).await;
        assert_eq!(
            (same.status, same.body.len()),
            (304, 0),
            "a renewal changes no list"
        );
        assert_eq!(same.header("etag"), Some(tag.as_str()));
        assert_eq!(same.index(), world.node.entries());
        assert_eq!(
            ask("application/xml", &tag).await.status,
            200,
            "another form"
        );
        world.register("APP", "i2").await;
        assert_eq!(
            ask("application/json", &tag).await.status,
            200,
            "another content"
        );
    }
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_lists_methods() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let get = world.get("/eureka/apps").await;
    let head = world.ask("HEAD", "/eureka/apps").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    let options = world.ask("OPTIONS", "/eureka/apps/APP/i1").await;
    assert_eq!(
        (options.status, options.header("allow")),
        (204, Some("GET, HEAD, PUT, DELETE, OPTIONS"))
    );
}
