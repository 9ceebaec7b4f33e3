//! The whole server as a library: three nodes in one process, stopped and started again.
//!
//! Owns the proof that `Server::run` takes everything it needs from outside and lets go of everything
//! when it returns: a second start finds directories unlocked, ports free and the registry whole.

mod support;

use std::net::SocketAddr;
use std::path::Path;

use eureka_raft::server::config::Config;
use eureka_raft::server::exit::{ExitCode, ExitReason};
use eureka_raft::server::{Server, World};
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
