//! A load generator for Eureka servers, ours and others.
//!
//! Owns the phases of a bench (register, renew, measure, clean up) and its figures. It speaks only
//! Eureka's REST API over sockets of its own, so any Eureka server can be measured with it; it may not
//! use anything of the server. It stops by itself: every phase has an end.

mod cluster;
mod connection;
mod document;
mod machine;
mod phase;
mod processes;
mod report;
mod response;
mod schedule;
mod tally;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use cluster::Cluster;
use document::{Ask, Requests};
use phase::Outcome;
use schedule::Schedule;

pub use machine::Machine;
pub use report::{Load, Memory, NodeMemory, Phase};

/// How long servers are left alone before their memory is read: long enough for buffers to be freed.
const SETTLE: Duration = Duration::from_secs(3);

/// Where the load goes.
#[derive(Debug, Clone)]
pub enum Place {
    /// Running servers.
    Servers {
        /// Their HTTP addresses, `host:port`; at least one.
        addresses: Vec<String>,
        /// Their process ids on this machine, if their CPU time and memory are to be measured.
        pids: Vec<u32>,
    },
    /// Three nodes of this program, started for the bench and removed after it.
    OwnCluster {
        /// Where their data goes: on the disk that is to be measured.
        parent: PathBuf,
    },
}

/// What is measured under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Heartbeats of registered instances, round robin.
    Renew {
        /// How many instances are registered first; at least one.
        instances: u64,
    },
    /// Registrations of new instances.
    Register,
}

/// What is done to the servers in the middle of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    None,
    /// One that does not lead is killed, and gets no request: what it costs those who write to the others.
    /// An own cluster's only.
    KillFollower,
}

/// A load: requests at a fixed rate for a fixed time.
#[derive(Debug, Clone, Copy)]
pub struct LoadPlan {
    /// What is asked for.
    pub workload: Workload,
    /// Requests a second; at least one.
    pub rate: u64,
    /// For how long.
    pub duration: Duration,
    /// What is done half-way.
    pub disturbance: Disturbance,
}

/// A measurement of memory: the slope between two sizes of the registry.
#[derive(Debug, Clone, Copy)]
pub struct MemoryPlan {
    /// Instances at the first reading.
    pub from: u64,
    /// Instances at the second reading; more than `from`.
    pub to: u64,
}

/// How the generator behaves.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// Connections over all servers, round robin.
    pub connections: usize,
    /// Requests on a connection that may wait for an answer; at least one.
    pub pipelining: usize,
    /// Which instances: two seeds share none.
    pub seed: u64,
}

/// Why a bench has no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BenchError {
    /// The own cluster did not start.
    #[error("the cluster did not start: {0}")]
    Cluster(String),
    /// The instances could not be registered.
    #[error("{registered} of {wanted} instances could be registered ({errors})")]
    Registration {
        /// How many were.
        registered: u64,
        /// How many should be.
        wanted: u64,
        /// The errors by status.
        errors: String,
    },
    /// A process to be measured is not there.
    #[error("there is no process {0}")]
    NoProcess(u32),
}

/// The servers under load.
struct Target {
    servers: Vec<String>,
    pids: Vec<u32>,
    connections: usize,
    pipelining: usize,
    machine: Machine,
    /// The own cluster; its end is the end of the bench.
    cluster: Option<Cluster>,
}

impl Target {
    async fn prepare(place: &Place, generator: &Generator) -> Result<Self, BenchError> {
        let (servers, pids, cluster) = match place {
            Place::Servers { addresses, pids } => (addresses.clone(), pids.clone(), None),
            Place::OwnCluster { parent } => {
                let cluster = Cluster::start(parent).await?;
                (cluster.servers(), cluster.pids(), Some(cluster))
            }
        };
        Ok(Self {
            servers,
            pids,
            connections: generator.connections,
            pipelining: generator.pipelining,
            machine: Machine::here(cluster.as_ref().map(Cluster::directory)),
            cluster,
        })
    }

    /// CPU time of all processes so far; `None` when none is measured.
    fn cpu(&self) -> Result<Option<Duration>, BenchError> {
        if self.pids.is_empty() {
            return Ok(None);
        }
        let times = self
            .pids
            .iter()
            .map(|pid| processes::cpu(*pid).ok_or(BenchError::NoProcess(*pid)));
        times.sum::<Result<Duration, _>>().map(Some)
    }

    /// Bytes all processes have written so far; `None` when none is measured.
    fn written(&self) -> Result<Option<u64>, BenchError> {
        if self.pids.is_empty() {
            return Ok(None);
        }
        let written = self
            .pids
            .iter()
            .map(|pid| processes::written_bytes(*pid).ok_or(BenchError::NoProcess(*pid)));
        written.sum::<Result<u64, _>>().map(Some)
    }

    /// Chooses who will be killed: it is neither asked nor measured from now on.
    async fn spare(&mut self, disturbance: Disturbance) -> Result<(), BenchError> {
        if let (Disturbance::KillFollower, Some(cluster)) = (disturbance, &mut self.cluster) {
            cluster.choose_victim().await?;
            self.servers = cluster.servers();
            self.pids = cluster.pids();
        }
        Ok(())
    }

    /// Registers instances `first` to `first + count` as fast as the servers take them.
    async fn register(&self, seed: u64, first: u64, count: u64) -> Result<Outcome, BenchError> {
        let requests = Requests {
            ask: Ask::Register,
            seed,
            first,
        };
        let outcome = phase::run("register", self, requests, Schedule::at_once(count)).await;
        if outcome.tally.succeeded == count {
            return Ok(outcome);
        }
        Err(BenchError::Registration {
            registered: outcome.tally.succeeded,
            wanted: count,
            errors: report::errors_line(&outcome.tally.errors),
        })
    }

    /// Leaves servers that go on running as they were found, without instances 0 to `count`; ends an
    /// own cluster.
    async fn finish(&mut self, seed: u64, count: u64) {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        } else if count > 0 {
            let requests = Requests {
                ask: Ask::Cancel,
                seed,
                first: 0,
            };
            phase::run("cancel  ", self, requests, Schedule::at_once(count)).await;
        }
    }
}

/// Runs `plan` against `place`. Progress goes to standard error, a line a second.
///
/// # Errors
///
/// [`BenchError`] when there is nothing to report. Requests that fail under load are figures.
pub async fn run_load(
    place: &Place,
    plan: &LoadPlan,
    generator: &Generator,
) -> Result<Load, BenchError> {
    let mut target = Target::prepare(place, generator).await?;
    target.spare(plan.disturbance).await?;
    let schedule = Schedule::paced(plan.rate, plan.duration);
    let (name, ask, warm_up) = match plan.workload {
        Workload::Renew { instances } => {
            let warm_up = target.register(generator.seed, 0, instances).await?;
            ("renew   ", Ask::Renew { instances }, Some(warm_up))
        }
        Workload::Register => ("register", Ask::Register, None),
    };
    let requests = Requests {
        ask,
        seed: generator.seed,
        first: 0,
    };
    let own = std::process::id();
    let (servers_before, own_before) = (target.cpu()?, processes::cpu(own));
    let written_before = target.written()?;
    let mut victim = target.cluster.as_mut().and_then(Cluster::take_victim);
    let kill_half_way = async {
        sleep(plan.duration / 2).await;
        if let Some(victim) = &mut victim {
            // A process that is gone already is what is wanted.
            drop(victim.kill().await);
        }
    };
    let (outcome, ()) = tokio::join!(phase::run(name, &target, requests, schedule), kill_half_way);
    let (servers_after, own_after) = (target.cpu()?, processes::cpu(own));
    let written_after = target.written()?;
    let instances = match plan.workload {
        Workload::Renew { instances } => instances,
        Workload::Register if outcome.tally.succeeded == 0 => 0,
        Workload::Register => outcome.tally.sent,
    };
    target.finish(generator.seed, instances).await;
    Ok(report::load(report::Measured {
        plan: *plan,
        generator: *generator,
        warm_up,
        outcome,
        servers_written: written_before
            .zip(written_after)
            .map(|(before, after)| after.saturating_sub(before)),
        servers_cpu: spent(servers_before, servers_after),
        own_cpu: spent(own_before, own_after),
        target: &target,
    }))
}

fn spent(before: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    Some(after?.saturating_sub(before?))
}

/// Measures what an instance costs in memory.
///
/// # Errors
///
/// [`BenchError`] when instances could not be registered or a process is not there.
pub async fn run_memory(
    place: &Place,
    plan: &MemoryPlan,
    generator: &Generator,
) -> Result<Memory, BenchError> {
    let mut target = Target::prepare(place, generator).await?;
    target.register(generator.seed, 0, plan.from).await?;
    let before = resident(&target).await?;
    let further = plan.to - plan.from;
    target.register(generator.seed, plan.from, further).await?;
    let after = resident(&target).await?;
    target.finish(generator.seed, plan.to).await;
    Ok(report::memory(*plan, &target, &before, &after))
}

/// Resident memory of each process, once they have settled.
async fn resident(target: &Target) -> Result<Vec<u64>, BenchError> {
    sleep(SETTLE).await;
    target
        .pids
        .iter()
        .map(|pid| processes::resident_bytes(*pid).ok_or(BenchError::NoProcess(*pid)))
        .collect()
}
