//! `members …` and `leader transfer` against a server that answers what a test tells it.
//!
//! Owns what the command line sends, how it waits, and how it ends; what an order does is the server's.
#![expect(clippy::unwrap_used, reason = "a broken given of a test may end it")]

use std::collections::VecDeque;
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// The status of an answer that is a closed connection.
const SILENCE: u16 = 0;

/// A server that answers each order with the next of its answers, the last one for ever.
#[derive(Clone)]
struct Fake {
    url: String,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    answers: VecDeque<(u16, Value)>,
    members: Value,
    /// Method, path and body of each order.
    orders: Vec<(String, Value)>,
}

impl Fake {
    async fn answering(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let fake = Self {
            url: format!("http://{}", listener.local_addr().expect("bound")),
            said: Arc::new(Mutex::new(Said {
                answers: answers.into_iter().collect(),
                members: json!({ "members": [] }),
                orders: Vec::new(),
            })),
        };
        let said = Arc::clone(&fake.said);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&said)));
            }
        });
        fake
    }

    fn with_members(self, members: &Value) -> Self {
        self.said.lock().unwrap().members = json!({ "members": members });
        self
    }

    fn orders(&self) -> Vec<(String, Value)> {
        self.said.lock().unwrap().orders.clone()
    }
}

async fn answer(mut stream: TcpStream, said: Arc<Mutex<Said>>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        let length: usize = length.map_or(0, |value| value.parse().expect("a number"));
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, answer) = reply(&mut said.lock().unwrap(), &head, &body);
    if status == SILENCE {
        return Ok(());
    }
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + &answer).as_bytes()).await
}

fn reply(said: &mut Said, head: &str, body: &str) -> (u16, Value) {
    let mut words = head.split_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if method == "GET" {
        return (200, said.members.clone());
    }
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    said.orders.push((path.to_owned(), body));
    match said.answers.len() {
        0 => (500, Value::Null),
        1 => said.answers[0].clone(),
        _ => said.answers.pop_front().expect("two answers"),
    }
}

async fn eureka_raft(arguments: &[&str], server: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(arguments)
        .env("EUREKA_RAFT_SERVER", server)
        .output()
        .await
        .expect("the binary runs")
}

fn report(done: bool, message: &str) -> Value {
    json!({
        "done": done, "steps": ["node-4 is a learner"], "message": message,
        "before": { "voters": ["node-1"], "learners": [], "quorum": 1, "live": ["node-1"] },
        "after": { "voters": ["node-1", "node-4"], "learners": [], "quorum": 2, "live": ["node-1", "node-4"] },
    })
}

fn refusal(code: &str) -> Value {
    json!({ "code": code, "message": "2 of 3 voters would live", "hint": "start node-3 first" })
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn each_command_sends_the_order_it_says() {
    let table: [(&[&str], &str, Value); 8] = [
        (
            &["members", "add", "node-4", "--peer", "h:1"],
            "/v1/members",
            json!({ "name": "node-4", "peer": "h:1", "learner": false }),
        ),
        (
            &["members", "add", "node-4", "--peer", "h:1", "--learner"],
            "/v1/members",
            json!({ "name": "node-4", "peer": "h:1", "learner": true }),
        ),
        (
            &["members", "promote", "n.4"],
            "/v1/members/n%2E4/promote",
            json!({}),
        ),
        (
            &["members", "remove", "n4", "--dry-run"],
            "/v1/members/n4/remove?dry_run=true",
            json!({}),
        ),
        (
            &["members", "replace", "n2", "--with", "n4"],
            "/v1/members/n2/replace",
            json!({ "with": "n4" }),
        ),
        (
            &["members", "update", "n2", "--http", "http://h:2"],
            "/v1/members/n2/update",
            json!({ "peer": null, "http": "http://h:2" }),
        ),
        (
            &["leader", "transfer"],
            "/v1/leader/transfer",
            json!({ "to": null }),
        ),
        (
            &["leader", "transfer", "--to", "n2", "--dry-run"],
            "/v1/leader/transfer?dry_run=true",
            json!({ "to": "n2" }),
        ),
    ];
    for (arguments, path, body) in table {
        let fake = Fake::answering([(200, report(true, "done"))]).await;
        let output = eureka_raft(arguments, &fake.url).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {output:?}");
        assert_eq!(fake.orders(), [(path.to_owned(), body)], "{arguments:?}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_quorum_before_and_after_and_is_asked_once() {
    // A dry run is never done, and nothing goes on behind it.
    let fake = Fake::answering([(200, report(false, "nothing was changed"))]).await;
    let output = eureka_raft(&["members", "promote", "node-4", "--dry-run"], &fake.url).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "\
1. node-4 is a learner

          BEFORE  AFTER
voters    node-1  node-1, node-4
learners  -       -
live      node-1  node-1, node-4
quorum    1 of 1  2 of 2
may fail  0 more  0 more

nothing was changed
"
    );
    assert_eq!(fake.orders().len(), 1);
}

#[tokio::test]
async fn an_order_is_repeated_until_it_is_done_with_a_line_about_progress() {
    let answers = [
        (202, report(false, "on its way")),
        (200, report(true, "node-4 votes")),
    ];
    let fake = Fake::answering(answers).await.with_members(&json!([
        { "name": "node-1", "role": "leader", "matched": 200 },
        { "name": "node-4", "role": "learner", "matched": 100 },
    ]));
    let add = ["members", "add", "node-4", "--peer", "h:1"];
    let output = eureka_raft(&add, &fake.url).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fake.orders().len(), 2);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "node-4  [###############...............]  50 %  entry 100 of 200\n"
    );
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\nnode-4 votes\n"));
}

#[tokio::test]
async fn json_is_the_report_alone() {
    let answers = [
        (202, report(false, "on its way")),
        (200, report(true, "node-4 votes")),
    ];
    let fake = Fake::answering(answers).await;
    let promote = ["members", "promote", "node-4", "--output", "json"];
    let output = eureka_raft(&promote, &fake.url).await;
    assert!(output.stderr.is_empty(), "{output:?}");
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed, report(true, "node-4 votes"));
}

#[tokio::test]
async fn what_is_not_done_in_time_exits_75_and_says_how_to_go_on() {
    let fake = Fake::answering([(202, report(false, "on its way"))]).await;
    let add = [
        "members",
        "add",
        "node-4",
        "--peer",
        "h:1",
        "--timeout",
        "1s",
    ];
    let output = eureka_raft(&add, &fake.url).await;
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    assert_eq!(
        last_line(&output),
        "eureka-raft: not done within 1s: it goes on by itself; last: node-4 is a learner; the same \
         command goes on waiting: eureka-raft members add node-4 --peer h:1"
    );
}

#[tokio::test]
async fn a_refusal_is_told_with_the_servers_advice() {
    for (status, code) in [(409, 75), (404, 64), (400, 64)] {
        let fake = Fake::answering([(status, refusal("quorum_at_risk"))]).await;
        let output = eureka_raft(&["members", "remove", "node-2"], &fake.url).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(fake.orders().len(), 1, "{status}");
        assert_eq!(
            last_line(&output),
            "eureka-raft: refused (quorum_at_risk): 2 of 3 voters would live; start node-3 first"
        );
    }
}

#[tokio::test]
async fn an_election_and_another_change_are_waited_for() {
    let answers = [
        (503, refusal("no_leader")),
        (409, refusal("change_in_progress")),
        (200, report(true, "node-2 is out")),
    ];
    let fake = Fake::answering(answers).await;
    let output = eureka_raft(&["members", "remove", "node-2"], &fake.url).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fake.orders().len(), 3);
}

#[tokio::test]
async fn a_hand_over_of_unknown_outcome_is_not_repeated() {
    let fake = Fake::answering([(503, refusal("unknown_outcome"))]).await;
    let output = eureka_raft(&["leader", "transfer"], &fake.url).await;
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    assert_eq!(fake.orders().len(), 1);
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_does_not_answer() {
    let fake = Fake::answering([(200, report(true, "done"))]).await;
    // Port 1 is never listened on without being root and meaning it.
    let servers = format!("http://127.0.0.1:1,{}", fake.url);
    for arguments in [&["members", "list"][..], &["members", "remove", "n"]] {
        let output = eureka_raft(arguments, &servers).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!(fake.orders().len(), 1);
}

#[tokio::test]
async fn a_member_that_was_named_is_asked_when_the_server_is_gone() {
    let second = Fake::answering([(200, report(true, "done"))]).await;
    let first = Fake::answering([(202, report(false, "on its way"))])
        .await
        .with_members(&json!([{ "name": "node-2", "http": second.url }]));
    let (first_url, said) = (first.url.clone(), Arc::clone(&first.said));
    // Its second answer is a closed connection: the order may have arrived, and is repeated elsewhere.
    said.lock()
        .unwrap()
        .answers
        .push_back((SILENCE, Value::Null));
    let output = eureka_raft(&["members", "promote", "node-4"], &first_url).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(second.orders().len(), 1);
}
