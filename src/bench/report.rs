//! The figures of a bench.
//!
//! Owns what is reported and in which unit. It may not measure or print.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::phase::Outcome;
use super::{Disturbance, Generator, LoadPlan, Machine, MemoryPlan, Target, Workload};

/// The figures of a load.
#[derive(Debug, Clone, Serialize)]
pub struct Load {
    /// `renew` or `register`.
    pub workload: &'static str,
    /// Where it went, `host:port` each.
    pub servers: Vec<String>,
    /// Connections over all servers.
    pub connections: usize,
    /// Requests on a connection that may wait for an answer.
    pub pipelining: usize,
    /// Which instances.
    pub seed: u64,
    /// The rate that was asked for, requests a second.
    pub rate_asked: u64,
    /// The registrations before a `renew`, as fast as the servers took them.
    pub warm_up: Option<Phase>,
    /// The load itself.
    pub measured: Phase,
    /// CPU time per answered request, summed over the servers' processes, µs.
    pub servers_cpu_us: Option<f64>,
    /// Bytes written to disks per answered request, summed over the servers' processes.
    pub servers_written_bytes: Option<f64>,
    /// What was done to the cluster in the middle of it.
    pub disturbance: &'static str,
    /// CPU time per answered request in this program, µs.
    pub generator_cpu_us: Option<f64>,
    /// What it was measured on.
    pub machine: Machine,
}

/// The figures of one phase.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// From the first request to the last answer, s.
    pub seconds: f64,
    /// Requests sent.
    pub sent: u64,
    /// Answers with a 2xx status.
    pub succeeded: u64,
    /// Those a second, over the planned time or the time it took, whichever is longer.
    pub rate: f64,
    /// Median latency from the intended time, ms; of 2xx answers, as all that follow.
    pub p50_ms: f64,
    /// Latency that 90 % stayed below.
    pub p90_ms: f64,
    /// Latency that 99 % stayed below.
    pub p99_ms: f64,
    /// Latency that 99.9 % stayed below.
    pub p999_ms: f64,
    /// The longest latency.
    pub max_ms: f64,
    /// The longest time without an answer, ms.
    pub longest_gap_ms: f64,
    /// How late 99 % of the requests were written at most, ms: waiting for a connection included.
    pub late_p99_ms: f64,
    /// Requests that were due and never sent.
    pub unsent: u64,
    /// Requests sent and not answered in time.
    pub unanswered: u64,
    /// Other ends by status; `connection` when it broke.
    pub errors: BTreeMap<String, u64>,
}

/// The figures of a memory measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// Instances at the first reading.
    pub from: u64,
    /// Instances at the second reading.
    pub to: u64,
    /// Each process.
    pub nodes: Vec<NodeMemory>,
    /// What it was measured on.
    pub machine: Machine,
}

/// Memory of one process.
#[derive(Debug, Clone, Serialize)]
pub struct NodeMemory {
    /// Its id.
    pub pid: u32,
    /// Resident bytes at the first reading.
    pub from_bytes: u64,
    /// Resident bytes at the second reading.
    pub to_bytes: u64,
    /// The slope: bytes per instance. Negative when memory was given back meanwhile.
    pub bytes_per_instance: f64,
}

/// What a load left behind.
pub(super) struct Measured<'a> {
    pub(super) plan: LoadPlan,
    pub(super) generator: Generator,
    pub(super) warm_up: Option<Outcome>,
    pub(super) outcome: Outcome,
    pub(super) servers_cpu: Option<Duration>,
    pub(super) servers_written: Option<u64>,
    pub(super) own_cpu: Option<Duration>,
    pub(super) target: &'a Target,
}

pub(super) fn load(measured: Measured<'_>) -> Load {
    let succeeded = measured.outcome.tally.succeeded;
    let per_request = |cpu: Duration| cpu.as_secs_f64() * 1e6 / float(succeeded.max(1));
    let planned = measured.plan.duration;
    Load {
        workload: match measured.plan.workload {
            Workload::Renew { .. } => "renew",
            Workload::Register => "register",
        },
        servers: measured.target.servers.clone(),
        connections: measured.generator.connections,
        pipelining: measured.generator.pipelining,
        seed: measured.generator.seed,
        rate_asked: measured.plan.rate,
        warm_up: measured
            .warm_up
            .map(|outcome| phase(&outcome, Duration::ZERO)),
        measured: phase(&measured.outcome, planned),
        servers_written_bytes: measured
            .servers_written
            .map(|bytes| float(bytes) / float(succeeded.max(1))),
        disturbance: match measured.plan.disturbance {
            Disturbance::None => "none",
            Disturbance::KillFollower => "kill -9 of a follower",
        },
        servers_cpu_us: measured.servers_cpu.map(per_request),
        generator_cpu_us: measured.own_cpu.map(per_request),
        machine: measured.target.machine.clone(),
    }
}

fn phase(outcome: &Outcome, planned: Duration) -> Phase {
    let tally = &outcome.tally;
    Phase {
        seconds: outcome.elapsed.as_secs_f64(),
        sent: tally.sent,
        succeeded: tally.succeeded,
        rate: float(tally.succeeded) / outcome.elapsed.max(planned).as_secs_f64(),
        p50_ms: tally.latency_ms(0.5),
        p90_ms: tally.latency_ms(0.9),
        p99_ms: tally.latency_ms(0.99),
        p999_ms: tally.latency_ms(0.999),
        max_ms: tally.latency_ms(1.0),
        longest_gap_ms: tally.longest_gap_ms(),
        late_p99_ms: tally.late_ms(0.99),
        unsent: outcome.unsent,
        unanswered: tally.unanswered(),
        errors: tally.errors.clone(),
    }
}

pub(super) fn memory(plan: MemoryPlan, target: &Target, before: &[u64], after: &[u64]) -> Memory {
    let readings = before.iter().zip(after);
    let nodes = target
        .pids
        .iter()
        .zip(readings)
        .map(|(pid, (from, to))| NodeMemory {
            pid: *pid,
            from_bytes: *from,
            to_bytes: *to,
            bytes_per_instance: (float(*to) - float(*from)) / float(plan.to - plan.from),
        });
    Memory {
        from: plan.from,
        to: plan.to,
        nodes: nodes.collect(),
        machine: target.machine.clone(),
    }
}

/// `404 x 3, 503 x 1`, or `none`.
pub(super) fn errors_line(errors: &BTreeMap<String, u64>) -> String {
    if errors.is_empty() {
        return "none".to_owned();
    }
    let each: Vec<String> = errors
        .iter()
        .map(|(name, count)| format!("{name} x {count}"))
        .collect();
    each.join(", ")
}

/// A count as a number to divide by.
fn float(count: u64) -> f64 {
    count as f64
}
