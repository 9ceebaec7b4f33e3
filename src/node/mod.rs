//! One running member: the use cases register, renew, cancel, status, read, watch.
//!
//! Owns the way of a write from a request to the log and back, the reads, the eviction pulse and the
//! first start. It may not touch HTTP or file formats.

mod admission;
mod agreement;
mod alarms;
mod api;
mod backup;
mod batcher;
mod council;
mod disk;
mod first_start;
mod flight;
mod invitations;
mod joining;
mod leader_time;
mod lease_clock;
mod lineup;
mod many;
mod membership;
mod messages;
pub mod operator;
mod orders;
mod own_status;
mod peer_desk;
mod reads;
mod steward;
mod suspicion;
mod sweep;
mod welcome;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use crate::clock::SharedClock;
use crate::raft::{Goal, MemberView, Raft, RaftStatus, Role};
use crate::registry::{Command, InstanceStatus, Origin, Outcome, Record, Settings};
use crate::store::DiskHealth;
use crate::store::identity::PlannedMember;

pub use crate::raft::Backup;
pub use admission::WaitingLimits;
pub use agreement::{ComparedHash, Findings, HashesPart, Verdict};
pub use alarms::{Alarm, AlarmBoard, AlarmKind};
pub use api::{
    BackupRefusal, ClusterPart, Consistency, DeltaPart, LogPart, MemberStatus, NodePart,
    NodeStatus, Read, ReadError, ReadOptions, Readiness, Registrar, RegistryPart, Renewal,
    SnapshotReceiving, StatePart, WriteError, Written,
};
pub use batcher::WriteLimits;
pub use disk::{DiskPart, DiskSpeed};
pub use first_start::{FirstStart, FirstStartError, InitialMember, WayIn};
pub use messages::{
    Answer, ForwardAnswer, JoinAnswer, JoinRequest, Plan, PlanAnswer, Probe, ProbeAnswer, Request,
};
pub use operator::{AdminRefusal, Change, Lineup, Mode, Operator, Order, Report, Seat};
pub use peer_desk::PeerDesk;

use agreement::Agreement;
use batcher::{Batcher, WriteQueue};
use council::Council;
use disk::DiskDesk;
use leader_time::LeaderTime;
use membership::Members;
use reads::Reads;
use steward::Steward;
use sweep::Sweep;

/// How a node behaves; from its configuration.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// What a read without a wish gets.
    pub reads_default: Consistency,
    /// What this node proposes as replicated settings when it leads.
    pub settings: Settings,
    /// How often a leader looks for leases that ran out.
    pub sweep: Duration,
    /// What bounds writes.
    pub writes: WriteLimits,
    /// A member not heard of for longer counts as gone: some election timeouts.
    pub silence_max: Duration,
}

/// One member of a cluster, from its first start on.
pub struct Node {
    first_start: Arc<FirstStart>,
    options: NodeOptions,
    running: OnceLock<Running>,
    stopping: AtomicBool,
    alarms: Arc<AlarmBoard>,
    disk: Arc<DiskDesk>,
}

/// What a node has once Raft runs.
struct Running {
    raft: Raft,
    queue: WriteQueue,
    reads: Arc<Reads>,
    members: Arc<Members>,
    council: Arc<Council>,
    agreement: Arc<Agreement>,
}

impl Node {
    /// A node on `disk` that answers "not ready" until [`Node::run`].
    pub fn new(first_start: Arc<FirstStart>, options: NodeOptions, disk: DiskHealth) -> Arc<Self> {
        Arc::new(Self {
            first_start,
            options,
            running: OnceLock::new(),
            stopping: AtomicBool::new(false),
            alarms: Arc::default(),
            disk: DiskDesk::new(disk),
        })
    }

    /// Serves on `raft`. The tasks end when Raft has shut down; whoever holds the set awaits them.
    pub fn run(&self, raft: Raft, clock: SharedClock) -> JoinSet<()> {
        let time = LeaderTime::new(Arc::clone(&clock));
        let (batcher, queue) = Batcher::new(raft.clone(), Arc::clone(&time), self.options.writes);
        let name = self.first_start.identity().name;
        let agreement = Agreement::new(raft.clone(), name, Arc::clone(&self.alarms));
        let sweep = Sweep {
            raft: raft.clone(),
            queue: queue.clone(),
            time,
            settings: self.options.settings.clone(),
            interval: self.options.sweep,
            agreement: Arc::clone(&agreement),
        };
        let members = Arc::new(Members::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(batcher.run());
        tasks.spawn(sweep.run());
        tasks.spawn(Arc::clone(&agreement).run());
        let (polled, polling) = (Arc::clone(&members), raft.clone());
        tasks.spawn(async move { polled.poll(&polling).await });
        let reads = Arc::new(Reads::new(raft.clone(), self.options.reads_default, clock));
        let catching_up = Arc::clone(&reads);
        tasks.spawn(async move { catching_up.catch_up().await });
        let cluster_id = self.first_start.identity().cluster_id.unwrap_or_default();
        let council = Arc::new(Council::new(raft.clone(), cluster_id, Arc::clone(&members)));
        let steward = Steward {
            council: Arc::clone(&council),
        };
        tasks.spawn(steward.run());
        tasks.spawn(suspicion::watch(raft.clone(), Arc::clone(&self.alarms)));
        let watch = disk::Watch {
            name: self.first_start.identity().name,
            raft: raft.clone(),
            desk: Arc::clone(&self.disk),
            members: Arc::clone(&members),
            alarms: Arc::clone(&self.alarms),
        };
        tasks.spawn(watch.run());
        let fresh = self
            .running
            .set(Running {
                raft,
                queue,
                reads,
                members,
                council,
                agreement,
            })
            .is_ok();
        assert!(fresh, "a node runs once");
        tasks
    }

    /// What an operator must know now.
    pub fn alarms(&self) -> &Arc<AlarmBoard> {
        &self.alarms
    }

    /// From now on this node is not ready and takes no write; what waits is still answered.
    pub fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// What is known of the disk.
    fn disk(&self) -> &DiskDesk {
        &self.disk
    }

    /// The queue of writes, once Raft runs.
    fn write_queue(&self) -> Option<&WriteQueue> {
        self.running.get().map(|running| &running.queue)
    }

    /// The comparison of states, once Raft runs.
    fn agreement(&self) -> Option<&Agreement> {
        self.running.get().map(|running| &*running.agreement)
    }

    /// Why no write is taken, if none is.
    fn refuses(&self) -> Option<WriteError> {
        let agreement = self.agreement()?;
        if agreement.is_diverged() {
            return Some(WriteError::Stopping);
        }
        agreement.is_split().then_some(WriteError::HashesSplit)
    }

    /// Somebody probed in the name of a member, from another data directory.
    fn met_an_impostor_of(&self, name: &str) {
        if let Some(running) = self.running.get() {
            running.raft.accuse_of_another_disk(name);
        }
    }

    /// The membership as the first start sees it, once Raft knows one.
    fn planned_members(&self) -> Option<Vec<PlannedMember>> {
        let members = self.running.get()?.raft.status().members;
        let planned = members.into_iter().map(|view| PlannedMember {
            id: view.member.id,
            name: view.member.name,
            incarnation: view.member.incarnation,
            peer_addr: view.member.peer_addr,
            http_addr: view.member.http_addr,
        });
        let planned: Vec<PlannedMember> = planned.collect();
        (!planned.is_empty()).then_some(planned)
    }

    async fn submit(&self, command: Command) -> Result<Written, WriteError> {
        let running = self.admits_writes()?;
        self.disk.admit(&running.raft, &command)?;
        let written = many::commit(&running.queue, vec![command]).await?;
        Ok(*written.first().expect("apply gives one outcome a command"))
    }

    /// What takes writes, if anything does.
    fn admits_writes(&self) -> Result<&Running, WriteError> {
        if self.is_stopping() {
            return Err(WriteError::Stopping);
        }
        if let Some(refusal) = self.refuses() {
            return Err(refusal);
        }
        self.running.get().ok_or(WriteError::NoLeader)
    }

    async fn renew_lease(&self, renewal: Renewal) -> Result<Written, WriteError> {
        if let Some(short) = self.short_form(&renewal) {
            let written = self.submit(short).await?;
            // A miss of the short form is no answer: the instance may have been registered again.
            if written.outcome != Outcome::SlotMiss {
                return Ok(written);
            }
        }
        let Renewal {
            app,
            id,
            last_dirty_ms,
            origin,
            overridden,
        } = renewal;
        self.submit(Command::RenewByName {
            app,
            id,
            last_dirty_ms,
            origin,
            overridden,
        })
        .await
    }

    /// The renewal by slot, where this node's own state proves that the name would be found and not
    /// be older than the client's.
    fn short_form(&self, renewal: &Renewal) -> Option<Command> {
        let view = self.running.get()?.raft.state().view();
        let record = view.instance(&renewal.app, &renewal.id)?;
        let current = renewal
            .last_dirty_ms
            .is_none_or(|theirs| theirs <= record.last_dirty_ms);
        let plain = renewal.origin == Origin::Client && record.status != InstanceStatus::Unknown;
        (current && plain).then_some(Command::Renew {
            slot: record.slot,
            generation: record.generation,
        })
    }

    /// Whether somebody leads, as far as this node can tell by whom it has heard of lately: a leader by a
    /// quorum of voters, everybody else by the leader. Raft itself remembers a leader it no longer hears.
    fn is_led(&self, status: &RaftStatus) -> bool {
        let heard = |view: &&MemberView| {
            view.heard_ms_ago
                .is_some_and(|ago| u128::from(ago) <= self.options.silence_max.as_millis())
        };
        let voters: Vec<&MemberView> = status.members.iter().filter(|view| view.voter).collect();
        match status.role {
            Role::Leader => voters.iter().copied().filter(heard).count() > voters.len() / 2,
            _ => status
                .members
                .iter()
                .filter(heard)
                .any(|view| Some(view.member.id) == status.leader),
        }
    }

    fn why_not_ready(&self) -> Vec<String> {
        if self.is_stopping() {
            return vec!["stopping".to_owned()];
        }
        let Some(running) = self.running.get() else {
            return vec![self.first_start.waits_for()];
        };
        if running.agreement.is_diverged() {
            return vec!["its state differs from the majority's".to_owned()];
        }
        let status = running.raft.status();
        let mut reasons = Vec::new();
        if !self.is_led(&status) {
            reasons.push("no leader that reaches a quorum is known".to_owned());
        }
        match status
            .members
            .iter()
            .find(|view| view.member.id == running.raft.me())
        {
            None => reasons.push("not a member yet".to_owned()),
            Some(own) if !own.voter && own.member.goal != Goal::Stay => {
                reasons.push("not a voter yet".to_owned());
            }
            // A learner that stays one serves reads and forwards writes.
            Some(_) => {}
        }
        if self.disk.is_stalled() {
            reasons.push("the disk does not answer".to_owned());
        }
        if !running.reads.is_caught_up() {
            reasons.push("what was committed before the start is not all applied yet".to_owned());
        }
        if status.committed > status.applied + READY_LAG_MAX {
            let lag = status.committed - status.applied;
            reasons.push(format!("{lag} committed entries are not applied yet"));
        }
        reasons
    }
}

/// A node this many entries behind what it knows to be committed is not ready.
const READY_LAG_MAX: u64 = 100;

impl Registrar for Node {
    fn write(&self, command: Command) -> BoxFuture<'_, Result<Written, WriteError>> {
        Box::pin(self.submit(command))
    }

    fn write_all(&self, commands: Vec<Command>) -> BoxFuture<'_, Vec<Result<Written, WriteError>>> {
        Box::pin(self.submit_all(commands))
    }

    fn renew(&self, renewal: Renewal) -> BoxFuture<'_, Result<Written, WriteError>> {
        Box::pin(self.renew_lease(renewal))
    }

    fn read(&self, options: ReadOptions) -> BoxFuture<'_, Result<Read, ReadError>> {
        Box::pin(async move {
            let running = self.running.get().ok_or(ReadError::NoLeader)?;
            let read = running.reads.read(options).await?;
            // Looked at behind the read: what it shows was known to be right until then.
            match running.agreement.is_diverged() {
                true => Err(ReadError::Stopping),
                false => Ok(read),
            }
        })
    }

    fn wait_beyond(&self, catalogue_index: u64, deadline: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(running) = self.running.get() else {
                return;
            };
            let mut catalogue = running.raft.state().catalogue_index();
            let moved = catalogue.wait_for(|index| *index > catalogue_index);
            // Both ways of ending are the caller's to look at: it reads the view again.
            let _ = tokio::time::timeout(deadline, moved).await;
        })
    }

    fn backup(&self) -> BoxFuture<'_, Result<Backup, BackupRefusal>> {
        Box::pin(self.begin_backup())
    }

    fn reach(&self, index: u64) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            let running = self.running.get().ok_or(ReadError::NoLeader)?;
            running.reads.reach(index).await
        })
    }

    fn renewed_at(&self, record: &Record) -> u64 {
        let renewal = self.running.get().and_then(|running| {
            let state = running.raft.state();
            state.with_registry(|registry| registry.renewal(record.slot, record.generation))
        });
        renewal.map_or(record.renewed_ms, |time| time.wall_ms)
    }

    fn status(&self) -> NodeStatus {
        self.own_status()
    }

    fn members(&self) -> Vec<MemberStatus> {
        self.running
            .get()
            .map(|running| running.members.table(&running.raft, &self.own_status()))
            .unwrap_or_default()
    }

    fn is_sound(&self) -> bool {
        self.agreement()
            .is_none_or(|agreement| !agreement.is_diverged())
    }

    fn readiness(&self) -> Readiness {
        let reasons = self.why_not_ready();
        Readiness {
            ready: reasons.is_empty(),
            reasons,
        }
    }

    fn cluster_id(&self) -> Option<u128> {
        self.first_start.identity().cluster_id
    }
}
