//! How Raft is put together.
//!
//! Owns the order: state from the newest snapshot, openraft on the log, the tasks beside it, and last
//! of all the door for peers. It may not start what has not been checked.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use openraft::StorageHelper;
use openraft::errors::Fatal;
use openraft::storage::RaftLogStorage;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Duration;

use crate::store::identity::StoredVote;

use super::backup::BACKUPS_MAX;
use super::compaction::Compaction;
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
use super::records::Position;
use super::removed::RemovedMembers;
use super::service::{Core, RaftService};
use super::settings::RaftSettings;
use super::state_machine::{MachineParts, StateMachine};
use super::status::Leadership;
use super::suspects::Suspects;
use super::types::{LogId, Member, Membership, TypeConfig};
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
    let mut disk = Disk::open(&parts, failure.clone(), removed.clone()).await?;
    let membership = known_membership(&disk.log, &mut disk.machine).await?;
    check_membership(&membership, &parts.me)?;
    let (cell, log) = (disk.machine.cell(), disk.log.clone());
    let members = Members::default();
    members.update(&membership);
    let core = build_core(&parts, disk, members.clone()).await?;
    let (leadership_sender, leadership) = watch::channel(Leadership::default());
    let (reads, read_queue) = ReadQueue::new();
    let inbound = Arc::new(Inbound::new(parts.snapshots.clone()));
    let service = Arc::new(RaftService {
        gate: StartGate::new(
            parts.me.id,
            membership.get_joint_config(),
            parts.settings.election_timeout.1,
        ),
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
    });
    let keeper = Keeper::new(
        Arc::clone(&service),
        parts.peers.clone(),
        members.clone(),
        parts.memory,
    );
    open_the_door(&parts.peers, &service)?;
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
    tasks.spawn(greet_and_stand(&inner, service, parts.peers));
    drop(tasks);
    inner.core.run();
    Ok(inner)
}

/// From now on peers reach `service`.
fn open_the_door(peers: &Peers, service: &Arc<RaftService>) -> Result<(), StartError> {
    match peers.open(Arc::clone(service)) {
        true => Ok(()),
        false => Err(StartError::Internal(
            "these connections serve another Raft".to_owned(),
        )),
    }
}

/// Meets the others, and then stands for election while that is allowed.
fn greet_and_stand(
    inner: &Inner,
    service: Arc<RaftService>,
    peers: Peers,
) -> impl Future<Output = ()> + use<> {
    let candidacy = inner.candidacy.subscribe();
    let greeting = meet_the_others(Arc::clone(&service), peers, inner.members.clone());
    async move {
        greeting.await;
        stand_when_allowed(&service.core, candidacy).await;
    }
}

/// The log and the state on disk.
struct Disk {
    log: LogStore,
    machine: StateMachine,
}

impl Disk {
    async fn open(
        parts: &RaftParts,
        failure: FailureCell,
        removed: RemovedMembers,
    ) -> Result<Self, StartError> {
        let storage = |error: std::io::Error| StartError::Storage(error.to_string());
        let log = LogStore::new(Arc::clone(&parts.log), failure.clone()).map_err(storage)?;
        let machine = StateMachine::open(MachineParts {
            snapshots: parts.snapshots.clone(),
            failure,
            removed,
            appended_bytes: log.appended_bytes(),
            builder: builder_of(parts.me.incarnation),
        })
        .await?;
        let mut reader = log.clone();
        let held = reader.get_log_state().await.map_err(storage)?.last_log_id;
        check_vote(log.vote(), "the log", held)?;
        check_vote(log.vote(), "the newest snapshot", machine.last())?;
        if let Some(last) = machine.last() {
            log.yield_to_snapshot(last).await.map_err(storage)?;
        }
        Ok(Self { log, machine })
    }
}

/// A number belongs to one data directory for ever: a membership that gives this node's to another came with a
/// snapshot or a log of another cluster.
fn check_membership(membership: &Membership, me: &Member) -> Result<(), StartError> {
    match membership.get_node(&me.id) {
        Some(bound) if bound.incarnation != me.incarnation => Err(StartError::Identity(format!(
            "the newest of snapshots/ and log/ gives number {} to incarnation {:032x}, and META.a and META.b are of {:032x}: they are not of one cluster",
            me.id, bound.incarnation, me.incarnation
        ))),
        _ => Ok(()),
    }
}

/// A node stores a leader's vote before anything of that leader's: what is newer than the vote came from
/// elsewhere, or the vote went back.
fn check_vote(
    vote: Option<StoredVote>,
    holder: &str,
    last: Option<LogId>,
) -> Result<(), StartError> {
    let Some(last) = last.map(Position::from) else {
        return Ok(());
    };
    // Before its first vote a node may be given a first membership, in term 0.
    let known = vote.map_or(0, |vote| vote.term);
    if known >= last.term {
        return Ok(());
    }
    Err(StartError::Identity(format!(
        "{holder} ends with entry {} of term {}, but META.a and META.b know of no vote above term {known}: \
         they are not of one moment",
        last.index, last.term
    )))
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

/// The membership on disk, the log's last one included; empty at a first start.
async fn known_membership(
    log: &LogStore,
    machine: &mut StateMachine,
) -> Result<Membership, StartError> {
    let mut log = log.clone();
    let known = StorageHelper::new(&mut log, machine).get_membership().await;
    let known = known.map_err(|error| StartError::Storage(error.to_string()))?;
    Ok(known.effective().membership().clone())
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

/// Lets this node stand for election as long as it is allowed to.
async fn stand_when_allowed(core: &Core, mut candidacy: watch::Receiver<Candidacy>) {
    loop {
        let allowed = *candidacy.borrow_and_update() == Candidacy::Allowed;
        core.runtime_config().elect(allowed);
        if candidacy.changed().await.is_err() {
            return;
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
