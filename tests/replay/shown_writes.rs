//! Writes that we answer otherwise, one or more for each row of `docs/compatibility.md` about them.
//!
//! Owns requests no recorded conversation has, and what comes of them here.

use serde_json::Value;

use crate::server::Fresh;
use crate::support::http::{post_json, request, send};
use crate::support::instance;

fn register(server: &Fresh, app: &str) {
    let body = instance::body(app, "id", 3_600);
    let answer = post_json(server.addr, &format!("/eureka/apps/{app}"), &body).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
}

fn status(server: &Fresh, method: &str, path: &str) -> u16 {
    request(server.addr, method, &format!("/eureka/{path}"))
        .unwrap()
        .status
}

/// Status and override of instance `id`.
fn shown(server: &Fresh, app: &str) -> (String, String) {
    let shown = request(server.addr, "GET", &format!("/eureka/apps/{app}/id"))
        .unwrap()
        .json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        text(&shown["instance"]["status"]),
        text(&shown["instance"]["overriddenStatus"]),
    )
}

fn pair(status: &str, overridden: &str) -> (String, String) {
    (status.to_owned(), overridden.to_owned())
}

/// D-60 and D-61.
#[test]
fn an_override_is_of_one_instance_and_goes_with_it() {
    let server = Fresh::start();
    register(&server, "ONE");
    register(&server, "TWO");
    assert_eq!(
        status(&server, "PUT", "apps/ONE/id/status?value=OUT_OF_SERVICE"),
        200
    );
    assert_eq!(status(&server, "PUT", "apps/TWO/id"), 200);
    register(&server, "TWO");
    assert_eq!(shown(&server, "TWO"), pair("UP", "UNKNOWN"), "D-60");
    assert_eq!(status(&server, "DELETE", "apps/NONE/id"), 404);
    register(&server, "ONE");
    assert_eq!(
        shown(&server, "ONE"),
        pair("OUT_OF_SERVICE", "OUT_OF_SERVICE"),
        "D-61"
    );
}

/// D-02: nothing of a bad request is carried out.
#[test]
fn a_bad_parameter_changes_nothing() {
    let server = Fresh::start();
    register(&server, "SHOWN");
    for path in [
        "apps/SHOWN/id/status",
        "apps/SHOWN/id/status?value=",
        "apps/SHOWN/id/status?value=down",
        "apps/SHOWN/id/status?value=DOWN&lastDirtyTimestamp=x",
        "apps/SHOWN/id?lastDirtyTimestamp=",
    ] {
        assert_eq!(status(&server, "PUT", path), 400, "{path}");
        assert_eq!(shown(&server, "SHOWN"), pair("UP", "UNKNOWN"), "{path}");
    }
    assert_eq!(
        status(&server, "DELETE", "apps/SHOWN/id/status?value=bogus"),
        400
    );
}

/// D-62.
#[test]
fn a_registration_without_a_type_is_415_also_when_it_is_empty() {
    let server = Fresh::start();
    for body in [&b""[..], b"x"] {
        let answer = send(server.addr, "POST", "/eureka/apps/SHOWN", &[], body).unwrap();
        assert_eq!((answer.status, answer.body.len()), (415, 0));
    }
}

/// D-70.
#[test]
fn batches_of_peers_are_not_taken_unless_told_to() {
    let server = Fresh::start();
    let answer = post_json(
        server.addr,
        "/eureka/peerreplication/batch/",
        r#"{"replicationList":[]}"#,
    )
    .unwrap();
    assert_eq!((answer.status, answer.body.len()), (404, 0));
}
