//! A cluster of its own for a bench.
//!
//! Owns three child processes with data directories of their own, on free ports, and their end: they
//! are killed and their data removed when it is dropped. It may not touch a process it did not start.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::BenchError;

/// How many nodes.
const NODES: usize = 3;

/// From the start of the processes to all of them being ready.
const READY_WAIT: Duration = Duration::from_secs(60);

/// Between two looks at a node that is not ready.
const READY_POLL: Duration = Duration::from_millis(100);

/// Three running nodes.
pub(super) struct Cluster {
    nodes: Vec<Node>,
    /// Will be killed: no longer among `nodes`.
    victim: Option<Child>,
    directory: PathBuf,
}

struct Node {
    http: String,
    /// Its standard error.
    log: PathBuf,
    // Killed when dropped.
    process: Child,
}

impl Cluster {
    /// Starts three nodes of this program with their data under a new directory in `parent`, and
    /// waits until they are ready.
    pub(super) async fn start(parent: &Path) -> Result<Self, BenchError> {
        let directory = parent.join(format!("eureka-raft-bench-{}", std::process::id()));
        let failed = |error: io::Error| BenchError::Cluster(error.to_string());
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let nodes = Vec::with_capacity(NODES);
        let mut cluster = Self {
            nodes,
            victim: None,
            directory,
        };
        cluster.spawn().map_err(failed)?;
        timeout(READY_WAIT, cluster.ready())
            .await
            .map_err(|_| BenchError::Cluster("its nodes were not ready in time".to_owned()))??;
        Ok(cluster)
    }

    /// The nodes' HTTP addresses, `host:port`.
    pub(super) fn servers(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.http.clone()).collect()
    }

    /// The nodes' process ids.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.nodes
            .iter()
            .filter_map(|node| node.process.id())
            .collect()
    }

    /// Takes a node that does not lead out of the others, to be killed later.
    pub(super) async fn choose_victim(&mut self) -> Result<(), BenchError> {
        for (at, node) in self.nodes.iter().enumerate() {
            if role(&node.http).await.as_deref() == Some("follower") {
                self.victim = Some(self.nodes.remove(at).process);
                return Ok(());
            }
        }
        Err(BenchError::Cluster("no node follows".to_owned()))
    }

    /// The one that was chosen. It ends when this is dropped.
    pub(super) fn take_victim(&mut self) -> Option<Child> {
        self.victim.take()
    }

    /// Where the nodes' data lies.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Ends the nodes, waits for it, and removes their data.
    pub(super) async fn stop(mut self) {
        for node in &mut self.nodes {
            // A process that is gone already is what is wanted.
            drop(node.process.kill().await);
        }
    }

    fn spawn(&mut self) -> io::Result<()> {
        let ports = free_ports(2 * NODES)?;
        let (http, peer) = ports.split_at(NODES);
        let members: Vec<String> = (1..)
            .zip(peer)
            .map(|(n, port)| format!("{{ name = \"bench-{n}\", peer = \"127.0.0.1:{port}\" }}"))
            .collect();
        let members = format!("cluster.initial_members=[{}]", members.join(", "));
        let program = std::env::current_exe()?;
        for (number, (http, peer)) in (1..).zip(http.iter().zip(peer)) {
            let data_dir = self.directory.join(format!("bench-{number}"));
            let log = self.directory.join(format!("bench-{number}.log"));
            let settings = [
                format!("node.name=bench-{number}"),
                format!("node.data_dir={}", data_dir.display()),
                format!("listen.http=127.0.0.1:{http}"),
                format!("listen.peer=127.0.0.1:{peer}"),
                members.clone(),
                "log.level=warn".to_owned(),
            ];
            let process = Command::new(&program)
                .arg("serve")
                .args(settings.iter().flat_map(|setting| ["--set", setting]))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(&log)?)
                .kill_on_drop(true)
                .spawn()?;
            self.nodes.push(Node {
                http: format!("127.0.0.1:{http}"),
                log,
                process,
            });
        }
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), BenchError> {
        for node in &mut self.nodes {
            while !is_ready(&node.http).await {
                if let Ok(Some(status)) = node.process.try_wait() {
                    let said = last_line(&node.log);
                    let message = format!("the node on {} ended with {status}: {said}", node.http);
                    return Err(BenchError::Cluster(message));
                }
                sleep(READY_POLL).await;
            }
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // A process that is gone already is what is wanted.
            drop(node.process.start_kill());
        }
        // After `stop` nobody writes there any more. Without it, on the way out of an error, a dying
        // node may still create a file, and the directory stays.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// The last line of `log`: why a node ended.
fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
}

/// Ports nobody uses now: each is bound once to be chosen by the system.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<io::Result<_>>()?;
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// Whether `/readyz` answers 200.
async fn is_ready(http: &str) -> bool {
    let answer = get(http, "/readyz").await;
    answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// What a node says it is: `leader`, `follower`, …
async fn role(http: &str) -> Option<String> {
    let answer = get(http, "/v1/status").await?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let status: serde_json::Value = serde_json::from_str(body).ok()?;
    status["node"]["role"].as_str().map(str::to_owned)
}

/// The whole answer, if it comes within a second.
async fn get(http: &str, path: &str) -> Option<String> {
    let question = format!("GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
    let answer = async {
        let mut stream = TcpStream::connect(http).await?;
        stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    };
    timeout(Duration::from_secs(1), answer).await.ok()?.ok()
}
