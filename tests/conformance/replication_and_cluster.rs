//! 7.8 Replication, cluster, robustness: three nodes are one registry, whoever is asked and whoever leads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::documents::{Instance, JSON, REPLICATED, T, XML, counted, instances};
use super::schema;
use super::targets::{Shape, Target, every_node, everyday};
use super::time::{batch, eviction_of, register_at_once};
use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, timed};
use crate::support::http::{Answer, exchange, parse, request, send};

/// By when a client has to hear that a node cannot help it: Java waits 8 s, fargo 5 s for a connection.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// The read time-out of Netflix's Java client.
const JAVA_READS: Duration = Duration::from_secs(8);

case!(case_85_a_batch_of_a_peer_has_one_answer_an_item, brief);
fn case_85_a_batch_of_a_peer_has_one_answer_an_item(at: &Target) {
    let of = |action: &str, id: &str, dirty: u64| json!({ "appName": "C85", "id": id, "action": action, "status": "UP", "lastDirtyTimestamp": dirty });
    let register = |app: &str, id: &str| {
        let mut item = of("Register", id, T);
        item["instanceInfo"] = Instance::new(app, id).fields();
        item
    };
    let mut out = of("StatusUpdate", "i-1", T);
    out["status"] = "OUT_OF_SERVICE".into();
    let items = json!([
        register("C85", "i-1"),
        register("C85", "i-2"),
        register("OTHER", "i-3"),
        of("Heartbeat", "i-1", T),
        of("Heartbeat", "i-1", T - 1),
        of("Heartbeat", "i-1", T + 1),
        of("Heartbeat", "nobody", T),
        out,
        of("DeleteStatusOverride", "i-2", T),
        { "appName": "C85", "id": "i-2", "action": "Cancel" },
        { "appName": "C85", "id": "i-2", "action": "Cancel" },
    ]);
    let answer = batch(at, &items);
    assert_eq!(answer.status, 200);
    let list = answer.json()["responseList"].take();
    let answers = list.as_array().expect("an array");
    let codes: Vec<u64> = answers
        .iter()
        .filter_map(|one| one["statusCode"].as_u64())
        .collect();
    assert_eq!(
        codes,
        [200, 200, 200, 200, 409, 404, 404, 200, 200, 200, 404]
    );
    assert_eq!(answers[4]["responseEntity"]["instanceId"], "i-1");
    assert_eq!(at.status_of("C85", "i-1"), "OUT_OF_SERVICE");
    for path in ["apps/C85/i-2", "apps/C85/i-3", "apps/OTHER/i-3"] {
        assert_eq!(at.status("GET", path), 404, "{path}");
    }
    assert_eq!(batch(at, &json!([])).text(), r#"{"responseList":[]}"#);
    assert_eq!(batch(at, &json!([of("Bogus", "i-1", T)])).status, 400);
    // Nobody's peer unless its operator says so.
    let off = batch(&everyday(Shape::OneNode), &items);
    assert_eq!((off.status, off.body.len()), (404, 0));
}

#[test]
fn case_86_what_one_node_was_told_every_node_shows_at_once() {
    let nodes = every_node();
    for (told, writer) in nodes.iter().enumerate() {
        for (asked, reader) in nodes.iter().enumerate() {
            let id = format!("i-{told}-{asked}");
            writer.register(&Instance::new("C86", &id));
            assert_eq!(reader.status_of("C86", &id), "UP", "{told} to {asked}");
            let path = format!("apps/C86/{id}");
            assert_eq!(
                writer.status("PUT", &format!("{path}/status?value=DOWN")),
                200
            );
            assert_eq!(reader.status_of("C86", &id), "DOWN");
            let shown = reader.delta_of("C86", &id).expect("it changed");
            assert_eq!(shown["actionType"], "MODIFIED");
            assert_eq!(writer.status("DELETE", &path), 200);
            assert_eq!(reader.status("GET", &path), 404);
        }
    }
}

#[test]
fn case_87_a_heartbeat_right_after_a_registration_elsewhere_is_200() {
    let nodes = every_node();
    for round in 0..10 {
        for told in 0..nodes.len() {
            let id = format!("i-{round}-{told}");
            nodes[told].register(&Instance::new("C87", &id));
            for node in &nodes {
                let path = format!("apps/C87/{id}?status=UP&lastDirtyTimestamp={T}");
                assert_eq!(node.status("PUT", &path), 200);
            }
        }
    }
}

// The house rules refuse a redirect in every case; here is each kind of request on each node.
#[test]
fn case_88_no_node_redirects_any_request() {
    for node in every_node() {
        node.register(&Instance::new("C88", "i-1"));
        for method in ["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH"] {
            for path in [
                "",
                "/",
                "apps",
                "apps/",
                "apps/delta",
                "apps/C88",
                "apps/C88/i-1",
                "apps/C88/i-1/status?value=UP",
                "apps/C88/i-1/metadata?a=1",
                "vips/c88",
                "svips/c88",
                "instances/i-1",
                "status",
                "vips",
                "nothing",
                "asg/a/status?value=ENABLED",
                "apps/C88/nobody",
                "peerreplication/batch/",
            ] {
                for headers in [&[JSON][..], &[JSON, REPLICATED]] {
                    let answer = send(node.addr(), method, &node.path(path), headers, b"");
                    let status = answer.expect("an answer").status;
                    assert!(!(300..400).contains(&status), "{method} {path}: {status}");
                }
            }
        }
    }
}

/// A client's way through its list of servers: the next one on a refused connection or a 503.
fn first_that_helps(servers: &[&Target], method: &str, path: &str) -> Option<u16> {
    servers.iter().find_map(|server| {
        let answer = send(server.addr(), method, &server.path(path), &[JSON], b"").ok()?;
        (answer.status != 503).then_some(answer.status)
    })
}

/// What a node without a leader answers to anything.
fn refuses(node: &Target, method: &str, path: &str) {
    let (answer, took) = timed(|| node.ask_once(method, path));
    assert_eq!(
        (answer.status, answer.body.len()),
        (503, 0),
        "{method} {path}"
    );
    assert!(took < REFUSED_WITHIN, "{method} {path} took {took:?}");
    assert_eq!(answer.header("x-eureka-raft-outcome"), Some("not-executed"));
}

#[test]
fn case_89_a_node_without_a_leader_says_503_and_clients_go_on_with_another() {
    let mut cluster = Cluster::started(3, &[]);
    let members: Vec<Target> = { &cluster.nodes }
        .iter()
        .map(|n| Target::at(n.http))
        .collect();
    members[0].register(&Instance::new("C89", "i-1"));
    // One that has not been let in: it knows no leader, while the others have one.
    let outsider = cluster.newcomer("outsider");
    cluster.nodes[outsider].set("cluster.join=[\"127.0.0.1:1\"]");
    cluster.nodes[outsider].start();
    let outsider = Target::at(cluster.nodes[outsider].http);
    eventually("the outsider listens", SOON, || {
        request(outsider.addr(), "GET", "/livez").ok()
    });
    let requests = [
        ("PUT", "apps/C89/i-1", 200),
        ("GET", "apps/C89/i-1", 200),
        ("GET", "apps/delta", 200),
    ];
    for (method, path, status) in requests {
        refuses(&outsider, method, path);
        assert_eq!(
            first_that_helps(&[&outsider, &members[1]], method, path),
            Some(status)
        );
    }
    // And one whose leader and majority are gone.
    for node in [0, 1] {
        cluster.nodes[node].kill();
    }
    for (method, path, status) in requests {
        refuses(&members[2], method, path);
        assert_eq!(
            first_that_helps(&[&members[0], &members[2]], method, path),
            None,
            "{status}"
        );
    }
    cluster.nodes[0].start();
    cluster.nodes[0].await_ready();
    for (method, path, status) in requests {
        eventually("two of three go on", SOON, || {
            let helped = first_that_helps(&[&members[1], &members[2]], method, path);
            (helped == Some(status)).then_some(())
        });
    }
}

#[test]
fn case_90_a_change_of_leader_loses_nobody_and_ends_no_lease_early() {
    // Longer than an election, so that a lease cut short by it would end before its time.
    const LEASE_SECS: u32 = 4;
    let mut cluster = Cluster::started(3, &["protection.enabled=false"]);
    let leader = cluster.leader();
    let others = { &cluster.nodes }
        .iter()
        .enumerate()
        .filter(|(node, _)| *node != leader);
    let others: Vec<Target> = others.map(|(_, node)| Target::at(node.http)).collect();
    let ids: Vec<String> = (0..10).map(|number| format!("i-{number}")).collect();
    for id in &ids {
        others[0].register(&Instance::new("C90", id));
    }
    others[0].register(&Instance::new("C90", "dying").lease(LEASE_SECS, 1));
    cluster.nodes[leader].kill();
    // While there is no leader a heartbeat waits, and may be 503; never is anybody told to register again.
    let servers: Vec<&Target> = others.iter().collect();
    for id in &ids {
        let path = format!("apps/C90/{id}?status=UP&lastDirtyTimestamp={T}");
        eventually("a heartbeat at the next leader", SOON, || {
            let answer = first_that_helps(&servers, "PUT", &path)?;
            assert_eq!(answer, 200, "{id}");
            Some(())
        });
    }
    // The one whose lease does end ends it under the next leader, with no time of it lost.
    let ended = eviction_of(&others[0], "C90", "dying");
    assert!(
        ended.evicted >= ended.registered + u64::from(LEASE_SECS) * 1_000,
        "{ended:?}"
    );
    for (id, other) in ids.iter().zip(others.iter().cycle()) {
        assert_eq!(other.status_of("C90", id), "UP");
    }
}

#[test]
fn case_91_hash_and_list_agree_while_many_write() {
    const WRITES: u64 = 60;
    let nodes = every_node();
    let busy = AtomicBool::new(true);
    thread::scope(|threads| {
        let writers: Vec<_> = (0..nodes.len())
            .map(|at| {
                let node = &nodes[at];
                threads.spawn(move || {
                    for dirty in 0..WRITES {
                        let status = ["UP", "DOWN", "STARTING"][(dirty % 3) as usize];
                        let id = format!("i-{at}-{}", dirty % 7);
                        node.register(&Instance::new("C91", &id).says(status, T + dirty));
                    }
                })
            })
            .collect();
        for node in &nodes {
            let busy = &busy;
            threads.spawn(move || {
                while busy.load(Ordering::Relaxed) {
                    for path in ["apps", "vips/c91"] {
                        let list = node.read(path);
                        assert_eq!(
                            list["applications"]["apps__hashcode"],
                            counted(&list),
                            "{path}"
                        );
                    }
                }
            });
        }
        let ended: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        busy.store(false, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok), "a writer failed");
    });
}

#[test]
fn case_92_ten_thousand_instances_are_read_well_within_javas_time_out() {
    const APPS: usize = 20;
    const EACH: usize = 500;
    let cluster = Cluster::started(3, &["compat.peer_replication=true"]);
    let nodes: Vec<Target> = { &cluster.nodes }
        .iter()
        .map(|node| Target::at(node.http))
        .collect();
    for (app, node) in (0..APPS).zip(nodes.iter().cycle()) {
        let name = format!("C92-{app}");
        let id = |number: usize| format!("{name}-host-{number}.example:8080");
        register_at_once(
            node,
            (0..EACH).map(|number| Instance::new(&name, &id(number))),
        );
    }
    let reads = nodes.iter().map(|node| (node, "apps"));
    for (node, path) in reads.chain([(&nodes[0], "apps/delta")]) {
        let (answer, took) = timed(|| send(node.addr(), "GET", &node.path(path), &[JSON], b""));
        let list = answer.expect("an answer").json();
        assert!(took < JAVA_READS, "{path} took {took:?}");
        assert_eq!(instances(&list).len(), APPS * EACH, "{path}");
        assert_eq!(list["applications"]["apps__hashcode"], "UP_10000_");
        schema::check_json(path, &list);
    }
}

/// One request as written here, `{base}`, `{length}` and `{body}` filled in; its answer.
fn as_written(at: &Target, request: &str, body: &str) -> Answer {
    let request = request
        .replace("{base}", &at.path(""))
        .replace("{length}", &body.len().to_string())
        .replace("{size}", &format!("{:x}", body.len()))
        .replace("{body}", body);
    eventually("a leader", SOON, || {
        let bytes = exchange(at.addr(), request.as_bytes()).expect("an answer");
        let answer = parse(&bytes).unwrap_or_else(|| panic!("no answer to {request}"));
        (answer.status != 503).then_some(answer)
    })
}

case!(case_93_every_way_to_frame_a_request_works);
fn case_93_every_way_to_frame_a_request_works(at: &Target) {
    let body = Instance::new("C93", "i-1").json();
    let register = "POST {base}apps/C93 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n{size}\r\n{body}\r\n0\r\n\r\n";
    let sized = "Content-Length: {length}\r\n\r\n{body}";
    for framing in [chunked, sized, chunked] {
        let answer = as_written(at, &format!("{register}{framing}"), &body);
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{framing}");
    }
    let id = "apps/C93/i-1";
    let versions = ["HTTP/1.1\r\nHost: x\r\nConnection: close", "HTTP/1.0"];
    let framings = [
        "\r\n",
        "Content-Length: 0\r\n\r\n",
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ];
    for (version, framing) in versions.into_iter().flat_map(|v| framings.map(|f| (v, f))) {
        at.register(&Instance::new("C93", "i-1"));
        for (line, status) in [
            (format!("PUT {{base}}{id}"), 200),
            (format!("PUT {{base}}{id}/status?value=DOWN"), 200),
            (format!("DELETE {{base}}{id}/status"), 200),
            (format!("DELETE {{base}}{id}"), 200),
            (format!("DELETE {{base}}{id}"), 404),
        ] {
            let answer = as_written(at, &format!("{line} {version}\r\n{framing}"), "");
            let got = (answer.status, answer.body.len());
            assert_eq!(got, (status, 0), "{line} {version} {framing}");
        }
    }
    let answer = as_written(
        at,
        "GET {base}apps HTTP/1.0\r\nAccept: application/json\r\n\r\n",
        "",
    );
    assert_eq!(answer.status, 200);
    instances(&answer.json());
}

// The house rules check every document of every case; here are the fullest and the emptiest instance.
case!(case_94_no_document_has_a_field_more);
fn case_94_no_document_has_a_field_more(at: &Target) {
    let mut fullest = Instance::new("C94", "c94-full");
    for field in [
        "sid",
        "appGroupName",
        "secureHealthCheckUrl",
        "asgName",
        "unknownText",
        "actionType",
        "secureVipAddress",
    ] {
        fullest = fullest.with(field, "x");
    }
    let amazon = json!({ "@class": "com.netflix.appinfo.AmazonInfo", "name": "Amazon", "metadata": { "ami-id": "a" } });
    at.register(
        &fullest
            .with("unknown", json!({ "a": [1] }))
            .with("dataCenterInfo", amazon),
    );
    at.register(&Instance::minimal("C94", "c94-least"));
    for path in [
        "apps",
        "apps/delta",
        "apps/C94",
        "apps/C94/c94-full",
        "apps/C94/c94-least",
        "vips/c94",
        "svips/x",
        "instances/c94-full",
    ] {
        for accept in [JSON, XML] {
            for form in ["compact", "full"] {
                let answer = at.send("GET", path, &[accept, ("X-Eureka-Accept", form)], b"");
                assert_eq!(answer.status, 200, "{path} {accept:?}");
                assert!(
                    !answer.body.is_empty() && !answer.text().contains("unknown"),
                    "{path}"
                );
            }
        }
    }
    let path = format!("apps/C94/c94-full?lastDirtyTimestamp={}", T - 1);
    let conflict = at.send("PUT", &path, &[XML, REPLICATED], b"");
    assert_eq!(conflict.status, 409);
}
