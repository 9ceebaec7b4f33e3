//! A bench reports what a server really did: rate, latency from the intended time, and every failure.

use std::time::Duration;

use eureka_raft::bench::{
    BenchError, Disturbance, Generator, Load, LoadPlan, MemoryPlan, Place, Workload, run_load,
    run_memory,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

/// What a server does with the requests of a connection.
#[derive(Debug, Clone, Copy)]
enum Behaviour {
    /// Answers each at once.
    Answers,
    /// Answers heartbeats with 404 and everything else with 200.
    Forgets,
    /// Answers each a while after it came.
    AnswersAfter(Duration),
    /// Closes the connection instead of answering.
    Closes,
    /// Never answers.
    KeepsSilent,
}

/// A server that behaves so, on a free port.
async fn server(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, behaviour));
        }
    });
    address
}

async fn converse(mut stream: TcpStream, behaviour: Behaviour) {
    let mut inbox = Vec::new();
    while let Some(heartbeat) = request(&mut stream, &mut inbox).await {
        let answer = match behaviour {
            Behaviour::Answers => OK,
            Behaviour::Forgets if heartbeat => NOT_FOUND,
            Behaviour::Forgets => OK,
            Behaviour::AnswersAfter(time) => {
                sleep(time).await;
                OK
            }
            Behaviour::Closes => return,
            Behaviour::KeepsSilent => continue,
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Reads one whole request; whether it is a heartbeat. `None` at the end of the connection.
async fn request(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> Option<bool> {
    loop {
        if let Some(head_len) = inbox.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&inbox[..head_len]).into_owned();
            let body_len = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .map_or(0, |len| len.parse().expect("a length"));
            let len = head_len + 4 + body_len;
            if inbox.len() >= len {
                inbox.drain(..len);
                return Some(head.starts_with("PUT "));
            }
        }
        if stream.read_buf(inbox).await.ok()? == 0 {
            return None;
        }
    }
}

fn place(address: &str) -> Place {
    Place::Servers {
        addresses: vec![address.to_owned()],
        pids: vec![std::process::id()],
    }
}

fn generator(connections: usize, pipelining: usize) -> Generator {
    Generator {
        connections,
        pipelining,
        seed: 1,
    }
}

/// Registrations at `rate` for a second.
async fn registrations(behaviour: Behaviour, rate: u64, generator: Generator) -> Load {
    let plan = LoadPlan {
        workload: Workload::Register,
        rate,
        duration: Duration::from_secs(1),
        disturbance: Disturbance::None,
    };
    let address = server(behaviour).await;
    let load = run_load(&place(&address), &plan, &generator).await;
    load.expect("figures")
}

#[tokio::test]
async fn every_answer_of_a_good_server_is_counted() {
    for (connections, pipelining) in [(4, 1), (2, 8)] {
        let generator = generator(connections, pipelining);
        let load = registrations(Behaviour::Answers, 500, generator).await;
        let measured = &load.measured;
        assert_eq!(
            (measured.sent, measured.succeeded),
            (500, 500),
            "x {pipelining}"
        );
        assert_eq!(
            (measured.unsent, measured.unanswered),
            (0, 0),
            "x {pipelining}"
        );
        assert!(measured.errors.is_empty(), "{:?}", measured.errors);
        assert!(load.servers_cpu_us.is_some());
    }
}

#[tokio::test]
async fn a_slow_server_shows_in_the_latency_from_the_intended_time() {
    // One connection that carries ten a second is asked for twenty: the last of twenty waits for all
    // those before it, which a closed loop would have reported as 100 ms.
    let slow = Behaviour::AnswersAfter(Duration::from_millis(100));
    let measured = registrations(slow, 20, generator(1, 1)).await.measured;
    assert_eq!((measured.succeeded, measured.unsent), (20, 0));
    assert!(measured.max_ms >= 1_000.0, "{}", measured.max_ms);
    assert!(measured.late_p99_ms >= 900.0, "{}", measured.late_p99_ms);
}

#[tokio::test]
async fn a_silent_server_leaves_requests_unanswered_and_unsent() {
    let measured = registrations(Behaviour::KeepsSilent, 50, generator(2, 1))
        .await
        .measured;
    assert_eq!((measured.sent, measured.unanswered), (2, 2));
    assert_eq!((measured.unsent, measured.succeeded), (48, 0));
}

#[tokio::test]
async fn a_broken_connection_is_an_error_and_is_made_again() {
    let measured = registrations(Behaviour::Closes, 10, generator(10, 1))
        .await
        .measured;
    assert_eq!(
        measured.errors.get("connection"),
        Some(&10),
        "{:?}",
        measured.errors
    );
    assert_eq!(measured.sent, 10, "none is sent twice");
}

#[tokio::test]
async fn renewals_that_are_refused_are_errors_by_status() {
    let plan = LoadPlan {
        workload: Workload::Renew { instances: 40 },
        rate: 100,
        duration: Duration::from_secs(1),
        disturbance: Disturbance::None,
    };
    let address = server(Behaviour::Forgets).await;
    let load = run_load(&place(&address), &plan, &generator(4, 1)).await;
    let load = load.expect("figures");
    assert_eq!(load.warm_up.expect("registrations").succeeded, 40);
    assert_eq!(load.measured.errors.get("404"), Some(&100));
}

#[tokio::test]
async fn memory_without_registrations_has_no_figures() {
    let plan = MemoryPlan { from: 5, to: 10 };
    let address = server(Behaviour::Closes).await;
    let error = run_memory(&place(&address), &plan, &generator(1, 1)).await;
    let expected = BenchError::Registration {
        registered: 0,
        wanted: 5,
        errors: "connection x 5".to_owned(),
    };
    assert_eq!(error.expect_err("nothing was registered"), expected);
}
