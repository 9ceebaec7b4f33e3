//! 7.6 Reads, second part: paths, methods and headers (cases 71 to 78).

use std::io::Read;

use flate2::read::GzDecoder;

use super::documents::{Instance, JSON, XML, listed};
use super::targets::Target;
use crate::support::cluster::SOON;
use crate::support::eventually::eventually;
use crate::support::http::{Answer, send};

/// Every path that can be read, of an application with the instance `id`.
fn readable(app: &str, id: &str) -> Vec<String> {
    let vip = app.to_lowercase();
    vec![
        "apps".to_owned(),
        "apps/delta".to_owned(),
        format!("apps/{app}"),
        format!("apps/{app}/{id}"),
        format!("vips/{vip}"),
        format!("svips/{vip}"),
        format!("instances/{id}"),
    ]
}

case!(case_71_a_trailing_slash_changes_nothing, alone);
fn case_71_a_trailing_slash_changes_nothing(at: &Target) {
    at.register(&Instance::new("C71", "c71-i-1"));
    for path in readable("C71", "c71-i-1") {
        assert_eq!(at.read(&format!("{path}/")), at.read(&path), "{path}");
    }
    let body = Instance::new("C71", "c71-i-2").json();
    assert_eq!(at.post("C71/", "application/json", &body).status, 204);
    assert_eq!(at.status("PUT", "apps/C71/c71-i-2/"), 200);
    assert_eq!(at.status("DELETE", "apps/C71/c71-i-2/"), 200);
}

/// Heartbeats, reads and cancels the instance `id`, which a path spells `spelt`.
fn lives_and_leaves(at: &Target, app: &str, id: &str, spelt: &str) {
    at.register(&Instance::new(app, id));
    let path = format!("apps/{app}/{spelt}");
    assert_eq!(at.status("PUT", &path), 200, "{spelt}");
    assert_eq!(at.read(&path)["instance"]["instanceId"], id, "{spelt}");
    assert_eq!(
        at.status("PUT", &format!("{path}/status?value=DOWN")),
        200,
        "{spelt}"
    );
    assert_eq!(
        at.status("PUT", &format!("{path}/metadata?a=1")),
        200,
        "{spelt}"
    );
    assert_eq!(
        at.status("DELETE", &format!("{path}/status")),
        200,
        "{spelt}"
    );
    assert_eq!(at.status("DELETE", &path), 200, "{spelt}");
    assert_eq!(at.status("GET", &path), 404, "{spelt}");
}

// D-25: Tomcat lets nobody reach `a/b`.
case!(case_72_odd_ids_are_reached_as_clients_spell_them);
fn case_72_odd_ids_are_reached_as_clients_spell_them(at: &Target) {
    for (id, spelt) in [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("a+b", "a+b"),
        ("a:b", "a:b"),
        ("a:b", "a%3Ab"),
        ("ä", "%C3%A4"),
        ("a%b", "a%25b"),
        ("a;b", "a%3Bb"),
        ("77", "77"),
        ("..", ".."),
    ] {
        lives_and_leaves(at, "C72", id, spelt);
    }
    at.register(&Instance::new("C72", "a"));
    assert_eq!(
        at.status("PUT", "apps/C72/a;b=c"),
        200,
        "a matrix parameter is no part of an id"
    );
}

case!(case_73_an_id_of_reserved_characters_works_encoded);
fn case_73_an_id_of_reserved_characters_works_encoded(at: &Target) {
    lives_and_leaves(at, "C73", "test#1.[3.?]!", "test%231.%5B3.%3F%5D!");
}

case!(case_74_regions_that_are_not_there_add_nothing);
fn case_74_regions_that_are_not_there_add_nothing(at: &Target) {
    at.register(&Instance::new("C74", "i-1"));
    for path in ["apps", "apps/", "apps/delta", "vips/c74"] {
        for regions in ["unknown", "us-east-1,eu-west-1", ""] {
            let list = at.read(&format!("{path}?regions={regions}"));
            assert!(listed(&list, "C74", "i-1").is_some(), "{path} {regions}");
        }
    }
}

// D-03, D-04: as Netflix answers, and HEAD is named because it is answered.
case!(case_75_a_method_that_is_not_there_is_405_and_says_which_are);
fn case_75_a_method_that_is_not_there_is_405_and_says_which_are(at: &Target) {
    at.register(&Instance::new("C75", "i-1"));
    for (method, path, allowed) in [
        ("DELETE", "apps/C75", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "apps/C75", "GET, HEAD, POST, OPTIONS"),
        ("POST", "apps", "GET, HEAD, OPTIONS"),
        ("POST", "apps/delta", "GET, HEAD, OPTIONS"),
        ("POST", "apps/C75/i-1", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("GET", "apps/C75/i-1/status", "PUT, DELETE, OPTIONS"),
        ("GET", "apps/C75/i-1/metadata", "PUT, OPTIONS"),
        ("GET", "vips", "OPTIONS"),
        ("GET", "svips", "OPTIONS"),
        ("GET", "instances", "OPTIONS"),
    ] {
        let answer = at.ask(method, path);
        assert_eq!(
            (answer.status, answer.body.len()),
            (405, 0),
            "{method} {path}"
        );
        let mut found = methods(answer.header("allow"));
        let mut wanted = methods(Some(allowed));
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{method} {path}");
    }
    assert_eq!(at.get("apps/C75/i-1").status, 200);
}

fn methods(allow: Option<&str>) -> Vec<&str> {
    let allow = allow.expect("an Allow header");
    allow.split(',').map(str::trim).collect()
}

case!(case_76_head_is_get_without_the_body);
fn case_76_head_is_get_without_the_body(at: &Target) {
    at.register(&Instance::new("C76", "c76-i-1"));
    for path in readable("C76", "c76-i-1") {
        let head = at.ask("HEAD", &path);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(
            head.header("content-type"),
            Some("application/json"),
            "{path}"
        );
    }
    assert_eq!(at.status("HEAD", "apps/C76NOBODY"), 404);
}

fn unzipped(answer: &Answer) -> String {
    let mut text = String::new();
    let mut decoder = GzDecoder::new(&answer.body[..]);
    decoder.read_to_string(&mut text).expect("gzip of UTF-8");
    text
}

// D-10, D-11, D-12: gzip on every document, by the header's grammar, and never unasked.
case!(case_77_gzip_when_asked_for_and_plain_when_not, alone);
fn case_77_gzip_when_asked_for_and_plain_when_not(at: &Target) {
    at.register(&Instance::new("C77", "c77-i-1"));
    for path in readable("C77", "c77-i-1") {
        // Prometheus sends neither header and cannot unzip; Netflix 2 sends no encoding either.
        let plain = at.send("GET", &path, &[JSON], b"");
        assert_eq!(
            (plain.status, plain.header("content-encoding")),
            (200, None),
            "{path}"
        );
        for coding in ["gzip", "gzip, deflate, br"] {
            let zipped = at.send("GET", &path, &[JSON, ("Accept-Encoding", coding)], b"");
            assert_eq!(zipped.header("content-encoding"), Some("gzip"), "{path}");
            assert_eq!(zipped.header("content-type"), Some("application/json"));
            assert_eq!(unzipped(&zipped), plain.text(), "{path}");
        }
        for coding in ["identity", "deflate", "br", "gzip;q=0"] {
            let answer = at.send("GET", &path, &[JSON, ("Accept-Encoding", coding)], b"");
            assert_eq!(
                (answer.status, answer.header("content-encoding")),
                (200, None),
                "{coding}"
            );
        }
    }
}

/// What a client notices of an answer.
fn noticed(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let named = ["content-type", "content-encoding", "allow", "vary"];
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        named
            .contains(&name.as_str())
            .then(|| (name, value.clone()))
    });
    (answer.status, headers.collect(), answer.body.clone())
}

case!(case_78_both_prefixes_answer_the_same, alone);
fn case_78_both_prefixes_answer_the_same(at: &Target) {
    at.register(&Instance::new("C78", "c78-i-1"));
    let same = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let [short, long] = ["/eureka", "/eureka/v2"].map(|prefix| {
            let path = format!("{prefix}/{path}");
            eventually("a leader", SOON, || {
                let answer = send(at.addr(), method, &path, headers, body).ok()?;
                (answer.status != 503).then(|| noticed(&answer))
            })
        });
        assert_eq!(short, long, "{method} {path} {headers:?}");
    };
    let mut paths = readable("C78", "c78-i-1");
    paths.extend(["vips", "apps/", "apps/C78NOBODY", "apps/a/b/c", "nothing"].map(String::from));
    for path in &paths {
        for accept in [JSON, XML, ("Accept", "text/html")] {
            for extra in [("X-Eureka-Accept", "compact"), ("Accept-Encoding", "gzip")] {
                same("GET", path, &[accept, extra], b"");
            }
        }
        same("HEAD", path, &[], b"");
        same("DELETE", "apps/C78", &[], b"");
    }
    let body = Instance::new("C78", "c78-i-2").json();
    let typed = [("Content-Type", "application/json")];
    same("POST", "apps/C78", &typed, body.as_bytes());
    same("POST", "apps/C78", &typed, b"nonsense");
    same("POST", "apps/OTHER", &typed, body.as_bytes());
    for path in [
        "",
        "/status?value=DOWN",
        "/status",
        "/metadata?a=1",
        "?lastDirtyTimestamp=x",
    ] {
        same("PUT", &format!("apps/C78/c78-i-2{path}"), &[], b"");
        same("PUT", &format!("apps/C78/nobody{path}"), &[], b"");
    }
}
