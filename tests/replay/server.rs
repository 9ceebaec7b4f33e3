//! The real server, one node in this process: its own directory, its own ports, a log and a disk.
//!
//! Owns that it is fresh, ready before the first request, and stopped when the test ends, also when that fails.

use std::net::SocketAddr;
use std::time::Duration;

use eureka_raft::server::config::Config;
use eureka_raft::server::exit::ExitReason;
use eureka_raft::server::{Server, World};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::cluster::{SOON, free_ports};
use crate::support::eventually::eventually;
use crate::support::http::request;

/// Longer than a stop takes.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server; stops when dropped.
pub(crate) struct Fresh {
    pub(crate) addr: SocketAddr,
    runtime: Runtime,
    stop: watch::Sender<bool>,
    running: Option<JoinHandle<ExitReason>>,
    // Last: removed once the server has let go of it.
    _directory: tempfile::TempDir,
}

impl Fresh {
    /// Starts a server with an empty registry and waits until it is ready.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = free_ports(2);
        let config = config(directory.path(), &ports);
        let world = World::real(&config.node.data_dir, &config.disk.limits())
            .expect("the directory is free");
        let runtime = Runtime::new().expect("a runtime");
        let stop = watch::Sender::new(false);
        let mut stopped = stop.subscribe();
        let running = runtime.spawn(Server::run(config, world, async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        let fresh = Self {
            addr: SocketAddr::from(([127, 0, 0, 1], ports[0])),
            runtime,
            stop,
            running: Some(running),
            _directory: directory,
        };
        eventually("the server is ready", SOON, || {
            (request(fresh.addr, "GET", "/readyz").ok()?.status == 200).then_some(())
        });
        fresh
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(running) = self.running.take() {
            let ended = async { tokio::time::timeout(STOP_TIMEOUT, running).await };
            // A failing test has said why already.
            let _ = self.runtime.block_on(ended);
        }
    }
}

fn config(directory: &std::path::Path, ports: &[u16]) -> Config {
    let text = format!(
        "node.data_dir = \"{}\"\nlisten.http = \"127.0.0.1:{}\"\nlisten.peer = \"127.0.0.1:{}\"\n",
        directory.join("data").display(),
        ports[0],
        ports[1],
    );
    Config::from_toml("golden.toml", &text).expect("a valid configuration")
}
