//! How long a node takes from the start of its process to being ready, with a large registry and a long log.
//!
//! Owns the data directory it makes: real entries, proposed to a real Raft on a real log, with snapshots by
//! the default policy. It measures the program as it is delivered, in a process of its own.
//!
//! `cargo bench --bench recovery [-- INSTANCES MEBIBYTES SNAPSHOT_EVERY_MEBIBYTES]`; 0 for the last means
//! that the whole log has to be applied again.

mod registry_load;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eureka_raft::codec;
use eureka_raft::net::{Network, TcpNetwork};
use eureka_raft::raft::{
    Member, PeerHandler, PeerIdentity, Peers, Raft, RaftParts, RaftSettings, Refusal,
};
use eureka_raft::registry::{Command as Change, Entry, Settings};
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::IdentityFile;
use eureka_raft::store::log::LogStorage;
use eureka_raft::store::{DirFiles, MemoryFile, SledLog, SnapshotFiles};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use registry_load::{Slots, entry, register, renew};

/// Entries of renewals between two of registrations: half of the log's bytes are either.
const RENEWALS_PER_REGISTRATION: u32 = 30;
/// Commands in an entry, as under heavy traffic.
const BATCH: u32 = 100;
/// Registrations in an entry once all instances are there: deployments come in small groups.
const DEPLOYED: u32 = 20;
/// Starts measured.
const STARTS: usize = 3;
/// A node that takes longer does not come up.
const READY_MAX: Duration = Duration::from_secs(300);

fn main() {
    let arguments: Vec<u64> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let argument = |at: usize, default: u64| arguments.get(at).copied().unwrap_or(default);
    let (instances, mebibytes, every) =
        (argument(0, 100_000), argument(1, 1_000), argument(2, 256));
    let directory = tempfile::tempdir_in("target").expect("a directory");
    let data = directory.path().join("node");
    let ports = [free_port(), free_port()];
    let mut node = start(&data, ports);
    await_ready(ports[0]);
    end(&mut node);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let instances = u32::try_from(instances).expect("fewer than four thousand million");
    runtime.block_on(fill(&data, instances, mebibytes << 20, every << 20));
    drop(runtime);
    for _ in 0..STARTS {
        let started = Instant::now();
        let mut node = start(&data, ports);
        await_ready(ports[0]);
        let ready = started.elapsed();
        let used = used(node.id());
        end(&mut node);
        println!("ready after {ready:.2?}; {used}");
    }
}

/// Brings the directory of a one-node cluster to `instances` and `bytes` of log.
async fn fill(data: &Path, instances: u32, bytes: u64, snapshot_every_bytes: u64) {
    let (raft, log, peers) = open(data, snapshot_every_bytes).await;
    let mut leadership = raft.leadership();
    let now = leadership
        .wait_for(|now| now.ready)
        .await
        .expect("Raft runs");
    let term = now.term;
    drop(now);
    let mut settings = Settings::default();
    settings.instances_max = settings.instances_max.max(2 * u64::from(instances));
    let mut log_bytes = propose(&raft, term, vec![Change::Settings(settings)]).await;
    for first in (0..instances).step_by(BATCH as usize) {
        let batch = (first..instances.min(first + BATCH)).map(register);
        log_bytes += propose(&raft, term, batch.collect()).await;
    }
    let mut slots = Slots::new(11, instances);
    while log_bytes < bytes {
        let deployed = (0..DEPLOYED).map(|_| register(slots.next())).collect();
        log_bytes += propose(&raft, term, deployed).await;
        let renewals = (0..RENEWALS_PER_REGISTRATION).map(|_| {
            let batch = (0..BATCH).map(|_| renew(slots.next())).collect();
            propose(&raft, term, batch)
        });
        let written = futures_util::future::join_all(renewals).await;
        log_bytes += written.iter().sum::<u64>();
    }
    let status = raft.status();
    println!(
        "{} instances, {} MiB in {} entries of log, {} behind the newest snapshot, {} MiB on disk",
        raft.state().view().instance_count(),
        log_bytes >> 20,
        status.last,
        status.last - status.snapshot,
        directory_bytes(data) >> 20,
    );
    raft.shutdown().await;
    peers.shutdown().await;
    drop(peers);
    log.close().expect("the log closes");
}

/// Proposes one entry; answers its bytes in the log.
async fn propose(raft: &Raft, term: u64, commands: Vec<Change>) -> u64 {
    let entry: Entry = entry(raft.state().view().lease_ms() + 1, commands);
    let bytes = codec::encode(&entry).len() as u64;
    raft.propose(term, &entry).await.expect("one node agrees");
    bytes
}

/// Raft on the directory of a node that does not run.
async fn open(data: &Path, snapshot_every_bytes: u64) -> (Raft, Arc<SledLog>, Peers) {
    let files: SharedFiles = Arc::new(DirFiles::open(data).expect("the directory opens"));
    let identity = IdentityFile::open(Arc::clone(&files)).expect("the identity opens");
    let identity = identity.expect("the node was started once");
    let known = identity.get();
    let me = known.plan.first().expect("it is its own cluster").clone();
    let log = SledLog::open(data, &files, identity).expect("the log opens");
    let log = Arc::new(log);
    let listener = TcpNetwork.listen("127.0.0.1:0").await.expect("a port");
    let who = PeerIdentity {
        name: known.name,
        incarnation: known.incarnation,
        cluster_id: known.cluster_id,
        node_id: known.node_id,
    };
    let peers = Peers::start(Arc::new(TcpNetwork), listener, who, Arc::new(Nobody));
    let parts = RaftParts {
        me: Member {
            id: me.id,
            name: me.name,
            incarnation: me.incarnation,
            peer_addr: me.peer_addr,
            http_addr: me.http_addr,
            ..Member::default()
        },
        cluster_id: known.cluster_id.expect("it has a cluster"),
        settings: RaftSettings {
            heartbeat: Duration::from_millis(150),
            election_timeout: (Duration::from_millis(500), Duration::from_millis(1_000)),
            snapshot_every_entries: 0,
            snapshot_every_bytes,
            // Nothing is purged: the log is as long as was asked for.
            keep_entries: 1 << 40,
        },
        log: Arc::clone(&log) as Arc<dyn LogStorage>,
        memory: MemoryFile::open(Arc::clone(&files)).expect("the memory opens"),
        snapshots: SnapshotFiles::open(files, None).expect("the snapshots open"),
        peers: peers.clone(),
    };
    let raft = Raft::start(parts).await.expect("Raft starts");
    (raft, log, peers)
}

/// There is no other node.
struct Nobody;

impl PeerHandler for Nobody {
    fn handle(&self, _: PeerIdentity, _: Bytes) -> BoxFuture<'_, Result<Bytes, Refusal>> {
        Box::pin(async { Err(Refusal::NotReady) })
    }
}

fn start(data: &Path, [http, peer]: [u16; 2]) -> Child {
    let settings = [
        "node.name=bench".to_owned(),
        format!("node.data_dir={}", data.display()),
        format!("listen.http=127.0.0.1:{http}"),
        format!("listen.peer=127.0.0.1:{peer}"),
        "log.level=warn".to_owned(),
    ];
    Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .arg("serve")
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .stdin(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn await_ready(port: u16) {
    let deadline = Instant::now() + READY_MAX;
    while !is_ready(port) {
        assert!(Instant::now() < deadline, "it does not come up");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn is_ready(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    let mut answer = [0; 12];
    stream.write_all(request).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b"200")
}

/// Ends a node as a kill would, so that its next start is a recovery.
fn end(node: &mut Child) {
    node.kill().expect("it runs");
    node.wait().expect("it ends");
}

/// CPU time and memory of a process.
fn used(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let memory: Vec<&str> = status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
        .collect();
    format!(
        "CPU {:.2} s, {}",
        ticks as f64 / 100.0,
        memory.join(", ").replace('\t', " ")
    )
}

fn directory_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => directory_bytes(&entry.path()),
            found => found.map_or(0, |found| found.len()),
        })
        .sum()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address").port()
}
