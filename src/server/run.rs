//! A node from its first line to its last.
//!
//! Owns the order in which a node's parts start and stop. Everything that touches the world is handed
//! in ([`World`]), so that the same code runs on a simulated clock, disk and network. Invariant: when
//! [`Server::run`] returns, every task it started has ended or been aborted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http;
use crate::net::{Listener, SharedNetwork};
use crate::node::{FirstStart, Node, PeerDesk, Plan};
use crate::raft::{Candidacy, Failure, Member, Peers, Raft, RaftParts};
use crate::store::files::SharedFiles;
use crate::store::identity::IdentityFile;
use crate::store::log::{LogBounds, LogStorage};
use crate::store::{Ancestry, MemoryFile, OpenError, SnapshotFiles, blocking, release};

use super::config::Config;
use super::evidence;
use super::exit::ExitReason;
use super::translate;
use super::world::World;

/// How long a stop may take before the process is ended: exit 75.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How long a stopping leader waits for another to take over.
const TRANSFER_MAX: Duration = Duration::from_secs(3);

/// How long connections may take to be cut when nothing is waited for any more.
const HALT_MAX: Duration = Duration::from_millis(500);

/// A node.
pub struct Server;

impl Server {
    /// Runs a node until `stop` resolves, or it cannot go on. The reason is fine only after a clean stop.
    pub async fn run(config: Config, world: World, stop: impl Future<Output = ()>) -> ExitReason {
        match Self::serve(config, world, stop).await {
            Ok(()) => ExitReason::fine(),
            Err(reason) => reason,
        }
    }

    /// Why a node whose data directory cannot be opened ends.
    pub fn refused(error: &OpenError) -> ExitReason {
        translate::open_error(error)
    }

    async fn serve(
        config: Config,
        world: World,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ExitReason> {
        tokio::pin!(stop);
        let disk = world.disk.failure.clone();
        let (starting, mut listeners) = Starting::prepare(&config, world).await?;
        let peers = starting.peers.clone();
        let started = tokio::select! {
            biased;
            () = &mut stop => Ok(None),
            why = disk.wait() => Err(translate::disk_failed(&why)),
            started = starting.start_raft(&config) => started.map(Some),
            Some(ended) = listeners.join_next() => Err(listener_ended(ended)),
        };
        // Before the first start is complete nothing was promised to anybody.
        let disk_and_raft = match started {
            Ok(Some(started)) => started,
            Ok(None) => {
                halt(&peers, &mut listeners).await;
                return Ok(());
            }
            Err(reason) => {
                halt(&peers, &mut listeners).await;
                return Err(reason);
            }
        };
        let mut running = starting.run(disk_and_raft, listeners);
        let failed = tokio::select! {
            biased;
            () = &mut stop => None,
            // Before Raft, which would say the same with fewer words.
            why = disk.wait() => Some(translate::disk_failed(&why)),
            reason = running.until_it_fails() => Some(reason),
        };
        match failed {
            // Nothing may be acknowledged after a failure: no request in progress is let end.
            Some(reason) => {
                halt(&peers, &mut running.listeners).await;
                Err(reason)
            }
            None => running.stop().await,
        }
    }
}

/// Cuts every connection, clients' and peers'.
async fn halt(peers: &Peers, listeners: &mut JoinSet<()>) {
    let cut = async {
        listeners.shutdown().await;
        peers.shutdown().await;
    };
    // A connection that will not go ends with the process.
    let _ = tokio::time::timeout(HALT_MAX, cut).await;
}

/// A node whose listeners are open and whose first start may not be complete.
struct Starting {
    world: World,
    identity: IdentityFile,
    first_start: Arc<FirstStart>,
    node: Arc<Node>,
    desk: Arc<PeerDesk>,
    peers: Peers,
    stopping: watch::Sender<bool>,
}

impl Starting {
    async fn prepare(config: &Config, world: World) -> Result<(Self, JoinSet<()>), ExitReason> {
        let identity = open_identity(config, &world).await?;
        let ancestry = read_ancestry(&world).await?;
        let http_listener = listen(&world.network, config.listen.http.as_str()).await?;
        let peer_listener = listen(&world.network, config.listen.peer.as_str()).await?;
        let me = translate::planned_member(
            config,
            &identity,
            http_listener.as_ref(),
            peer_listener.as_ref(),
        );
        let first_start =
            FirstStart::new(me, translate::way_in(config, &identity), identity.clone());
        let desk = PeerDesk::new(Arc::clone(&first_start));
        let handler = Arc::clone(&desk);
        let peers = Peers::start(
            Arc::clone(&world.network),
            peer_listener,
            translate::peer_identity(&identity),
            handler,
        );
        // Half of it is enough to tell two processes apart.
        peers.set_process(u64::try_from((world.fresh_id)() >> 64).unwrap_or_default());
        peers.set_ended_cluster(ancestry.and_then(|ancestry| ancestry.ended_cluster()));
        let node = Node::new(
            Arc::clone(&first_start),
            translate::node_options(config),
            world.disk.clone(),
        );
        let stopping = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let app = http::App::new(
            Arc::clone(&node),
            Arc::clone(&world.clock),
            translate::http_limits(config),
            translate::disk_metrics(&world.disk),
        );
        tasks.spawn(http::serve(
            http_listener,
            app,
            stopped(stopping.subscribe()),
        ));
        Ok((
            Self {
                world,
                identity,
                first_start,
                node,
                desk,
                peers,
                stopping,
            },
            tasks,
        ))
    }

    /// Agrees on who the members are, opens the log and starts Raft on it.
    async fn start_raft(&self, config: &Config) -> Result<(Arc<dyn LogStorage>, Raft), ExitReason> {
        let cluster_id = (self.world.fresh_id)();
        let plan = self
            .first_start
            .come_in(&self.peers, cluster_id)
            .await
            .map_err(translate::first_start_error)?;
        self.peers
            .set_identity(translate::peer_identity(&self.identity));
        let Disk {
            log,
            snapshots,
            memory,
        } = self.open_disk().await?;
        let me = self.identity.get().node_id.unwrap_or_default();
        let founder = me == FOUNDER && is_new(&bounds(log.as_ref())?);
        if founder {
            self.first_start
                .spread(&self.peers, &plan)
                .await
                .map_err(translate::first_start_error)?;
        }
        let parts = RaftParts {
            me: member(&plan, me)?,
            cluster_id: plan.cluster_id,
            settings: translate::raft_settings(config),
            log: Arc::clone(&log),
            snapshots,
            memory,
            peers: self.peers.clone(),
        };
        let raft = Raft::start(parts)
            .await
            .map_err(|error| translate::start_error(&error))?;
        if founder {
            let members = plan
                .members
                .iter()
                .cloned()
                .map(translate::into_member)
                .collect();
            raft.initialize(members)
                .await
                .map_err(|error| internal("the cluster could not be initialised", &error))?;
        }
        Ok((log, raft))
    }

    /// The log, the snapshots and the memory of the peers, everything in them checked.
    async fn open_disk(&self) -> Result<Disk, ExitReason> {
        let refused = |error: OpenError| translate::open_error_at(&self.world.files, &error);
        let (open_log, identity) = (Arc::clone(&self.world.open_log), self.identity.clone());
        let log = blocking(move || open_log(identity))
            .await
            .map_err(refused)?;
        let files = Arc::clone(&self.world.files);
        let purged = bounds(log.as_ref())?.purged.map(|(index, _note)| index);
        let others = move || {
            let mut memory = MemoryFile::open(Arc::clone(&files))?;
            memory.settle()?;
            let snapshots = SnapshotFiles::open(Arc::clone(&files), purged)?;
            if let Err(error) = release::note(&files) {
                tracing::warn!(%error, "this release could not be noted in RELEASE");
            }
            Ok((snapshots, memory))
        };
        let (snapshots, memory) = blocking(others).await.map_err(refused)?;
        for (name, reason) in snapshots.damaged() {
            tracing::warn!(snapshot = %name, reason, "a snapshot is damaged: an older one and the log hold all it held");
        }
        if let Some(reason) = memory.damage() {
            tracing::warn!(
                reason,
                "what was remembered of the peers is damaged: it is learnt anew"
            );
        }
        Ok(Disk {
            log,
            snapshots,
            memory,
        })
    }

    fn run(self, (log, raft): (Arc<dyn LogStorage>, Raft), listeners: JoinSet<()>) -> Running {
        let node_tasks = self.node.run(raft.clone(), Arc::clone(&self.world.clock));
        self.desk.open(&self.node);
        Running {
            raft,
            log,
            files: self.world.files,
            node: self.node,
            peers: self.peers,
            stopping: self.stopping,
            listeners,
            node_tasks,
        }
    }
}

/// What a node's data directory holds besides its identity.
struct Disk {
    log: Arc<dyn LogStorage>,
    snapshots: SnapshotFiles,
    memory: MemoryFile,
}

/// A node that serves.
struct Running {
    raft: Raft,
    log: Arc<dyn LogStorage>,
    files: SharedFiles,
    node: Arc<Node>,
    peers: Peers,
    stopping: watch::Sender<bool>,
    listeners: JoinSet<()>,
    node_tasks: JoinSet<()>,
}

impl Running {
    /// Pends while all is well.
    async fn until_it_fails(&mut self) -> ExitReason {
        let mut failure = self.raft.failure();
        loop {
            // Looked at before waiting: it may have failed before anybody listened.
            let failed = failure.borrow_and_update().clone();
            if let Some(failed) = failed {
                self.keep_evidence(&failed).await;
                return translate::failure(&failed);
            }
            tokio::select! {
                Some(ended) = self.listeners.join_next() => return listener_ended(ended),
                Some(ended) = self.node_tasks.join_next() => if let Err(ended) = ended {
                    return internal("a task of the node ended", &ended);
                },
                changed = failure.changed() => if changed.is_err() {
                    return ExitReason::internal("Raft ended by itself", "", "look at the log above, then start again");
                },
            }
        }
    }

    /// A state that differs is shown to nobody any more, so its figures are kept for a look.
    async fn keep_evidence(&self, failed: &Failure) {
        let Failure::Diverged(found) = *failed else {
            return;
        };
        let files = Arc::clone(&self.files);
        if let Err(error) = blocking(move || evidence::write(&files, &found)).await {
            tracing::warn!(%error, "the evidence was not written");
        }
    }

    /// Hands leadership over, lets requests end, and closes the log.
    async fn stop(self) -> Result<(), ExitReason> {
        let late = || {
            let why = format!(
                "requests or the disk took longer than {} s",
                STOP_MAX.as_secs()
            );
            ExitReason::unfinished(
                "the node did not stop in time",
                why,
                "everything acknowledged is on disk; start again",
            )
        };
        tokio::time::timeout(STOP_MAX, self.wind_down())
            .await
            .unwrap_or_else(|_late| Err(late()))
    }

    async fn wind_down(mut self) -> Result<(), ExitReason> {
        tracing::info!("stopping");
        self.node.begin_stop();
        // Who was asked to take over may fail; this node would win again, and leave a second gap.
        self.raft.set_candidacy(Candidacy::Over);
        // Whether or not somebody takes over in time, stopping goes on: an election does the rest.
        let _ = tokio::time::timeout(TRANSFER_MAX, self.raft.transfer_leadership(None)).await;
        self.stopping.send_replace(true);
        // `http::serve` cuts what has not ended after `limits.drain_timeout`.
        while self.listeners.join_next().await.is_some() {}
        let failure = self.raft.failure();
        self.raft.shutdown().await;
        self.peers.shutdown().await;
        self.node_tasks.shutdown().await;
        let log = self.log;
        let closed = blocking(move || log.close()).await;
        if let Some(failed) = failure.borrow().as_ref() {
            return Err(translate::failure(failed));
        }
        closed.map_err(|error| translate::log_not_closed(&error))?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// The id of the first name in the list, which alone initialises.
const FOUNDER: u64 = 1;

async fn open_identity(config: &Config, world: &World) -> Result<IdentityFile, ExitReason> {
    let files = Arc::clone(&world.files);
    let (name, fresh_id) = (config.node.name.clone(), world.fresh_id);
    let opened = blocking(move || match IdentityFile::open(Arc::clone(&files))? {
        Some(identity) => Ok(identity),
        None => IdentityFile::create(files, &name, fresh_id()),
    });
    let identity = opened
        .await
        .map_err(|error| translate::open_error_at(&world.files, &error))?;
    let stored = identity.get().name;
    if stored == config.node.name {
        return Ok(identity);
    }
    Err(ExitReason::identity(
        format!("the data directory belongs to {stored:?}"),
        format!("this node is configured as {:?}", config.node.name),
        "give each node its own node.data_dir",
    ))
}

async fn read_ancestry(world: &World) -> Result<Option<Ancestry>, ExitReason> {
    let files = Arc::clone(&world.files);
    blocking(move || Ancestry::read(&files))
        .await
        .map_err(|error| translate::open_error(&error))
}

async fn listen(network: &SharedNetwork, addr: &str) -> Result<Box<dyn Listener>, ExitReason> {
    network.listen(addr).await.map_err(|error| {
        // Not a matter of configuration alone: the process before this one may still be stopping.
        ExitReason::unfinished(
            format!("cannot listen on {addr}"),
            error.to_string(),
            "stop what uses the address, or set listen.http and listen.peer",
        )
    })
}

fn bounds(log: &dyn LogStorage) -> Result<LogBounds, ExitReason> {
    log.bounds().map_err(|error| {
        ExitReason::storage(
            "the log cannot be read",
            error.to_string(),
            "check the disk, then start again",
        )
    })
}

/// Whether nothing was ever in this log: then this cluster was not initialised from here.
fn is_new(bounds: &LogBounds) -> bool {
    *bounds == LogBounds::default()
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn member(plan: &Plan, id: u64) -> Result<Member, ExitReason> {
    let planned = plan.members.iter().find(|member| member.id == id).cloned();
    planned.map(translate::into_member).ok_or_else(|| {
        ExitReason::identity(
            "the identity file does not hold its own plan",
            format!("no member {id} in it"),
            "restore the data directory from before",
        )
    })
}

fn listener_ended(ended: Result<(), tokio::task::JoinError>) -> ExitReason {
    let why = ended
        .err()
        .map_or_else(|| "it returned".to_owned(), |error| error.to_string());
    ExitReason::internal(
        "the HTTP listener ended",
        why,
        "look at the log above, then start again",
    )
}

fn internal(what: &str, error: &dyn std::fmt::Display) -> ExitReason {
    ExitReason::internal(
        what,
        error.to_string(),
        "look at the log above, then start again",
    )
}
