//! Reads and paths that we answer otherwise, one or more for each row of `docs/compatibility.md` about them.
//!
//! Owns requests no recorded conversation has, and what comes of them here.

use serde_json::Value;

use crate::server::Fresh;
use crate::support::http::{Answer, exchange, gunzip, post_json, request, send};
use crate::support::instance;

const JSON: (&str, &str) = ("Accept", "application/json");
const XML: (&str, &str) = ("Accept", "application/xml");

fn get(server: &Fresh, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(server.addr, "GET", path, headers, b"").unwrap()
}

fn register(server: &Fresh, app: &str, id: &str) {
    let body = instance::body(app, id, 3_600);
    let answer = post_json(server.addr, &format!("/eureka/apps/{app}"), &body).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// A registration with these fields besides its names.
fn register_with(server: &Fresh, id: &str, fields: &Value) {
    let mut body: Value = serde_json::from_str(&instance::body("SHOWN", id, 3_600)).unwrap();
    let instance = body["instance"].as_object_mut().unwrap();
    instance.extend(fields.as_object().unwrap().clone());
    let answer = post_json(server.addr, "/eureka/apps/SHOWN", &body.to_string()).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// D-10 and D-11.
#[test]
fn gzip_is_a_word_and_is_understood_for_every_document() {
    let server = Fresh::start();
    register(&server, "SHOWN", "id");
    for path in [
        "apps",
        "apps/delta",
        "apps/SHOWN",
        "apps/SHOWN/id",
        "instances/id",
    ] {
        let path = format!("/eureka/{path}");
        let plain = get(&server, &path, &[JSON]);
        for (asked, packed) in [
            ("gzip", true),
            ("GZIP", true),
            ("gzip;q=0", false),
            ("not-gzip", false),
        ] {
            let answer = get(&server, &path, &[JSON, ("Accept-Encoding", asked)]);
            let is_packed = answer.header("content-encoding") == Some("gzip");
            assert_eq!(is_packed, packed, "{path} {asked}");
            let body = if packed {
                gunzip(&answer.body)
            } else {
                answer.body
            };
            assert_eq!(body, plain.body, "{path} {asked}");
        }
    }
}

/// D-13.
#[test]
fn a_gzipped_registration_is_read() {
    let server = Fresh::start();
    let body = instance::body("SHOWN", "id", 3_600);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, body.as_bytes()).unwrap();
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    let packed = encoder.finish().unwrap();
    let answer = send(server.addr, "POST", "/eureka/apps/SHOWN", &headers, &packed).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// D-14: theirs says DOWN for both.
#[test]
fn one_instance_in_xml_has_the_status_it_has_in_lists() {
    let server = Fresh::start();
    register(&server, "SHOWN", "id");
    for (method, query, status) in [
        ("PUT", "?value=OUT_OF_SERVICE", "OUT_OF_SERVICE"),
        ("DELETE", "", "UNKNOWN"),
    ] {
        let path = format!("/eureka/apps/SHOWN/id/status{query}");
        assert_eq!(request(server.addr, method, &path).unwrap().status, 200);
        for path in ["apps/SHOWN/id", "instances/id", "apps/SHOWN"] {
            let shown = get(&server, &format!("/eureka/{path}"), &[XML]).text();
            assert!(
                shown.contains(&format!("<status>{status}</status>")),
                "{path}: {shown}"
            );
        }
    }
}

/// D-16.
#[test]
fn the_status_document_is_whole() {
    let server = Fresh::start();
    let status = get(&server, "/eureka/status", &[JSON]).json();
    for part in [
        "generalStats",
        "applicationStats",
        "instanceInfo",
        "healthy",
    ] {
        assert!(!status[part].is_null(), "{part} in {status}");
    }
}

/// D-18 and D-45.
#[test]
fn a_delta_has_one_entry_an_instance_and_a_version_that_grows() {
    let server = Fresh::start();
    for id in ["a", "b"] {
        register(&server, "SHOWN", id);
        assert_eq!(
            request(server.addr, "DELETE", &format!("/eureka/apps/SHOWN/{id}"))
                .unwrap()
                .status,
            200
        );
    }
    register(&server, "SHOWN", "b");
    register(&server, "SHOWN", "c");
    let delta = || get(&server, "/eureka/apps/delta", &[JSON]).json()["applications"].clone();
    let shown: Vec<String> = delta()["application"][0]["instance"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shown| format!("{} {}", shown["instanceId"], shown["actionType"]).replace('"', ""))
        .collect();
    assert_eq!(shown, ["b ADDED", "c ADDED", "a DELETED"]);
    let version = || -> u64 {
        delta()["versions__delta"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let before = version();
    let xml = get(&server, "/eureka/apps/delta", &[XML]).text();
    assert!(
        xml.contains(&format!("<versions__delta>{before}</versions__delta>")),
        "{xml}"
    );
    assert_eq!(
        request(server.addr, "PUT", "/eureka/apps/SHOWN/b/metadata?k=v")
            .unwrap()
            .status,
        200
    );
    assert!(
        version() > before,
        "metadata changes no hash code, but the version"
    );
}

/// D-19.
#[test]
fn a_change_is_seen_under_each_vip_in_every_form() {
    let server = Fresh::start();
    register_with(
        &server,
        "id",
        &serde_json::json!({"vipAddress": "one,two", "secureVipAddress": "three,four"}),
    );
    let paths = ["vips/one", "vips/two", "svips/three", "svips/four"];
    for status in ["UP", "DOWN"] {
        let path = format!("/eureka/apps/SHOWN/id/status?value={status}");
        assert_eq!(request(server.addr, "PUT", &path).unwrap().status, 200);
        for path in paths {
            for form in ["full", "compact"] {
                let list = get(
                    &server,
                    &format!("/eureka/{path}"),
                    &[JSON, ("X-Eureka-Accept", form)],
                );
                let shown = &list.json()["applications"]["application"][0]["instance"][0];
                assert_eq!(shown["status"], status, "{path} {form}");
            }
        }
    }
}

/// D-21.
#[test]
fn no_metadata_makes_xml_that_cannot_be_read() {
    let server = Fresh::start();
    let metadata = serde_json::json!({"": "v", "a:b": "w", "c": "\u{1}"});
    register_with(&server, "id", &serde_json::json!({ "metadata": metadata }));
    let xml = get(&server, "/eureka/apps", &[XML]).text();
    assert!(xml.contains("<a_.003ab>w</a_.003ab>"), "{xml}");
    assert!(xml.contains("<c>\u{fffd}</c>"), "{xml}");
    assert!(!xml.contains("<>") && !xml.contains("&#x1;"), "{xml}");
}

/// D-23, D-26 and D-27.
#[test]
fn every_prefix_leads_to_the_one_registry() {
    let server = Fresh::start();
    register(&server, "SHOWN", "id");
    assert_eq!(
        request(
            server.addr,
            "PUT",
            "/eureka/apps/SHOWN/id/status?value=OUT_OF_SERVICE"
        )
        .unwrap()
        .status,
        200
    );
    let expected = get(&server, "/eureka/apps", &[XML]).text();
    for path in [
        "/eureka/v1/apps",
        "/eureka/v2/apps",
        "/v2/apps",
        "/apps",
        "//apps",
        "/eureka//apps",
        "/eureka/apps//",
    ] {
        assert_eq!(get(&server, path, &[XML]).text(), expected, "{path}");
    }
    assert_eq!(
        get(&server, "/eureka/serverinfo/statusoverrides", &[JSON]).text(),
        r#"{"id":"OUT_OF_SERVICE"}"#
    );
    assert_eq!(get(&server, "/eureka/healthcheck", &[]).status, 200);
}

/// D-25.
#[test]
fn a_slash_in_an_id_stays_in_the_id() {
    let server = Fresh::start();
    register(&server, "SHOWN", "a/b");
    for method in ["GET", "PUT", "DELETE"] {
        let answer = request(server.addr, method, "/eureka/apps/SHOWN/a%2Fb").unwrap();
        assert_eq!(answer.status, 200, "{method}");
    }
}

/// D-46.
#[test]
fn a_connection_outlives_its_hundredth_request() {
    let server = Fresh::start();
    let mut requests = "GET /eureka/vips/none HTTP/1.1\r\nHost: x\r\n\r\n".repeat(150);
    requests += "GET /eureka/vips/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = exchange(server.addr, requests.as_bytes()).unwrap();
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 151);
}

/// D-47.
#[test]
fn validators_are_for_those_who_ask() {
    let server = Fresh::start();
    register(&server, "SHOWN", "id");
    for path in ["/eureka/apps", "/eureka/apps/delta", "/eureka/apps/SHOWN"] {
        let first = get(&server, path, &[JSON]);
        let tag = first.header("etag").expect("a tag").to_owned();
        assert!(first.index() > 0);
        assert_eq!(
            get(&server, path, &[JSON]).status,
            200,
            "{path}: nobody else changes"
        );
        let again = get(&server, path, &[JSON, ("If-None-Match", &tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    assert_eq!(
        get(&server, "/eureka/apps/SHOWN/id", &[JSON]).header("etag"),
        None,
        "it changes with each renewal"
    );
}

/// D-48.
#[test]
fn pages_for_people_show_what_theirs_show() {
    let server = Fresh::start();
    register(&server, "SHOWN", "id");
    for (path, accept) in [("/", "*/*"), ("/lastn", "text/html")] {
        let page = get(&server, path, &[("Accept", accept)]);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{path}"
        );
        assert!(page.text().contains("SHOWN"), "{path}: {}", page.text());
    }
}
