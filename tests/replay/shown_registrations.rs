//! Registrations that we read otherwise, one or more for each row of `docs/compatibility.md` about them.
//!
//! Owns bodies no recorded conversation has, and what comes of them here.

use serde_json::{Value, json};

use crate::server::Fresh;
use crate::support::http::{post_json, request, send};

const MY_OWN: &str =
    r#"{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}"#;

/// A registration of `id` in application SHOWN with these fields, which may replace others.
fn body(id: &str, fields: &str) -> String {
    let more: Value = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
    let center: Value = serde_json::from_str(MY_OWN).unwrap();
    let mut instance = json!({
        "instanceId": id, "hostName": "h", "app": "SHOWN", "ipAddr": "10.0.0.1", "dataCenterInfo": center,
    });
    let members = instance.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    json!({ "instance": instance }).to_string()
}

/// Row, fields, and what is then shown at a pointer into the instance, as JSON.
const READ: [(&str, &str, &str, &str); 10] = [
    (
        "D-20",
        r#""dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"Amazon"}"#,
        "/dataCenterInfo/metadata",
        r#"{"instance-id":"id"}"#,
    ),
    (
        "D-28",
        r#""u":[1,{"a":2}],"v":{"status":"DOWN"}"#,
        "/status",
        r#""UP""#,
    ),
    (
        "D-28",
        r#""port":{"$":1,"@enabled":"true","x":{"$":2}}"#,
        "/port/$",
        "1",
    ),
    (
        "D-29",
        r#""port":8080"#,
        "/port",
        r#"{"$":8080,"@enabled":"true"}"#,
    ),
    (
        "D-29",
        r#""securePort":8443"#,
        "/securePort",
        r#"{"$":8443,"@enabled":"false"}"#,
    ),
    (
        "D-30",
        r#""dataCenterInfo":{"name":"MyOwn"}"#,
        "/dataCenterInfo/name",
        r#""MyOwn""#,
    ),
    (
        "D-30",
        r#""dataCenterInfo":{"@class":"a.B","name":"MyOwn","x":1,"metadata":{"a":"b"}}"#,
        "/dataCenterInfo/name",
        r#""MyOwn""#,
    ),
    (
        "D-30",
        r#""dataCenterInfo":{"@class":"com.netflix.appinfo.AmazonInfo","name":"Amazon"}"#,
        "/dataCenterInfo/metadata",
        r#"{"instance-id":"id"}"#,
    ),
    (
        "D-33",
        r#""metadata":{"a":null,"b":"c"}"#,
        "/metadata",
        r#"{"b":"c"}"#,
    ),
    ("D-37", r#""status":"down""#, "/status", r#""DOWN""#),
];

#[test]
fn what_theirs_refuses_or_garbles_is_read_as_it_was_meant() {
    let server = Fresh::start();
    for (row, fields, pointer, expected) in READ {
        let answer = post_json(server.addr, "/eureka/apps/SHOWN", &body("id", fields)).unwrap();
        assert_eq!(answer.status, 204, "{row} {fields}: {}", answer.text());
        let shown = request(server.addr, "GET", "/eureka/apps/SHOWN/id")
            .unwrap()
            .json();
        let shown = shown["instance"].pointer(pointer).map(Value::to_string);
        assert_eq!(shown.as_deref(), Some(expected), "{row} {fields}");
        let all = request(server.addr, "GET", "/eureka/apps").unwrap().json();
        let first = &all["applications"]["application"][0]["name"];
        assert_eq!(first, "SHOWN", "{row}: the list is whole");
        // A status or a data center that stays would be the next one's.
        let gone = request(server.addr, "DELETE", "/eureka/apps/SHOWN/id").unwrap();
        assert_eq!(gone.status, 200);
    }
}

const UNPARSABLE: &str = r#"{"error": "cannot parse request body"}"#;

/// Row, body, and the text of the refusal.
fn refused() -> Vec<(&'static str, String, &'static str)> {
    let long = "x".repeat(1_025);
    let entries: Vec<String> = (0..10_000)
        .map(|entry| format!("\"k{entry}\":\"\""))
        .collect();
    let many = format!("\"metadata\":{{{}}}", entries.join(","));
    vec![
        ("D-31", body("id", r#""metadata":[]"#), UNPARSABLE),
        ("D-31", body("id", r#""leaseInfo":[]"#), UNPARSABLE),
        ("D-31", r#"{"instance":[]}"#.to_owned(), UNPARSABLE),
        (
            "D-32",
            body("id", r#""metadata":{"a":{"b":"c"},"z":"1"}"#),
            UNPARSABLE,
        ),
        ("D-32", body("id", r#""metadata":{"a":["x"]}"#), UNPARSABLE),
        ("D-34", "null".to_owned(), UNPARSABLE),
        (
            "D-35",
            body("id", r#""lastDirtyTimestamp":"-5""#),
            UNPARSABLE,
        ),
        ("D-36", body(" ", ""), "Missing instanceId"),
        ("D-36", body("id", r#""ipAddr":" ""#), "Missing ip address"),
        (
            "D-41",
            body(&long, ""),
            "instanceId is 1025 bytes long: names are at most 1024 bytes",
        ),
        (
            "D-41",
            body("a\u{1}b", ""),
            "instanceId has a control character",
        ),
        ("D-41", body("id", &many), "more than 512 metadata entries"),
    ]
}

#[test]
fn what_theirs_stores_garbled_or_never_answers_is_refused() {
    let server = Fresh::start();
    for (row, body, text) in refused() {
        let answer = post_json(server.addr, "/eureka/apps/SHOWN", &body).unwrap();
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, text),
            "{row}"
        );
    }
    let large = body(
        "id",
        &format!("\"metadata\":{{\"k\":\"{}\"}}", "x".repeat(256 * 1024)),
    );
    let answer = post_json(server.addr, "/eureka/apps/SHOWN", &large).unwrap();
    assert_eq!(answer.status, 413, "D-41");
    let xml = "<instance><hostName>h</hostName><app>SHOWN</app><ipAddr>1</ipAddr><dataCenterInfo><name>MyOwn</name>\
               </dataCenterInfo><lastDirtyTimestamp>soon</lastDirtyTimestamp></instance>";
    let headers = [("Content-Type", "application/xml")];
    let answer = send(
        server.addr,
        "POST",
        "/eureka/apps/SHOWN",
        &headers,
        xml.as_bytes(),
    )
    .unwrap();
    assert_eq!(answer.status, 400, "D-35: {}", answer.text());
    let all = request(server.addr, "GET", "/eureka/apps").unwrap().json();
    assert_eq!(
        all["applications"]["application"],
        json!([]),
        "nothing was changed"
    );
}

/// D-38 and D-39: an id comes from `instanceId` or is the host name, and stays.
#[test]
fn metadata_never_names_an_instance() {
    let server = Fresh::start();
    let status = |method: &str, path: &str| request(server.addr, method, path).unwrap().status;
    let fields = r#""instanceId":null,"metadata":{"instanceId":"q"}"#;
    assert_eq!(
        post_json(server.addr, "/eureka/apps/SHOWN", &body("", fields))
            .unwrap()
            .status,
        204
    );
    assert_eq!(
        status("PUT", "/eureka/apps/SHOWN/h/metadata?instanceId=r"),
        200,
        "D-39"
    );
    let shown = request(server.addr, "GET", "/eureka/apps/SHOWN")
        .unwrap()
        .json();
    assert_eq!(
        shown["application"]["instance"][0]["instanceId"], "h",
        "D-38"
    );
    assert_eq!(
        shown["application"]["instance"][0]["metadata"]["instanceId"],
        "r"
    );
    for (method, path) in [("GET", "h"), ("PUT", "h"), ("DELETE", "h")] {
        assert_eq!(
            status(method, &format!("/eureka/apps/SHOWN/{path}")),
            200,
            "D-39 {method}"
        );
    }
    assert_eq!(status("GET", "/eureka/apps/SHOWN/h%3Aq"), 404);
}

/// D-40 and D-44: the longest lease is not over when it is renewed, and says when that was.
#[test]
fn the_longest_lease_can_be_renewed() {
    let server = Fresh::start();
    let lease = r#""leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":2147483647}"#;
    assert_eq!(
        post_json(server.addr, "/eureka/apps/SHOWN", &body("id", lease))
            .unwrap()
            .status,
        204
    );
    for _ in 0..2 {
        assert_eq!(
            request(server.addr, "PUT", "/eureka/apps/SHOWN/id")
                .unwrap()
                .status,
            200
        );
    }
    let shown = request(server.addr, "GET", "/eureka/apps/SHOWN/id")
        .unwrap()
        .json();
    let lease = &shown["instance"]["leaseInfo"];
    assert_eq!(lease["durationInSecs"], 2_147_483_647);
    let (registered, renewed) = (
        &lease["registrationTimestamp"],
        &lease["lastRenewalTimestamp"],
    );
    let late = renewed.as_u64().unwrap() - registered.as_u64().unwrap();
    assert!(
        late < 60_000,
        "D-44: {late} ms after the registration, not a lease later"
    );
}
