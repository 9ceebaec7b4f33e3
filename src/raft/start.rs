//! How Raft is put together.
//!
//! Owns the order: state from the newest snapshot, openraft on the log, the tasks beside it, and last
//! of all the door for peers. It may not start what has not been checked.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use openraft::errors::Fatal;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Duration;

use super::backup::BACKUPS_MAX;
use super::compaction::Compaction;
use super::disk::Disk;
use super::double::Look;
use super::error::StartError;
use super::failure::FailureCell;
use super::gate::StartGate;
use super::inbound::Inbound;
use super::keeper::Keeper;
use super::log_store::LogStore;
use super::memories::Memories;
use super::network::Network;
use super::peer::Peers;
use super::read_index::{ReadQueue, Rounds};
use super::removed::RemovedMembers;
use super::service::{Core, RaftService};
use super::settings::RaftSettings;
use super::status::Leadership;
use super::suspects::Suspects;
use super::types::{Membership, TypeConfig};
use super::watcher::{Members, Watcher};
use super::{Candidacy, Inner, RaftParts};

/// The pause between two attempts to meet the others after a start.
const GREET_PAUSE: Duration = Duration::from_millis(100);

/// Starts on what is on disk.
pub(super) async fn start(parts: RaftParts) -> Result<Inner, StartError> {
    let failure = FailureCell::new();
    let started = start_or_fail(parts, failure.clone()).await;
    started.map_err(|error| failure.of_start(error))
}

async fn start_or_fail(parts: RaftParts, failure: FailureCell) -> Result<Inner, StartError> {
    let removed = RemovedMembers::default();
    let disk = Disk::open(&parts, failure.clone(), removed.clone()).await?;
    let membership = disk.membership.clone();
    let (cell, log) = (disk.machine.cell(), disk.log.clone());
    let members = Members::default();
    members.update(&membership);
    let core = build_core(&parts, disk, members.clone()).await?;
    let (leadership_sender, leadership) = watch::channel(Leadership::default());
    let (reads, read_queue) = ReadQueue::new();
    let inbound = Arc::new(Inbound::new(parts.snapshots.clone()));
    let service = RaftService {
        gate: gate(&parts, &membership),
        core: core.clone(),
        me: parts.me.id,
        inbound: Arc::clone(&inbound),
        reads: reads.clone(),
        leadership: leadership.clone(),
        failure: failure.clone(),
        removed: removed.clone(),
        memories: Memories::new(parts.memory.found().clone()),
        suspects: Suspects::new(),
        log: log.clone(),
    };
    let service = Arc::new(service);
    let keeper = Keeper::new(&service, &parts.peers, &members, parts.memory);
    if !parts.peers.open(Arc::clone(&service)) {
        let why = "these connections serve another Raft";
        return Err(StartError::Internal(why.to_owned()));
    }
    let inner = Inner {
        core,
        me: parts.me.id,
        cluster_id: parts.cluster_id,
        peers: parts.peers.clone(),
        cell,
        inbound,
        members,
        leadership,
        reads,
        read_rounds: Arc::new(AtomicU64::new(0)),
        removed,
        failure,
        suspects: service.suspects.clone(),
        keeper: Arc::clone(&keeper),
        backups: Arc::new(Semaphore::new(BACKUPS_MAX)),
        stopping: watch::Sender::new(false),
        candidacy: watch::Sender::new(Candidacy::Allowed),
        snapshots: parts.snapshots.clone(),
        appended_bytes: log.appended_bytes(),
        tasks: AsyncMutex::new(JoinSet::new()),
    };
    let mut tasks = inner.tasks.lock().await;
    tasks.spawn(watcher(&inner, parts.me.incarnation, leadership_sender).run());
    tasks.spawn(rounds(&inner).run(read_queue));
    tasks.spawn(compaction(&inner, parts.settings, &log).run());
    tasks.spawn(keeper.run());
    let look = look_for_a_double(&inner, &service);
    tasks.spawn(look.clone().again_and_again());
    let others = meet_the_others(service, parts.peers, inner.members.clone());
    let greeting = async move {
        look.once().await;
        others.await;
    };
    tasks.spawn(stand_when_allowed(greeting, &inner));
    drop(tasks);
    inner.core.run();
    Ok(inner)
}

fn look_for_a_double(inner: &Inner, service: &Arc<RaftService>) -> Look {
    Look {
        service: Arc::clone(service),
        peers: inner.peers.clone(),
        members: inner.members.clone(),
    }
}

fn gate(parts: &RaftParts, membership: &Membership) -> StartGate {
    let quorums = membership.get_joint_config();
    StartGate::new(parts.me.id, quorums, parts.settings.election_timeout.1)
}

fn watcher(inner: &Inner, incarnation: u128, leadership: watch::Sender<Leadership>) -> Watcher {
    Watcher {
        core: inner.core.clone(),
        me: inner.me,
        members: inner.members.clone(),
        leadership,
        failure: inner.failure.clone(),
        removed: inner.removed.clone(),
        peers: inner.peers.clone(),
        incarnation,
        stopping: inner.stopping.subscribe(),
    }
}

fn rounds(inner: &Inner) -> Rounds {
    Rounds {
        core: inner.core.clone(),
        me: inner.me,
        peers: inner.peers.clone(),
        members: inner.members.clone(),
        leadership: inner.leadership.clone(),
        rounds: Arc::clone(&inner.read_rounds),
    }
}

fn compaction(inner: &Inner, settings: RaftSettings, log: &LogStore) -> Compaction {
    Compaction {
        core: inner.core.clone(),
        settings,
        applied: inner.cell.applied_index(),
        appended_bytes: log.appended_bytes(),
    }
}

async fn build_core(parts: &RaftParts, disk: Disk, members: Members) -> Result<Core, StartError> {
    let config = Arc::new(parts.settings.openraft(parts.cluster_id)?);
    let network = Network {
        peers: parts.peers.clone(),
        members,
        vote_max: parts.settings.election_timeout.0,
    };
    let built = Core::build(parts.me.id, config, network, disk.log, disk.machine).await;
    let core = built.map_err(|fatal: Fatal<TypeConfig>| match fatal {
        Fatal::StorageError(error) => StartError::Storage(error.to_string()),
        other => StartError::Internal(other.to_string()),
    })?;
    // Not before the gate is open.
    core.runtime_config().elect(false);
    Ok(core)
}

/// Shakes hands with the others until a quorum was met and this node may vote.
async fn meet_the_others(service: Arc<RaftService>, peers: Peers, members: Members) {
    let greeting = async {
        loop {
            let all = members.all();
            let others = all.values().filter(|member| member.id != service.me);
            futures_util::future::join_all(others.map(|member| peers.greet(member))).await;
            tokio::time::sleep(GREET_PAUSE).await;
        }
    };
    tokio::select! {
        () = service.gate.opened() => {}
        () = greeting => {}
    }
}

/// Once the others were met, lets this node stand for election as long as it is allowed to.
fn stand_when_allowed<M: Future<Output = ()>>(
    met: M,
    inner: &Inner,
) -> impl Future<Output = ()> + use<M> {
    let (core, mut candidacy) = (inner.core.clone(), inner.candidacy.subscribe());
    async move {
        met.await;
        loop {
            let allowed = *candidacy.borrow_and_update() == Candidacy::Allowed;
            core.runtime_config().elect(allowed);
            if candidacy.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Which snapshots are this node's own.
pub(super) fn builder_of(incarnation: u128) -> u64 {
    let bytes = incarnation.to_le_bytes();
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ])
}
