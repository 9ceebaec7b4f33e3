//! Real processes of the product, on free loopback ports, with directories of their own.
//!
//! Owns starting, killing, pausing and stopping them, and finding the leader. Everything is cleaned up
//! when a [`Cluster`] is dropped.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::eventually::eventually;
use super::http::{Answer, post_json, request};
use super::instance;

/// Enough for a start, an election and a slow disk.
pub const SOON: Duration = Duration::from_secs(20);

/// Some nodes that know each other as `initial_members`.
pub struct Cluster {
    pub nodes: Vec<Node>,
    directory: TempDir,
    settings: Vec<String>,
}

/// Who waits for the end of this process, to end what it started.
pub struct Warden(#[expect(dead_code, reason = "its pipe is open as long as it is held")] Child);

/// One node: its place in the world, and its process while it runs.
pub struct Node {
    pub name: String,
    pub http: SocketAddr,
    pub peer: SocketAddr,
    pub data: PathBuf,
    settings: Vec<String>,
    log: PathBuf,
    process: Option<Child>,
}

impl Cluster {
    /// `size` nodes, not started. `settings` are `--set` values for all of them.
    pub fn new(size: usize, settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = free_ports(size * 2);
        let peers = &ports[size..];
        let members: Vec<String> = (0..size)
            .map(|i| {
                format!(
                    "{{ name = \"node-{}\", peer = \"127.0.0.1:{}\" }}",
                    i + 1,
                    peers[i]
                )
            })
            .collect();
        let nodes = (0..size)
            .map(|i| {
                let name = format!("node-{}", i + 1);
                let data = directory.path().join(&name);
                let mut own = vec![
                    format!("node.name=\"{name}\""),
                    format!("node.data_dir=\"{}\"", data.display()),
                    format!("listen.http=\"127.0.0.1:{}\"", ports[i]),
                    format!("listen.peer=\"127.0.0.1:{}\"", peers[i]),
                    format!("cluster.initial_members=[{}]", members.join(", ")),
                ];
                own.extend(settings.iter().map(|&setting| setting.to_owned()));
                Node {
                    http: SocketAddr::from(([127, 0, 0, 1], ports[i])),
                    peer: SocketAddr::from(([127, 0, 0, 1], peers[i])),
                    log: directory.path().join(format!("{name}.log")),
                    name,
                    data,
                    settings: own,
                    process: None,
                }
            })
            .collect();
        Self {
            nodes,
            directory,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
        }
    }

    /// `size` nodes, started and ready.
    pub fn started(size: usize, settings: &[&str]) -> Self {
        let mut cluster = Self::new(size, settings);
        cluster.start_all();
        cluster.await_ready();
        cluster
    }

    /// A further node that joins through all nodes there are, not started; its place among the nodes.
    pub fn newcomer(&mut self, name: &str) -> usize {
        let via: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("\"{}\"", node.peer))
            .collect();
        let ports = free_ports(2);
        let data = self.directory.path().join(format!("{name}-{}", ports[0]));
        let mut settings = vec![
            format!("node.name=\"{name}\""),
            format!("node.data_dir=\"{}\"", data.display()),
            format!("listen.http=\"127.0.0.1:{}\"", ports[0]),
            format!("listen.peer=\"127.0.0.1:{}\"", ports[1]),
            format!("cluster.join=[{}]", via.join(", ")),
        ];
        settings.extend(self.settings.iter().cloned());
        self.nodes.push(Node {
            http: SocketAddr::from(([127, 0, 0, 1], ports[0])),
            peer: SocketAddr::from(([127, 0, 0, 1], ports[1])),
            log: self
                .directory
                .path()
                .join(format!("{name}-{}.log", ports[0])),
            name: name.to_owned(),
            data,
            settings,
            process: None,
        });
        self.nodes.len() - 1
    }

    pub fn start_all(&mut self) {
        for node in &mut self.nodes {
            if node.process.is_none() {
                node.start();
            }
        }
    }

    /// Waits until every running node is ready.
    pub fn await_ready(&self) {
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            node.await_ready();
        }
    }

    /// Sees to it that the nodes that run now, and the directory, do not outlive this process, however
    /// it ends: for a cluster in a `static`, which nobody drops. It lasts as long as what is returned.
    pub fn end_with_this_process(&self) -> Warden {
        // The end of this process closes the pipe, and only then does `read` return.
        const SCRIPT: &str = r#"trap '' HUP INT TERM; read -r _; d=$1; shift; kill -9 "$@"
            rm -rf "$d" || { sleep 1; rm -rf "$d"; }"#;
        let running = self.nodes.iter().filter_map(|node| node.process.as_ref());
        let warden = Command::new("sh")
            .args(["-c", SCRIPT, "warden"])
            .arg(self.directory.path())
            .args(running.map(|process| process.id().to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Warden(warden.expect("sh starts"))
    }

    /// The index of the node that all running nodes agree leads.
    pub fn leader(&self) -> usize {
        eventually("one leader that all running nodes know", SOON, || {
            let named: Vec<Option<String>> = self
                .nodes
                .iter()
                .filter(|node| node.process.is_some())
                .map(|node| {
                    node.status()?["cluster"]["leader"]
                        .as_str()
                        .map(str::to_owned)
                })
                .collect();
            let first = named.first()?.clone()?;
            let agreed = named
                .iter()
                .all(|name| name.as_deref() == Some(first.as_str()));
            let leader = self.nodes.iter().position(|node| node.name == first)?;
            (agreed && self.nodes[leader].process.is_some()).then_some(leader)
        })
    }

    /// A node that runs and does not lead.
    pub fn follower(&self) -> usize {
        let leader = self.leader();
        (0..self.nodes.len())
            .find(|&i| i != leader && self.nodes[i].process.is_some())
            .expect("a second node runs")
    }

    /// Waits until all running nodes have the same state hash at the same index.
    pub fn await_equal_state(&self) -> String {
        eventually("equal state on all running nodes", SOON, || {
            let mut states = self
                .nodes
                .iter()
                .filter(|node| node.process.is_some())
                .map(|node| Some(node.status()?["state"].to_string()));
            let first = states.next()??;
            states
                .all(|state| state.as_ref() == Some(&first))
                .then_some(first)
        })
    }
}

impl Node {
    /// Starts the process; it may not be ready yet.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_eureka-raft"));
        command.arg("serve").stdin(Stdio::null());
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        self.process = Some(command.spawn().expect("the binary starts"));
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a killed child ends");
    }

    /// Sends `signal` (`TERM`, `STOP`, `CONT`).
    pub fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("it runs").id();
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &id.to_string()])
            .status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for the process to end by itself.
    pub fn await_exit(&mut self, limit: Duration) -> ExitStatus {
        let name = self.name.clone();
        let process = self.process.as_mut().expect("it runs");
        let status = eventually(&format!("{name} ends"), limit, || {
            process.try_wait().expect("a child can be asked")
        });
        self.process = None;
        status
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Takes over a copy of the data directory of a node that does not run, under that node's name.
    pub fn become_a_copy_of(&mut self, original: &Self) {
        assert!(original.process.is_none(), "{} runs", original.name);
        let copied = Command::new("cp")
            .arg("-a")
            .args([&original.data, &self.data])
            .status();
        assert!(copied.expect("cp runs").success());
        self.set(&format!("node.name=\"{}\"", original.name));
    }

    /// Removes everything the node ever stored.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "{} runs", self.name);
        std::fs::remove_dir_all(&self.data).expect("the data directory goes");
    }

    pub fn await_ready(&self) {
        eventually(
            &format!("{} is ready; its log:\n{}", self.name, self.log()),
            SOON,
            || (request(self.http, "GET", "/readyz").ok()?.status == 200).then_some(()),
        );
    }

    pub fn status(&self) -> Option<Value> {
        let answer = request(self.http, "GET", "/v1/status").ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// What the process has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Adds a `--set` for the next start.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    pub fn get(&self, path: &str) -> Answer {
        request(self.http, "GET", path).expect("an answer")
    }

    pub fn put(&self, path: &str) -> Answer {
        request(self.http, "PUT", path).expect("an answer")
    }

    pub fn delete(&self, path: &str) -> Answer {
        request(self.http, "DELETE", path).expect("an answer")
    }

    pub fn register(&self, app: &str, id: &str, duration: u32) -> Answer {
        post_json(
            self.http,
            &format!("/eureka/apps/{app}"),
            &instance::body(app, id, duration),
        )
        .expect("an answer")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for node in &mut self.nodes {
            if node.process.is_some() {
                node.kill();
            }
            if failed {
                eprintln!(
                    "--- log of {} in {}\n{}",
                    node.name,
                    self.directory.path().display(),
                    node.log()
                );
            }
        }
    }
}

/// Ports nobody listens on. They are let go again before the product takes them, which loopback's wide
/// range of ports makes safe enough.
pub fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"))
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().expect("a bound address").port())
        .collect()
}
