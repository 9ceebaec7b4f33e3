//! Lists of thousands of instances: rendered in runs, sent without being copied.

use std::net::SocketAddr;

use eureka_raft::registry::{AppName, Command, InstanceId};
use eureka_raft::wire::{
    ApplicationParts, application_document, application_fragment, instances_fragment,
};
use eureka_raft::wire::{Form, Format, Place};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::allocations;
use crate::client::Answer;
use crate::world::{World, registration};

/// How many instances the largest application has here; more than fit in one run.
const LARGE: usize = 2_000;

/// Registers `ids` of `app` as one entry.
fn register(world: &World, app: &str, ids: impl Iterator<Item = usize>) {
    let Command::Register(template) = registration(app, "i") else {
        unreachable!("a registration registers");
    };
    let commands = ids.map(|id| {
        let mut registration = template.clone();
        registration.instance.id = InstanceId::new(&format!("i{id:06}"));
        Command::Register(registration)
    });
    world.node.apply(commands.collect());
}

async fn ask(world: &World, target: &str, accept: &str, form: &str) -> Answer {
    let headers = [("Accept", accept), ("X-Eureka-Accept", form)];
    world.send("GET", target, &headers, b"").await
}

/// What is rendered bit by bit, after each kind of change, is what a server renders that never rendered before.
#[tokio::test]
async fn a_large_application_is_right_after_every_change() {
    let world = World::new().await;
    register(&world, "LARGE", (0..LARGE).map(|id| id * 7 % LARGE));
    register(&world, "SMALL", 0..3);
    let changes: [(&str, &str); 6] = [
        ("PUT", "i000999/status?value=DOWN"),
        ("DELETE", "i000500"),
        ("PUT", "i001999/metadata?k=v"),
        ("DELETE", "i000000"),
        ("PUT", "i000001/status?value=DOWN"),
        ("DELETE", "i001999"),
    ];
    for (method, path) in changes {
        world
            .ask(method, &format!("/eureka/apps/LARGE/{path}"))
            .await;
        for accept in ["application/json", "application/xml"] {
            for form in ["full", "compact"] {
                let kept = ask(&world, "/eureka/apps", accept, form).await.text();
                let view = world.node.view();
                let format = if accept.ends_with("json") {
                    Format::Json
                } else {
                    Format::Xml
                };
                let form = Form::from_eureka_accept(Some(form));
                for application in view.applications() {
                    let records = application.instances.values().map(|record| &**record);
                    let fragment = application_fragment(format, form, &application.name, records);
                    let fragment = String::from_utf8(fragment).unwrap();
                    assert!(
                        kept.contains(&fragment),
                        "{method} {path} {accept} {form:?}"
                    );
                }
            }
        }
    }
    let alone = ask(&world, "/eureka/apps/LARGE", "application/json", "full").await;
    let large = AppName::new("LARGE");
    let view = world.node.view();
    let whole = application_document(Format::Json, Form::Full, view.application(&large).unwrap());
    assert_eq!(alone.body, whole);
    let vip = ask(&world, "/eureka/vips/va", "application/json", "full")
        .await
        .json();
    let count = |at: usize| {
        vip["applications"]["application"][at]["instance"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((count(0), count(1)), (LARGE - 3, 3));
}

#[tokio::test]
async fn the_parts_of_an_application_are_its_document() {
    let world = World::new().await;
    register(&world, "APP", 0..5);
    let view = world.node.view();
    let application = view.application(&AppName::new("APP")).unwrap();
    let records: Vec<_> = application
        .instances
        .values()
        .map(|record| &**record)
        .collect();
    for format in [Format::Json, Format::Xml] {
        for form in [Form::Full, Form::Compact] {
            for place in [Place::Listed, Place::Alone] {
                let parts = ApplicationParts::new(format, form, place, &application.name);
                let run = |records: &[_]| {
                    instances_fragment(format, form, place, records.iter().copied())
                };
                let (one, two) = (run(&records[..2]), run(&records[2..]));
                let joined = [&parts.before[..], &one, parts.between, &two, &parts.after].concat();
                let whole = match place {
                    Place::Listed => application_fragment(
                        format,
                        form,
                        &application.name,
                        records.iter().copied(),
                    ),
                    Place::Alone => application_document(format, form, application),
                };
                assert_eq!(joined, whole, "{format:?} {form:?} {place:?}");
            }
        }
    }
}

/// What an answer asked the allocator for, in bytes.
#[derive(Debug)]
struct Asked {
    /// The most that was held at one moment, above what was held before.
    peak: usize,
    /// All of it, whether given back or not.
    total: usize,
}

/// One thread for server and client, so that everything asked for is counted.
struct Counted {
    runtime: Runtime,
    world: World,
    buffer: Vec<u8>,
}

impl Counted {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let world = runtime.block_on(World::new());
        let buffer = vec![0; 64 * 1024];
        Self {
            runtime,
            world,
            buffer,
        }
    }

    /// The bytes of an answer, and what the server asked for to make and send it.
    fn fetch(&mut self, encoding: &str) -> (usize, Asked) {
        let (addr, buffer) = (self.world.addr, &mut self.buffer);
        let fetching = fetch(addr, encoding, buffer);
        let before = allocations::so_far();
        let (length, peak) = allocations::peak_of(|| self.runtime.block_on(fetching));
        let total = allocations::so_far() - before;
        (length, Asked { peak, total })
    }
}

/// Reads an answer and keeps nothing of it.
async fn fetch(addr: SocketAddr, encoding: &str, buffer: &mut [u8]) -> usize {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "GET /eureka/apps HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: application/json\r\nAccept-Encoding: {encoding}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut length = 0;
    loop {
        match stream.read(buffer).await.unwrap() {
            0 => return length,
            read => length += read,
        }
    }
}

/// The registry is rendered once, whoever asks; what is sent is what is held; and after a change only what it touched
/// is made again.
#[test]
fn a_full_fetch_of_10000_instances_never_copies_the_registry() {
    /// For a connection, a task, a list of pieces, and a buffer for the head.
    const ROUTINE_BYTES: usize = 256 * 1024;
    let mut counted = Counted::new();
    register(&counted.world, "LARGE", 0..5_000);
    for app in 0..50 {
        register(&counted.world, &format!("APP{app}"), 0..100);
    }
    let (length, first) = counted.fetch("identity");
    assert!(length > 7_000_000, "{length} bytes of 10,000 instances");
    assert!(
        first.peak < length * 11 / 10 + ROUTINE_BYTES,
        "{first:?} to render {length}"
    );
    for _ in 0..3 {
        let (again, asked) = counted.fetch("identity");
        assert_eq!(again, length);
        assert!(asked.total < ROUTINE_BYTES, "{asked:?} to send {length}");
    }
    let (packed, _) = counted.fetch("gzip");
    let (again, asked) = counted.fetch("gzip");
    assert!(
        again == packed && packed < length / 4,
        "{packed} of {length}"
    );
    assert!(asked.total < ROUTINE_BYTES, "{asked:?} to send {packed}");
    register(&counted.world, "LARGE", 2_500..2_501);
    let (changed, asked) = counted.fetch("identity");
    assert_eq!(changed, length);
    assert!(asked.total < length / 10, "{asked:?} after one of {length}");
}
