//! The change stream: every single change, in order, no index split.

use std::time::Duration;

use eureka_raft::http::Limits;
use eureka_raft::registry::{AppName, Command, InstanceId, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{World, registration};

/// Three instances registered at 1, 2 and 3, then all cancelled at 4.
async fn world_with_changes() -> World {
    let world = World::new().await;
    for id in ["i1", "i2", "i3"] {
        world.register("A", id).await;
    }
    let cancel = |id: &str| Command::Cancel {
        app: AppName::new("A"),
        id: InstanceId::new(id),
    };
    world.node.apply(["i1", "i2", "i3"].map(cancel).to_vec());
    world
}

/// `index.seq:id:action` of each change.
fn shown(changes: &serde_json::Value) -> String {
    let one = |change: &serde_json::Value| {
        let id = change["instance_id"].as_str().unwrap();
        assert_eq!(change["instance"]["instanceId"], id);
        assert_eq!(change["application"], "A");
        assert!(change["at"].as_u64().is_some());
        format!(
            "{}.{}:{id}:{}",
            change["index"],
            change["seq"],
            change["action"].as_str().unwrap()
        )
    };
    changes
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn changes_come_in_order_with_their_instances() {
    let world = world_with_changes().await;
    let answer = world.get("/v1/changes?after=1").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        shown(&answer.json()["changes"]),
        "2.0:i2:ADDED 3.0:i3:ADDED 4.0:i1:DELETED 4.1:i2:DELETED 4.2:i3:DELETED"
    );
    assert_eq!(
        (answer.index(), answer.json()["next"].as_u64()),
        (4, Some(4))
    );
}

#[tokio::test]
async fn a_limit_never_splits_an_index() {
    let world = world_with_changes().await;
    let page = async |after: u64, limit: usize| {
        let answer = world
            .get(&format!("/v1/changes?after={after}&limit={limit}"))
            .await;
        let changes = answer.json()["changes"].as_array().unwrap().len();
        (changes, answer.index())
    };
    assert_eq!(page(0, 1).await, (1, 1));
    assert_eq!(page(0, 3).await, (3, 3));
    assert_eq!(page(0, 4).await, (6, 4), "all of index 4");
    assert_eq!(page(3, 1).await, (3, 4));
    assert_eq!(page(4, 1).await, (0, 4));
    for limit in ["0", "10001", "x"] {
        let refused = world
            .get(&format!("/v1/changes?after=0&limit={limit}"))
            .await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (400, &"bad_request".into())
        );
    }
    assert_eq!(
        world.get("/v1/changes").await.status,
        400,
        "after is needed"
    );
}

/// A stream as it comes in.
struct Stream(TcpStream, String);

impl Stream {
    async fn open(world: &World, target: &str, more: &str) -> Self {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(stream, String::new())
    }

    /// Reads until `text` has come.
    async fn until(&mut self, text: &str) -> &str {
        let reading = async {
            while !self.1.contains(text) {
                let mut buffer = [0; 4096];
                let read = self.0.read(&mut buffer).await.unwrap();
                assert!(read > 0, "ended without {text:?}: {}", self.1);
                self.1 += std::str::from_utf8(&buffer[..read]).unwrap();
            }
        };
        timeout(Duration::from_secs(20), reading)
            .await
            .unwrap_or_else(|_| panic!("no {text:?}"));
        &self.1
    }

    /// Everything that comes until the server ends it.
    async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(20), self.0.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
        self.1 + &String::from_utf8(rest).unwrap()
    }
}

#[tokio::test]
async fn a_stream_tells_changes_as_they_come_and_an_id_only_ends_an_index() {
    let world = world_with_changes().await;
    let mut stream = Stream::open(&world, "/v1/changes?after=2", "").await;
    let text = stream.until("id: 4\n").await;
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    let lines: Vec<&str> = text
        .lines()
        .filter(|l| l.starts_with("id:") || l.starts_with("data:"))
        .collect();
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| if line.starts_with("id") { line } else { "data" })
        .collect();
    assert_eq!(kinds, ["id: 3", "data", "data", "data", "id: 4", "data"]);
    world.register("A", "i9").await;
    let text = stream.until("id: 5\n").await.to_owned();
    assert!(text.contains(r#""action":"ADDED""#), "{text}");
}

#[tokio::test]
async fn a_stream_resumes_at_the_last_event_id() {
    let world = world_with_changes().await;
    let mut stream = Stream::open(&world, "/v1/changes?after=0", "Last-Event-ID: 3\r\n").await;
    let text = stream.until("id: 4\n").await;
    assert!(
        !text.contains("id: 3") && !text.contains(r#""index":3"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let mut world = world_with_changes().await;
    let mut stream = Stream::open(&world, "/v1/changes?after=3", "").await;
    stream.until("id: 4\n").await;
    let ((), text) = tokio::join!(world.stop(), stream.rest());
    assert!(text.ends_with("0\r\n\r\n"), "ended in order: {text}");
}

#[tokio::test]
async fn a_stream_refuses_a_cursor_that_means_nothing() {
    let world = world_with_changes().await;
    let refused = async |after: u64| {
        let target = format!("/v1/changes?after={after}");
        Stream::open(&world, &target, "Connection: close\r\n")
            .await
            .rest()
            .await
    };
    assert!(refused(99).await.starts_with("HTTP/1.1 400"));
    keep_changes(&world, 1);
    assert!(refused(0).await.starts_with("HTTP/1.1 410"));
}

#[tokio::test]
async fn a_stream_says_that_history_went_from_under_it_and_ends() {
    let world = world_with_changes().await;
    keep_changes(&world, 1);
    let mut stream = Stream::open(&world, "/v1/changes?after=5", "").await;
    stream.until(": eureka-raft").await;
    world
        .node
        .apply(["i1", "i2", "i3"].map(|id| registration("A", id)).to_vec());
    let text = stream.rest().await;
    assert!(
        text.contains("event: gone\ndata: {\"oldest_index\":6,\"index\":6}"),
        "{text}"
    );
}

#[tokio::test]
async fn a_quiet_stream_says_again_and_again_that_it_lives() {
    let stream_heartbeat = Duration::from_millis(20);
    let world = World::with(Limits {
        stream_heartbeat,
        ..Limits::default()
    })
    .await;
    let mut stream = Stream::open(&world, "/v1/changes?after=0", "").await;
    let beat = "9\r\n: alive\n\n\r\n";
    let text = stream.until(&beat.repeat(3)).await;
    assert!(!text.contains("data:"), "{text}");
    world.register("A", "i1").await;
    stream.until("id: 1\n").await;
}

/// Makes the registry keep `count` single changes, by a setting at the next index.
fn keep_changes(world: &World, count: u64) {
    let settings = Settings {
        delta_retention_changes: count,
        ..Settings::default()
    };
    world.node.apply(vec![Command::Settings(settings)]);
}

#[tokio::test]
async fn one_stream_too_many_is_429_and_a_place_comes_back() {
    let world = World::with(Limits {
        streams_max: 1,
        ..Limits::default()
    })
    .await;
    let mut first = Stream::open(&world, "/v1/changes?after=0", "").await;
    first.until(": eureka-raft").await;
    let refused = Stream::open(&world, "/v1/changes?after=0", "Connection: close\r\n")
        .await
        .rest()
        .await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("too_many_streams"), "{refused}");
    drop(first);
    for attempt in 0.. {
        // The server learns of the closed connection from its next write or read.
        let text = Stream::open(&world, "/v1/changes?after=0", "Connection: close\r\n")
            .await
            .until("HTTP/1.1")
            .await
            .to_owned();
        if text.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(attempt < 1_000, "the place never came back");
        tokio::task::yield_now().await;
    }
}
