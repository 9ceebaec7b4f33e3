//! A node of one process: the real registry behind [`Registrar`], without Raft.
//!
//! Owns a log of one member that never fails, and switches to make it refuse.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eureka_raft::clock::{Clock, ManualClock};
use eureka_raft::node::{
    AdminRefusal, Backup, BackupRefusal, Change, ClusterPart, DeltaPart, DiskPart, HashesPart,
    Lineup, LogPart, MemberStatus, Mode, NodePart, NodeStatus, Operator, Order, Read, ReadError,
    ReadOptions, Readiness, Registrar, RegistryPart, Renewal, Report, StatePart, WriteError,
    Written,
};
use eureka_raft::registry::{Command, Entry, LogTime, Record, Registry, View};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub(crate) const CLUSTER: u128 = 0x00ab_cdef;

pub(crate) struct FakeNode {
    registry: Mutex<Registry>,
    views: watch::Sender<Arc<View>>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) refuses_writes: Mutex<Option<WriteError>>,
    /// Refuses registrations of a batch as full disks do.
    pub(crate) refuses_growth: Mutex<bool>,
    pub(crate) refuses_reads: Mutex<Option<ReadError>>,
    pub(crate) refuses_orders: Mutex<Option<AdminRefusal>>,
    /// Orders carried out, oldest first.
    pub(crate) orders: Mutex<Vec<Order>>,
    /// Reads are local and this old.
    pub(crate) lags: Mutex<Option<Duration>>,
    pub(crate) ready: Mutex<Readiness>,
}

impl FakeNode {
    pub(crate) fn new() -> Arc<Self> {
        let registry = Registry::new();
        let view = Arc::new(registry.view());
        Arc::new(Self {
            registry: Mutex::new(registry),
            views: watch::Sender::new(view),
            clock: Arc::new(ManualClock::starting_at(1_700_000_000_000)),
            refuses_writes: Mutex::new(None),
            refuses_growth: Mutex::new(false),
            refuses_reads: Mutex::new(None),
            refuses_orders: Mutex::new(None),
            orders: Mutex::new(Vec::new()),
            lags: Mutex::new(None),
            ready: Mutex::new(Readiness {
                ready: true,
                reasons: Vec::new(),
            }),
        })
    }

    /// How many entries the log has.
    pub(crate) fn entries(&self) -> u64 {
        self.view().index()
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Applies several commands as one entry.
    pub(crate) fn apply(&self, commands: Vec<Command>) -> Vec<Written> {
        let mut registry = self.registry.lock().unwrap();
        let index = registry.index() + 1;
        let lease_ms = u64::try_from(self.clock.monotonic().as_millis()).unwrap();
        let at = LogTime {
            wall_ms: self.clock.wall_ms(),
            lease_ms,
        };
        let outcomes = registry.apply(index, &Entry { at, commands });
        self.views.send_replace(Arc::new(registry.view()));
        let written = |(seq, outcome)| Written {
            index,
            seq,
            outcome,
        };
        (0..).zip(outcomes).map(written).collect()
    }
}

impl Registrar for FakeNode {
    fn write(&self, command: Command) -> BoxFuture<'_, Result<Written, WriteError>> {
        Box::pin(async move {
            match *self.refuses_writes.lock().unwrap() {
                Some(refusal) => Err(refusal),
                None => Ok(self.apply(vec![command])[0]),
            }
        })
    }

    fn write_all(&self, commands: Vec<Command>) -> BoxFuture<'_, Vec<Result<Written, WriteError>>> {
        Box::pin(async move {
            match *self.refuses_writes.lock().unwrap() {
                Some(refusal) => vec![Err(refusal); commands.len()],
                None if *self.refuses_growth.lock().unwrap() => {
                    let grows = |command: &Command| matches!(command, Command::Register(_));
                    let verdicts: Vec<bool> = commands.iter().map(grows).collect();
                    let kept = commands.into_iter().filter(|command| !grows(command));
                    let mut written = self.apply(kept.collect()).into_iter();
                    let result = |refused: bool| match refused {
                        true => Err(WriteError::DiskFull),
                        false => Ok(written.next().unwrap()),
                    };
                    verdicts.into_iter().map(result).collect()
                }
                None => self.apply(commands).into_iter().map(Ok).collect(),
            }
        })
    }

    fn renew(&self, renewal: Renewal) -> BoxFuture<'_, Result<Written, WriteError>> {
        self.write(Command::RenewByName {
            app: renewal.app,
            id: renewal.id,
            last_dirty_ms: renewal.last_dirty_ms,
            origin: renewal.origin,
            overridden: renewal.overridden,
        })
    }

    fn read(&self, options: ReadOptions) -> BoxFuture<'_, Result<Read, ReadError>> {
        Box::pin(async move {
            if let Some(refusal) = *self.refuses_reads.lock().unwrap() {
                return Err(refusal);
            }
            let view = self.view();
            if options.min_index.is_some_and(|least| least > view.index()) {
                return Err(ReadError::Behind);
            }
            let lag = *self.lags.lock().unwrap();
            Ok(Read {
                view,
                linearizable: lag.is_none(),
                age: lag.unwrap_or_default(),
            })
        })
    }

    fn wait_beyond(&self, catalogue_index: u64, deadline: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut views = self.views.subscribe();
            let moved = views.wait_for(|view| view.catalogue_index() > catalogue_index);
            let _ = tokio::time::timeout(deadline, moved).await;
        })
    }

    fn backup(&self) -> BoxFuture<'_, Result<Backup, BackupRefusal>> {
        Box::pin(async { Err(BackupRefusal::Running) })
    }

    fn reach(&self, index: u64) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            if self.view().index() >= index {
                Ok(())
            } else {
                Err(ReadError::NeverCommitted)
            }
        })
    }

    fn renewed_at(&self, record: &Record) -> u64 {
        let registry = self.registry.lock().unwrap();
        let renewal = registry.renewal(record.slot, record.generation);
        renewal.map_or(record.renewed_ms, |at| at.wall_ms)
    }

    fn status(&self) -> NodeStatus {
        let view = self.view();
        let registry = self.registry.lock().unwrap();
        let index = view.index();
        NodeStatus {
            version: "0.0.0".to_owned(),
            node: NodePart {
                name: "node-1".to_owned(),
                id: 1,
                role: "leader".to_owned(),
            },
            cluster: ClusterPart {
                id: format!("{CLUSTER:032x}"),
                leader: Some("node-1".to_owned()),
                term: 3,
                voters: 3,
                learners: 0,
                settings_differ: false,
            },
            log: LogPart {
                last: index,
                committed: index,
                applied: index,
                snapshot: 0,
                purged: 0,
                snapshot_receiving: None,
                snapshots_refused: 0,
            },
            state: StatePart {
                index,
                hash: format!("{:032x}", view.state_hash()),
            },
            registry: RegistryPart {
                applications: view.application_count(),
                instances: view.instance_count(),
            },
            protection: registry.protection(registry.lease_ms()),
            delta: DeltaPart {
                oldest_index: view.oldest_cursor(),
            },
            disk: DiskPart::default(),
            hashes: HashesPart::default(),
            alarms: Vec::new(),
        }
    }

    fn members(&self) -> Vec<MemberStatus> {
        let index = self.entries();
        let hash = format!("{:032x}", self.view().state_hash());
        (1..=3)
            .map(|id| MemberStatus {
                id,
                name: format!("node-{id}"),
                role: if id == 1 { "leader" } else { "voter" }.to_owned(),
                seat: "voter".to_owned(),
                replaces: None,
                lag: (id != 3).then_some(0),
                peer: format!("127.0.0.1:877{id}"),
                http: format!("http://127.0.0.1:876{id}"),
                reachable: id != 3,
                matched: Some(index),
                applied: (id != 3).then_some(index),
                term: (id != 3).then_some(3),
                state: (id != 3).then(|| StatePart {
                    index,
                    hash: hash.clone(),
                }),
                snapshot_receiving: None,
            })
            .collect()
    }

    fn readiness(&self) -> Readiness {
        self.ready.lock().unwrap().clone()
    }

    fn cluster_id(&self) -> Option<u128> {
        Some(CLUSTER)
    }
}

/// A cluster of one in which every order is carried out at once, or refused as the test says.
impl Operator for FakeNode {
    fn operate(&self, order: Order) -> BoxFuture<'_, Result<Report, AdminRefusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuses_orders.lock().unwrap().clone() {
                return Err(refusal);
            }
            self.orders.lock().unwrap().push(order.clone());
            let lineup = Lineup {
                voters: vec!["node-1".to_owned()],
                learners: Vec::new(),
                quorum: 1,
                live: vec!["node-1".to_owned()],
            };
            Ok(Report {
                done: order.mode == Mode::Execute && !matches!(order.change, Change::Add { .. }),
                steps: vec!["a step".to_owned()],
                before: lineup.clone(),
                after: lineup,
                message: "it is so".to_owned(),
                leader: None,
                gap_ms: None,
            })
        })
    }
}
