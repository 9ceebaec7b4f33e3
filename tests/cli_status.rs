//! `status` asks every member and ends with 0, 1 or 2.

use std::process::Output;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// A server with these answers on `/v1/status` and `/v1/members`; its URL. `SELF` in an answer stands
/// for that URL.
async fn server(status: Value, members: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let [status, members] = [status, members].map(|value| value.to_string().replace("SELF", &url));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, status.clone(), members.clone()));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, status: String, members: String) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let body = if request.starts_with(b"GET /v1/status ") {
        status
    } else {
        members
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await
}

async fn eureka_raft(arguments: &[&str], server: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(arguments)
        .env("EUREKA_RAFT_SERVER", server)
        .output()
        .await
        .expect("the binary runs")
}

fn status(leader: Option<&str>) -> Value {
    json!({
        "version": "0.1.0",
        "node": { "name": "node-1", "id": 1, "role": "leader" },
        "cluster": { "id": "c0ffee", "leader": leader, "term": 3, "voters": 1, "learners": 0 },
        "log": { "last": 9, "committed": 9, "applied": 9, "snapshot": 0, "purged": 0,
                 "snapshots_refused": 0 },
        "state": { "index": 9, "hash": "abc" },
        "registry": { "applications": 1, "instances": 1 },
        "protection": { "enabled": false, "active": false },
    })
}

fn member(name: &str, http: &str) -> Value {
    json!({ "id": 1, "name": name, "role": "voter", "http": http, "peer": "p:1", "reachable": true })
}

#[tokio::test]
async fn a_cluster_that_is_well_exits_0_and_ends_with_ok() {
    let server = server(status(Some("node-1")), json!([member("node-1", "SELF")])).await;
    let output = eureka_raft(&["status"], &server).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty());
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(
        screen.starts_with("cluster   c0ffee  leader node-1  term 3\n"),
        "{screen}"
    );
    assert!(screen.ends_with("\nOK\n"), "{screen}");
}

#[tokio::test]
async fn a_member_that_does_not_answer_exits_1() {
    // Port 1 is never listened on without being root and meaning it.
    let members = json!([
        member("node-1", "SELF"),
        member("node-2", "http://127.0.0.1:1")
    ]);
    let server = server(status(Some("node-1")), members).await;
    let output = eureka_raft(&["status", "--output", "json"], &server).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["health"], "degraded");
    assert_eq!(report["nodes"][1]["role"], "silent");
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(
        line.starts_with("eureka-raft: DEGRADED: node-2 does not answer"),
        "{line}"
    );
}

#[tokio::test]
async fn a_member_that_is_starting_exits_1() {
    let mut second = status(Some("node-1"));
    second["node"] = json!({ "name": "node-2", "id": 2, "role": "starting" });
    let second = server(second, json!([])).await;
    let members = json!([member("node-1", "SELF"), member("node-2", &second)]);
    let server = server(status(Some("node-1")), members).await;
    let output = eureka_raft(&["status"], &server).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(
        line.starts_with("eureka-raft: DEGRADED: node-2 is starting"),
        "{line}"
    );
}

#[tokio::test]
async fn a_cluster_without_a_leader_exits_2() {
    let server = server(status(None), json!([member("node-1", "SELF")])).await;
    let output = eureka_raft(&["status"], &server).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[tokio::test]
async fn something_else_on_the_port_is_down_and_said_so() {
    let server = server(json!("hello"), json!([])).await;
    let output = eureka_raft(&["status"], &server).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(
        line.contains("/v1/status answered something else"),
        "{line}"
    );
}

#[tokio::test]
async fn the_leader_is_the_member_that_status_names() {
    let members = json!([member("node-1", "SELF"), member("node-2", "http://b:2")]);
    let server = server(status(Some("node-2")), members).await;
    let output = eureka_raft(&["leader", "show", "--output", "json"], &server).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let leader: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&leader["name"], &leader["http"]),
        (&json!("node-2"), &json!("http://b:2"))
    );
}
