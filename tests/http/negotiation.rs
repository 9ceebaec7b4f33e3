//! Which form an answer has: media type, compact, gzip, and the same over every prefix.

use std::io::Read;

use crate::client::Answer;
use crate::world::World;

const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JDK: &str = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";

/// What an answer says it is, and is; `None` is 406.
type Kind = Option<&'static str>;

#[tokio::test]
async fn accept_decides_between_xml_json_and_406() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let (xml, json, none) = (Some("application/xml"), Some("application/json"), None);
    let table: [(&[&str], Kind, Kind); 18] = [
        (&[], xml, xml),
        (&["*/*"], xml, xml),
        (&["application/xml"], xml, xml),
        (&["application/json"], json, json),
        (&[" application/json; charset=UTF-8"], json, json),
        (&["application/json, application/*+json"], json, json),
        (&["application/xml;q=0.5, application/json"], json, json),
        (&[CHROME], xml, xml),
        (&[JDK], xml, xml),
        (&["text/html"], none, none),
        (&["text/plain"], none, none),
        (&["application/vnd.foo+json"], none, none),
        // Theirs labels the list's JSON as XML (D-06).
        (&["application/xml, application/json"], json, xml),
        (&["application/json;q=0.1, */*"], json, xml),
        // Theirs answers the list in XML that it labels as JSON (D-07).
        (&["APPLICATION/JSON"], json, json),
        (&["text/html", "application/json"], json, json),
        // Theirs repeats the parameter (D-08), and refuses the last (D-09).
        (&["application/json;version=1"], json, json),
        (&["application/json;q=2", ","], json, json),
    ];
    for (lines, list, one) in table {
        let headers: Vec<(&str, &str)> = lines.iter().map(|line| ("Accept", *line)).collect();
        for (target, kind) in [
            ("/eureka/apps", list),
            ("/eureka/apps/delta", list),
            ("/eureka/apps/APP", list),
            ("/eureka/vips/va", list),
            ("/eureka/svips/sa", list),
            ("/eureka/apps/APP/i1", one),
            ("/eureka/instances/i1", one),
            ("/eureka/status", one),
        ] {
            let answer = world.send("GET", target, &headers, b"").await;
            let status = if kind.is_some() { 200 } else { 406 };
            assert_eq!(answer.status, status, "{lines:?} {target}");
            assert_eq!(answer.header("content-type"), kind, "{lines:?} {target}");
            let starts = kind.map(|kind| {
                if kind == "application/json" {
                    b'{'
                } else {
                    b'<'
                }
            });
            assert_eq!(answer.body.first().copied(), starts, "{lines:?} {target}");
        }
        let written = world
            .send("PUT", "/eureka/apps/APP/i1", &headers, b"")
            .await;
        let status = if one.is_some() { 200 } else { 406 };
        assert_eq!(
            (written.status, written.body.len()),
            (status, 0),
            "{lines:?}"
        );
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
        "/eureka/svips/sa",
        "/eureka/apps/APP1/i1",
        "/eureka/instances/i1",
        "/",
        "/lastn",
        "/v1/status",
        "/v1/members",
    ] {
        for accept in ["application/json", "application/xml"] {
            let ask = async |encodings: Option<&str>| {
                let mut headers = vec![("Accept", accept)];
                headers.extend(encodings.map(|value| ("Accept-Encoding", value)));
                world.send("GET", target, &headers, b"").await
            };
            let plain = ask(None).await;
            assert_eq!(plain.header("content-encoding"), None, "{target}");
            for refused in ["identity", "br", "*", "gzip;q=0", "not-gzip"] {
                assert_eq!(
                    ask(Some(refused)).await.header("content-encoding"),
                    None,
                    "{target} {refused}"
                );
            }
            for asked in ["deflate, gzip;q=0.8", "GZIP", "x-gzip"] {
                let packed = ask(Some(asked)).await;
                assert_eq!(packed.header("content-encoding"), Some("gzip"), "{target}");
                assert_eq!(gunzip(&packed), plain.body, "{target} {accept} {asked}");
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

/// What these say changes from one request to the next, or is too little to be worth it.
#[tokio::test]
async fn gzip_comes_with_every_body_that_is_long_enough() {
    let world = World::new().await;
    let ask = async |target: &str| {
        let headers = [("Accept", "application/json"), ("Accept-Encoding", "gzip")];
        world.send("GET", target, &headers, b"").await
    };
    for target in ["/eureka/status", "/metrics"] {
        let packed = ask(target).await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{target}");
        assert!(gunzip(&packed).len() > packed.body.len(), "{target}");
    }
    for target in ["/eureka/vips/none", "/eureka/serverinfo/statusoverrides"] {
        assert_eq!(
            ask(target).await.header("content-encoding"),
            None,
            "{target}"
        );
    }
    for number in 0..20 {
        let id = format!("instance-{number}");
        world.register("APP", &id).await;
        let target = format!("/eureka/apps/APP/{id}/status?value=DOWN");
        world.ask("PUT", &target).await;
    }
    let overrides = ask("/eureka/serverinfo/statusoverrides").await;
    assert_eq!(overrides.header("content-encoding"), Some("gzip"));
    let json: serde_json::Value = serde_json::from_slice(&gunzip(&overrides)).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 20);
    assert_eq!(json["instance-7"], "DOWN");
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
