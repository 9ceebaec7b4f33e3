//! The whole server as a library: three nodes in one process, stopped and started again.
//!
//! Owns the proof that `Server::run` takes everything it needs from outside and lets go of everything
//! when it returns: a second start finds directories unlocked, ports free and the registry whole; and that
//! no thread that runs its tasks ever waits for a disk's sync.

mod support;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use eureka_raft::server::config::Config;
use eureka_raft::server::exit::{ExitCode, ExitReason};
use eureka_raft::server::{Server, World};
use eureka_raft::store::SledLog;
use eureka_raft::store::files::{File, Files, SharedFiles};
use eureka_raft::store::log::LogStorage;
use eureka_raft::store::space::Space;
use support::cluster::{SOON, free_ports};
use support::eventually::eventually;
use support::http::{post_json, request};
use support::instance;
use tokio::sync::watch;
use tokio::task::JoinHandle;

fn config(directory: &Path, ports: &[u16], node: usize) -> Config {
    let members: Vec<String> = (0..3)
        .map(|i| {
            format!(
                "{{ name = \"n{i}\", peer = \"127.0.0.1:{}\" }}",
                ports[3 + i]
            )
        })
        .collect();
    let text = format!(
        "node.name = \"n{node}\"\nnode.data_dir = \"{}\"\nlisten.http = \"127.0.0.1:{}\"\n\
         listen.peer = \"127.0.0.1:{}\"\ncluster.initial_members = [{}]\n",
        directory.join(format!("n{node}")).display(),
        ports[node],
        ports[3 + node],
        members.join(", ")
    );
    Config::from_toml("node.toml", &text).expect("a valid configuration")
}

/// Starts all three; the sender stops them.
fn start(directory: &Path, ports: &[u16]) -> (watch::Sender<bool>, Vec<JoinHandle<ExitReason>>) {
    let stop = watch::Sender::new(false);
    let nodes = (0..3)
        .map(|node| {
            let config = config(directory, ports, node);
            let world = World::real(&config.node.data_dir, &config.disk.limits())
                .expect("the directory is free");
            let mut stopped = stop.subscribe();
            tokio::spawn(Server::run(config, world, async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            }))
        })
        .collect();
    (stop, nodes)
}

fn await_ready(ports: &[u16]) {
    for port in &ports[..3] {
        eventually("every node is ready", SOON, || {
            (request(addr(*port), "GET", "/readyz").ok()?.status == 200).then_some(())
        });
    }
}

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_of_one_process_stop_and_start_again_with_everything() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ports = free_ports(6);
    for round in 0..2 {
        let (stop, nodes) = start(directory.path(), &ports);
        tokio::task::block_in_place(|| {
            await_ready(&ports);
            let body = instance::body("LIB", &format!("i-{round}"), 3_600);
            let answer =
                post_json(addr(ports[round]), "/eureka/apps/LIB", &body).expect("an answer");
            assert_eq!(answer.status, 204);
            for port in &ports[..3] {
                for earlier in 0..=round {
                    let path = format!("/eureka/apps/LIB/i-{earlier}");
                    let answer = request(addr(*port), "GET", &path).expect("an answer");
                    assert_eq!(answer.status, 200, "round {round}: i-{earlier} on {port}");
                }
            }
        });
        stop.send_replace(true);
        for node in nodes {
            let reason = node.await.expect("a node returns");
            assert_eq!(reason.code, ExitCode::Fine, "{reason}");
        }
    }
}

/// By file: the threads that synced it, with their names.
type Syncs = Arc<Mutex<BTreeMap<String, Vec<(ThreadId, Option<String>)>>>>;

/// Files of a node, and who syncs them.
struct WatchedFiles {
    files: SharedFiles,
    syncs: Syncs,
}

struct WatchedFile {
    file: Box<dyn File>,
    name: String,
    syncs: Syncs,
}

fn note(syncs: &Syncs, name: &str) {
    let thread = thread::current();
    let by = (thread.id(), thread.name().map(str::to_owned));
    syncs
        .lock()
        .expect("nobody panics while noting")
        .entry(name.to_owned())
        .or_default()
        .push(by);
}

impl WatchedFiles {
    fn watch(&self, name: &str, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(WatchedFile {
            file,
            name: name.to_owned(),
            syncs: Arc::clone(&self.syncs),
        })
    }
}

impl Files for WatchedFiles {
    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.files.create_dir(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(self.watch(name, self.files.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(self.watch(name, self.files.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        note(&self.syncs, name);
        self.files.sync_dir(name)
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.files.list(name)
    }

    fn space(&self) -> io::Result<Space> {
        self.files.space()
    }
}

impl File for WatchedFile {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&mut self, offset: u64, buf: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn sync(&mut self) -> io::Result<()> {
        note(&self.syncs, &self.name);
        self.file.sync()
    }
}

/// A node on its own, with a snapshot every few entries.
fn alone(directory: &Path, ports: &[u16]) -> Config {
    let text = format!(
        "node.name = \"alone\"\nnode.data_dir = \"{}\"\nlisten.http = \"127.0.0.1:{}\"\n\
         listen.peer = \"127.0.0.1:{}\"\nraft.snapshot_every_entries = 10\nraft.keep_entries = 5\n",
        directory.display(),
        ports[0],
        ports[1],
    );
    Config::from_toml("alone.toml", &text).expect("a valid configuration")
}

#[test]
fn no_thread_that_runs_tasks_waits_for_a_sync() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ports = free_ports(2);
    let config = alone(directory.path(), &ports);
    let syncs = Syncs::default();
    let mut world =
        World::real(directory.path(), &config.disk.limits()).expect("the directory is free");
    let files: SharedFiles = Arc::new(WatchedFiles {
        files: Arc::clone(&world.files),
        syncs: Arc::clone(&syncs),
    });
    world.files = Arc::clone(&files);
    let root = directory.path().to_owned();
    let disk = world.disk.clone();
    world.open_log = Arc::new(move |identity| {
        let log = SledLog::open_on(&root, &files, identity, disk.clone())?;
        Ok(Arc::new(log) as Arc<dyn LogStorage>)
    });
    let stop = watch::Sender::new(false);
    let mut stopped = stop.subscribe();
    // One thread for every task: whatever syncs on it keeps them all waiting.
    let tasks_thread = thread::scope(|threads| {
        let server = threads.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().expect("a runtime");
            let stopped = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let reason = runtime.block_on(Server::run(config, world, stopped));
            assert_eq!(reason.code, ExitCode::Fine, "{reason}");
            thread::current().id()
        });
        write_until_a_snapshot(addr(ports[0]));
        stop.send_replace(true);
        server.join().expect("the node returns")
    });
    let syncs = syncs.lock().unwrap();
    let synced = |what: &str| syncs.keys().any(|name| name.contains(what));
    assert!(
        synced("log/db") && synced(".snap") && synced("META."),
        "{syncs:?}"
    );
    for (name, threads) in syncs.iter() {
        let own = threads.iter().filter(|(id, _)| *id == tasks_thread);
        assert_eq!(
            own.count(),
            0,
            "{name} is synced on the thread of the tasks"
        );
    }
    let writers = syncs["log/db"].iter();
    assert!(
        writers
            .into_iter()
            .all(|(_, name)| name.as_deref() == Some("log-writer"))
    );
}

fn write_until_a_snapshot(node: SocketAddr) {
    eventually("the node is ready", SOON, || {
        (request(node, "GET", "/readyz").ok()?.status == 200).then_some(())
    });
    eventually("a snapshot", SOON, || {
        let body = instance::body("SYNC", "i-1", 3_600);
        post_json(node, "/eureka/apps/SYNC", &body).ok()?;
        let status = request(node, "GET", "/v1/status").ok()?.json();
        (status["log"]["snapshot"].as_u64()? > 0).then_some(())
    });
}
