//! Connections: slow, many, large-headed, old.

use std::time::Duration;

use eureka_raft::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{self, Answer};
use crate::world::World;

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_header_of_64_kb_is_431() {
    let world = World::new().await;
    let value = "x".repeat(64 * 1024);
    let answer = world
        .send("GET", "/eureka/apps", &[("X-Large", &value)], b"")
        .await;
    assert_eq!(answer.status, 431);
    let many: Vec<String> = (0..200).map(|number| format!("X-{number}")).collect();
    let headers: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(
        world
            .send("GET", "/eureka/apps", &headers, b"")
            .await
            .status,
        431
    );
    assert_eq!(world.get("/eureka/apps").await.status, 200);
}

#[tokio::test]
async fn half_a_request_held_open_is_ended_with_408() {
    let limits = Limits {
        header_timeout: SHORT,
        body_timeout: SHORT,
        ..Limits::default()
    };
    let world = World::with(limits).await;
    let halves = [
        "GET /eureka/apps HTTP/1.1\r\nHost:",
        "POST /eureka/apps/A HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
    ];
    for half in halves {
        let answer = Answer::parse(&client::raw(world.addr, half.as_bytes()).await);
        assert_eq!(answer.status, 408, "{half}");
    }
    assert_eq!(world.node.entries(), 0);
    let metrics = world.get("/metrics").await.text();
    assert!(
        metrics.contains(r#"eureka_raft_http_rejected_total{reason="too_slow"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_silent_connection_outlives_the_header_timeout_but_not_the_idle_timeout() {
    let limits = Limits {
        header_timeout: Duration::from_millis(1),
        idle_timeout: SHORT * 2,
        ..Limits::default()
    };
    let world = World::with(limits).await;
    for request in ["", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        let opened = tokio::time::Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        assert!(
            opened.elapsed() >= SHORT * 2,
            "{:?} {read:?}",
            opened.elapsed()
        );
        let text = String::from_utf8(read).unwrap();
        let answers = usize::from(!request.is_empty());
        assert_eq!(text.matches("HTTP/1.1").count(), answers, "{text}");
    }
}

#[tokio::test]
async fn thousands_of_idle_connections_do_not_keep_others_out() {
    let count = idle_connections();
    let world = World::new().await;
    let mut idle = Vec::new();
    for _ in 0..count {
        idle.push(
            TcpStream::connect(world.addr)
                .await
                .expect("one more connection"),
        );
    }
    assert_eq!(world.get("/eureka/apps").await.status, 200);
    let last = idle.last_mut().unwrap();
    last.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    last.read_to_end(&mut read).await.unwrap();
    assert_eq!(
        Answer::parse(&read).status,
        200,
        "an idle connection is still served"
    );
}

/// 5,000, or what the limit on open files lets both ends of this process have.
fn idle_connections() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap_or_default();
    let soft: u64 = line
        .split_whitespace()
        .nth(3)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_024);
    (soft.saturating_sub(200) / 2).min(5_000)
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_counted() {
    let world = World::with(Limits {
        connections_max: 2,
        ..Limits::default()
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 1];
        stream.read_exact(&mut first).await.unwrap();
        held.push(stream);
    }
    let mut refused = TcpStream::connect(world.addr).await.unwrap();
    let mut read = Vec::new();
    let _ = refused.read_to_end(&mut read).await;
    assert!(read.is_empty());
    let mut asking = held.pop().unwrap();
    asking
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    asking.read_to_end(&mut read).await.unwrap();
    let text = String::from_utf8_lossy(&read);
    assert!(
        text.contains("eureka_raft_http_rejected_total{reason=\"too_many_connections\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_connection_carries_many_requests_with_and_without_bodies() {
    let world = World::new().await;
    world.register("APP", "i1").await;
    let requests = "PUT /eureka/apps/APP/i1 HTTP/1.1\r\nHost: x\r\n\r\n\
         PUT /eureka/apps/APP/i1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}\
         PUT /eureka/apps/APP/i1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n\
         DELETE /eureka/apps/APP/i1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let read = client::raw(world.addr, requests.as_bytes()).await;
    let text = String::from_utf8(read).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 4, "{text}");
    assert_eq!(text.matches("content-length: 0").count(), 4, "{text}");
    assert!(!text.contains("content-type"), "{text}");
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let world = World::new().await;
    let read = client::raw(world.addr, b"GET /eureka/apps HTTP/1.0\r\n\r\n").await;
    assert_eq!(Answer::parse(&read).status, 200);
}

#[tokio::test]
async fn stopping_lets_an_open_request_end_and_closes_idle_connections() {
    let mut world = World::new().await;
    world.register("APP", "i1").await;
    let mut idle = TcpStream::connect(world.addr).await.unwrap();
    let mut polling = TcpStream::connect(world.addr).await.unwrap();
    let poll = "GET /eureka/apps/delta?since=1&wait=50s HTTP/1.1\r\nHost: x\r\n\r\n";
    polling.write_all(poll.as_bytes()).await.unwrap();
    assert_eq!(world.get("/livez").await.status, 200);
    world.stop().await;
    let mut read = Vec::new();
    idle.read_to_end(&mut read).await.unwrap();
    assert!(read.is_empty());
    polling.read_to_end(&mut read).await.unwrap();
    let answer = Answer::parse(&read);
    assert_eq!(
        (answer.status, answer.header("x-eureka-raft-error")),
        (503, Some("stopping"))
    );
}
