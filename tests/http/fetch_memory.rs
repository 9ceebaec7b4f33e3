//! A full fetch is answered from bytes that are there: what an answer asks of the allocator does not
//! grow with the registry.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tokio::sync::oneshot;

use crate::allocations;
use crate::world::{World, registration};

/// How often each list is fetched, after once to have it made.
const FETCHES: usize = 10;

/// How much more an answer of a hundred times as many instances may ask for, in bytes: longer numbers, and
/// how the connection's buffers happen to fall.
const GROWTH_BYTES_MAX: usize = 4 * 1024;

/// Fetches all instances `FETCHES` times on one connection, from a thread of its own, so that nothing the
/// client asks for is counted here. Returns the length of an answer's body.
fn fetch(addr: SocketAddr, headers: &'static str) -> oneshot::Receiver<usize> {
    let (done, length) = oneshot::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "the client must not run on the thread whose allocations are counted"
    )]
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).expect("the server listens");
        let lengths = (0..FETCHES).map(|_| {
            let request = format!("GET /eureka/apps HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
            stream.write_all(request.as_bytes()).expect("it reads");
            read_answer(&mut stream)
        });
        let _ = done.send(lengths.last().unwrap_or_default());
    });
    length
}

/// Reads an answer with a `Content-Length`; returns the length of its body.
fn read_answer(stream: &mut TcpStream) -> usize {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let (_, rest) = head.split_once("content-length: ").expect("a length");
    let length: u64 = rest.split_once('\r').unwrap().0.parse().unwrap();
    let body = std::io::copy(&mut stream.take(length), &mut std::io::sink());
    assert_eq!(body.expect("a whole body"), length);
    usize::try_from(length).unwrap()
}

/// What one answer asked for on average, and how long its body is, both in bytes.
async fn asked_by_an_answer(world: &World, headers: &'static str) -> (usize, usize) {
    fetch(world.addr, headers).await.expect("answers");
    let before = allocations::so_far();
    let length = fetch(world.addr, headers).await.expect("answers");
    ((allocations::so_far() - before) / FETCHES, length)
}

/// A server with this many applications of ten instances.
async fn world_of(applications: usize) -> World {
    let world = World::new().await;
    for application in 0..applications {
        let app = format!("APP-{application}");
        let commands = (0..10).map(|id| registration(&app, &format!("host{id}:{app}:8080")));
        world.node.apply(commands.collect());
    }
    world
}

#[tokio::test]
async fn an_answer_of_ten_thousand_instances_asks_for_no_more_than_one_of_a_hundred() {
    let (small, large) = (world_of(10).await, world_of(1_000).await);
    for headers in [
        "Accept: application/json\r\n",
        "Accept: application/xml\r\n",
        "Accept: application/json\r\nX-Eureka-Accept: compact\r\n",
        "Accept: application/json\r\nAccept-Encoding: gzip\r\n",
    ] {
        let (few, short) = asked_by_an_answer(&small, headers).await;
        let (many, long) = asked_by_an_answer(&large, headers).await;
        println!("{few} bytes for a body of {short}, {many} for one of {long}: {headers:?}");
        assert!(long > 50 * short, "the bodies differ: {short} and {long}");
        assert!(many <= few + GROWTH_BYTES_MAX, "{few}, then {many} bytes");
    }
}
