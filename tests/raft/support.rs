//! Nodes of a test cluster: a data directory, a log in sled, connections on loopback, Raft.
//!
//! Owns starting and stopping them and waiting for something to become true. It may not know how.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use eureka_raft::net::Network;
use eureka_raft::raft::{
    Leadership, Member, PeerHandler, PeerIdentity, Peers, Proposed, Raft, RaftParts, RaftSettings,
    Refusal, StartError,
};
use eureka_raft::registry::{Command, Entry, LogTime, Settings};
use eureka_raft::store::files::SharedFiles;
use eureka_raft::store::identity::IdentityFile;
use eureka_raft::store::log::LogStorage;
use eureka_raft::store::{DirFiles, MemoryFile, SledLog, SnapshotFiles};
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::black_hole::Cable;
use super::failing_disk::FailingLog;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const CLUSTER: u128 = 0xC1;

/// Settings that make elections quick and snapshots happen only when asked for.
pub fn quick() -> RaftSettings {
    RaftSettings {
        heartbeat: Duration::from_millis(60),
        election_timeout: (Duration::from_millis(250), Duration::from_millis(500)),
        snapshot_every_entries: 0,
        snapshot_every_bytes: 0,
        keep_entries: 0,
    }
}

/// Fails the test if `future` takes longer than [`PATIENCE`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_late| panic!("took too long: {what}"))
}

/// Answers with what it was asked, and its name.
struct Echo(String);

impl PeerHandler for Echo {
    fn handle(&self, from: PeerIdentity, request: Bytes) -> BoxFuture<'_, Result<Bytes, Refusal>> {
        Box::pin(async move {
            if &request[..] == b"refuse" {
                return Err(Refusal::NotReady);
            }
            if &request[..] == b"hang" {
                std::future::pending::<()>().await;
            }
            Ok(Bytes::from(format!(
                "{} to {}: {}",
                self.0,
                from.name,
                String::from_utf8_lossy(&request)
            )))
        })
    }
}

/// One node that may be running.
pub struct TestNode {
    pub id: u64,
    pub member: Member,
    pub settings: RaftSettings,
    pub cable: Cable,
    pub disk_fails: Arc<AtomicBool>,
    dir: tempfile::TempDir,
    running: Option<Running>,
}

struct Running {
    raft: Raft,
    peers: Peers,
    log: Arc<SledLog>,
}

impl TestNode {
    pub fn new(id: u64, settings: RaftSettings) -> Self {
        let member = Member {
            id,
            name: format!("node-{id}"),
            incarnation: u128::from(id) * 1_000 + 7,
            peer_addr: "127.0.0.1:0".to_owned(),
            http_addr: format!("127.0.0.1:{}", 9_000 + id),
            ..Member::default()
        };
        Self {
            id,
            member,
            settings,
            cable: Cable::default(),
            disk_fails: Arc::default(),
            dir: tempfile::tempdir().unwrap(),
            running: None,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub fn raft(&self) -> &Raft {
        &self.running.as_ref().expect("the node runs").raft
    }

    pub fn peers(&self) -> &Peers {
        &self.running.as_ref().expect("the node runs").peers
    }

    pub fn identity(&self) -> PeerIdentity {
        PeerIdentity {
            name: self.member.name.clone(),
            incarnation: self.member.incarnation,
            cluster_id: Some(CLUSTER),
            node_id: Some(self.id),
        }
    }

    /// Listens, at the same address as before if there was one.
    pub async fn listen(&mut self, identity: PeerIdentity) -> Peers {
        let listener = self.cable.listen(&self.member.peer_addr).await.unwrap();
        self.member.peer_addr = listener.local_addr().unwrap().to_string();
        let echo = Arc::new(Echo(self.member.name.clone()));
        Peers::start(Arc::new(self.cable.clone()), listener, identity, echo)
    }

    pub async fn start(&mut self) {
        self.try_start().await.unwrap();
    }

    pub async fn try_start(&mut self) -> Result<(), StartError> {
        let files: SharedFiles = Arc::new(DirFiles::open(self.path())?);
        let file = match IdentityFile::open(Arc::clone(&files))? {
            Some(file) => file,
            None => IdentityFile::create(
                Arc::clone(&files),
                &self.member.name,
                self.member.incarnation,
            )?,
        };
        file.update(|identity| {
            identity.cluster_id = Some(CLUSTER);
            identity.node_id = Some(self.id);
        })
        .unwrap();
        let log = Arc::new(SledLog::open(&self.path(), &files, file)?);
        let purged = log.bounds().unwrap().purged.map(|(index, _)| index);
        let memory = MemoryFile::open(Arc::clone(&files))?;
        let snapshots = SnapshotFiles::open(files, purged)?;
        let identity = self.identity();
        let peers = self.listen(identity).await;
        let parts = RaftParts {
            me: self.member.clone(),
            cluster_id: CLUSTER,
            settings: self.settings.clone(),
            log: Arc::new(FailingLog {
                log: Arc::clone(&log),
                fails: Arc::clone(&self.disk_fails),
            }),
            snapshots,
            memory,
            peers: peers.clone(),
        };
        let raft = Raft::start(parts).await?;
        self.running = Some(Running { raft, peers, log });
        Ok(())
    }

    /// Stops the node and closes its log.
    pub async fn stop(&mut self) {
        let Running { raft, peers, log } = self.running.take().expect("the node runs");
        soon("shut down", raft.shutdown()).await;
        soon("close the connections", peers.shutdown()).await;
        drop(peers);
        let released = async {
            while Arc::strong_count(&log) > 1 {
                tokio::task::yield_now().await;
            }
        };
        soon("nobody holds the log of a stopped node", released).await;
        log.close().unwrap();
    }

    /// Proposes on this node, as the leader of its term.
    pub async fn propose(&self, entry: &Entry) -> Proposed {
        let term = self.raft().leadership().borrow().term;
        soon("propose", self.raft().propose(term, entry))
            .await
            .unwrap()
    }

    pub async fn until(&self, what: &str, wanted: impl FnMut(&Leadership) -> bool) -> Leadership {
        let mut leadership = self.raft().leadership();
        *soon(what, leadership.wait_for(wanted)).await.unwrap()
    }

    pub fn instances_max(&self) -> u64 {
        self.raft().state().view().settings().instances_max
    }
}

/// An entry that changes the registry in a way that can be seen.
pub fn entry(instances_max: u64) -> Entry {
    let settings = Settings {
        instances_max,
        ..Settings::default()
    };
    Entry {
        at: LogTime {
            wall_ms: 1_000,
            lease_ms: instances_max,
        },
        commands: vec![Command::Settings(settings)],
    }
}

/// Nodes that know each other.
pub struct Cluster {
    pub nodes: Vec<TestNode>,
}

impl Cluster {
    /// Starts `count` nodes; the first has initialised, and there is a leader that all know.
    pub async fn start(count: u64, settings: RaftSettings) -> Self {
        let mut nodes: Vec<TestNode> = (1..=count)
            .map(|id| TestNode::new(id, settings.clone()))
            .collect();
        for node in &mut nodes {
            node.start().await;
        }
        let cluster = Self { nodes };
        let members = cluster
            .nodes
            .iter()
            .map(|node| node.member.clone())
            .collect();
        cluster.nodes[0].raft().initialize(members).await.unwrap();
        cluster.leader().await;
        cluster
    }

    /// Where in `nodes` the leader is, once every running node knows it and it is ready.
    pub async fn leader(&self) -> usize {
        let running = || self.nodes.iter().filter(|node| node.running.is_some());
        let agreed = async {
            loop {
                for node in running() {
                    node.until("a leader", |now| now.leader.is_some()).await;
                }
                let says: Vec<Leadership> = running()
                    .map(|node| *node.raft().leadership().borrow())
                    .collect();
                let leader = says[0].leader;
                let ready = says.iter().any(|now| now.ready);
                if ready
                    && says
                        .iter()
                        .all(|now| now.leader == leader && now.term == says[0].term)
                {
                    return leader;
                }
                tokio::task::yield_now().await;
            }
        };
        let leader = soon("agree on a leader", agreed).await;
        self.nodes
            .iter()
            .position(|node| Some(node.id) == leader)
            .unwrap()
    }

    /// Where a node is that does not lead.
    pub async fn follower(&self) -> usize {
        let leader = self.leader().await;
        (0..self.nodes.len())
            .find(|at| *at != leader && self.nodes[*at].running.is_some())
            .unwrap()
    }

    pub async fn applied_everywhere(&self, index: u64) {
        for node in self.nodes.iter().filter(|node| node.running.is_some()) {
            soon("apply everywhere", node.raft().applied(index)).await;
        }
    }

    /// The state hash of every node, all at one index.
    pub async fn equal_views(&self) -> Vec<u128> {
        soon("reach one index", async {
            loop {
                let views: Vec<_> = self
                    .nodes
                    .iter()
                    .map(|node| node.raft().state().view())
                    .collect();
                if views.iter().all(|view| view.index() == views[0].index()) {
                    return views.iter().map(|view| view.state_hash()).collect();
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    pub async fn stop(mut self) {
        for node in &mut self.nodes {
            if node.running.is_some() {
                node.stop().await;
            }
        }
    }
}
