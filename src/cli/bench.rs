//! `bench`: puts load on servers and prints the figures.
//!
//! Owns the tables. It may not measure: `bench` does.

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::args::{BenchCommand, BenchTarget, Format, LoadArguments};
use super::{output, runtime};
use crate::bench::{
    BenchError, Disturbance, Generator, Load, LoadPlan, Machine, Memory, MemoryPlan, Phase, Place,
    Workload, run_load, run_memory,
};
use crate::server::exit::{ExitCode, ExitReason};

/// A lease of the generator's instances lives this long, s: each must be renewed within two thirds.
const RENEWED_WITHIN_S: u64 = 60;

/// Runs the bench and prints its report.
pub(super) fn run(command: BenchCommand) -> Result<(), ExitReason> {
    match command {
        BenchCommand::Renew {
            load,
            instances,
            kill_follower,
        } => {
            renewed_in_time(instances, load.rate())?;
            let disturbance = match kill_follower {
                true => Disturbance::KillFollower,
                false => Disturbance::None,
            };
            run_and_print_load(&load, Workload::Renew { instances }, disturbance)
        }
        BenchCommand::Register { load } => {
            run_and_print_load(&load, Workload::Register, Disturbance::None)
        }
        BenchCommand::Memory { target, from, to } => run_and_print_memory(&target, from, to),
    }
}

fn run_and_print_load(
    arguments: &LoadArguments,
    workload: Workload,
    disturbance: Disturbance,
) -> Result<(), ExitReason> {
    let plan = LoadPlan {
        workload,
        rate: arguments.rate(),
        duration: arguments.duration(),
        disturbance,
    };
    let place = place(&arguments.target);
    let generator = generator(&arguments.target);
    let load = interruptible(run_load(&place, &plan, &generator))?;
    output::print(&match arguments.target.output.output {
        Format::Table => load_table(&load),
        Format::Json => output::json(&load),
    })
}

fn run_and_print_memory(target: &BenchTarget, from: u64, to: u64) -> Result<(), ExitReason> {
    if to <= from {
        return Err(usage("--to must be more than --from"));
    }
    if !target.cluster && target.pid.is_empty() {
        return Err(usage(
            "name the servers' processes with --pid, or use --cluster",
        ));
    }
    let plan = MemoryPlan { from, to };
    let memory = interruptible(run_memory(&place(target), &plan, &generator(target)))?;
    output::print(&match target.output.output {
        Format::Table => memory_table(&memory),
        Format::Json => output::json(&memory),
    })
}

/// Runs until done, Ctrl-C or SIGTERM; in each case what was started is ended.
fn interruptible<T>(bench: impl Future<Output = Result<T, BenchError>>) -> Result<T, ExitReason> {
    let failed = |why: String| {
        let next = "look at the servers with eureka-raft status";
        ExitReason::unfinished("the bench has no figures", why, next)
    };
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())
            .map_err(|error| failed(format!("signals cannot be handled: {error}")))?;
        tokio::select! {
            result = bench => result.map_err(|error| failed(error.to_string())),
            _ = tokio::signal::ctrl_c() => Err(failed("it was interrupted".to_owned())),
            _ = terminate.recv() => Err(failed("it was terminated".to_owned())),
        }
    })
}

fn place(target: &BenchTarget) -> Place {
    if target.cluster {
        let parent = target.data_dir.clone();
        return Place::OwnCluster {
            parent: parent.unwrap_or_else(|| PathBuf::from(".")),
        };
    }
    let servers = target.server.iter();
    Place::Servers {
        addresses: servers.map(|url| url.authority().to_string()).collect(),
        pids: target.pid.clone(),
    }
}

fn generator(target: &BenchTarget) -> Generator {
    Generator {
        connections: usize::from(target.connections),
        pipelining: usize::from(target.pipelining),
        seed: target.seed,
    }
}

/// At too low a rate leases run out between two renewals, and the bench measures 404s.
fn renewed_in_time(instances: u64, rate: u64) -> Result<(), ExitReason> {
    if instances / rate < RENEWED_WITHIN_S {
        return Ok(());
    }
    Err(usage(&format!(
        "{instances} instances at {rate} renewals/s would each be renewed later than every \
         {RENEWED_WITHIN_S} s and expire: use fewer instances or a higher rate"
    )))
}

fn usage(why: &str) -> ExitReason {
    let next = "try eureka-raft bench --help";
    ExitReason::new(ExitCode::Usage, "the command line is wrong", why, next)
}

fn load_table(load: &Load) -> String {
    let mut text = format!(
        "{} at {}/s to {} servers, {} connections x {}, seed {}\n{}\n\n",
        load.workload,
        load.rate_asked,
        load.servers.len(),
        load.connections,
        load.pipelining,
        load.seed,
        machine_line(&load.machine),
    );
    let mut table = output::table([
        "PHASE",
        "RATE/S",
        "OK",
        "P50",
        "P90",
        "P99",
        "P99.9",
        "MAX ms",
        "LATE P99",
        "UNSENT",
        "UNANSWERED",
        "ERRORS",
    ]);
    if let Some(warm_up) = &load.warm_up {
        // All due at once: their latency is the length of the queue.
        let mut row = phase_row("warm-up", warm_up);
        row[3..9].fill("-".to_owned());
        table.add_row(row);
    }
    table.add_row(phase_row(load.workload, &load.measured));
    text.push_str(&output::render(&table));
    text.push('\n');
    text.push_str(&cpu_line(load));
    text.push_str(&disk_line(load));
    text.push_str(&gap_line(load));
    text
}

fn phase_row(name: &str, phase: &Phase) -> [String; 12] {
    let errors: Vec<String> = phase
        .errors
        .iter()
        .map(|(e, n)| format!("{e} x {n}"))
        .collect();
    [
        name.to_owned(),
        format!("{:.0}", phase.rate),
        phase.succeeded.to_string(),
        format!("{:.2}", phase.p50_ms),
        format!("{:.2}", phase.p90_ms),
        format!("{:.2}", phase.p99_ms),
        format!("{:.2}", phase.p999_ms),
        format!("{:.2}", phase.max_ms),
        format!("{:.2}", phase.late_p99_ms),
        phase.unsent.to_string(),
        phase.unanswered.to_string(),
        if errors.is_empty() {
            "none".to_owned()
        } else {
            errors.join(", ")
        },
    ]
}

fn cpu_line(load: &Load) -> String {
    let micros =
        |cpu: Option<f64>| cpu.map_or("not measured".to_owned(), |us| format!("{us:.1} µs"));
    format!(
        "CPU per request: all servers {}, generator {}\n",
        micros(load.servers_cpu_us),
        micros(load.generator_cpu_us)
    )
}

fn disk_line(load: &Load) -> String {
    let bytes = load.servers_written_bytes;
    let bytes = bytes.map_or("not measured".to_owned(), |bytes| {
        format!("{bytes:.0} bytes")
    });
    format!("Written to disks per request: all servers {bytes}\n")
}

fn gap_line(load: &Load) -> String {
    format!(
        "Longest time without an answer: {:.0} ms (disturbance: {})\n",
        load.measured.longest_gap_ms, load.disturbance
    )
}

fn machine_line(machine: &Machine) -> String {
    let sync = machine.fsync_p50_us;
    format!(
        "machine: {} cores, {}, fdatasync p50 {}",
        machine.cores,
        machine.processor,
        sync.map_or("not measured".to_owned(), |us| format!("{us} µs")),
    )
}

fn memory_table(memory: &Memory) -> String {
    let mut table = output::table(["PID", "MIB BEFORE", "MIB AFTER", "BYTES PER INSTANCE"]);
    let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    for node in &memory.nodes {
        table.add_row([
            node.pid.to_string(),
            mebibytes(node.from_bytes),
            mebibytes(node.to_bytes),
            format!("{:.0}", node.bytes_per_instance),
        ]);
    }
    format!(
        "resident memory from {} to {} instances\n{}\n\n{}",
        memory.from,
        memory.to,
        machine_line(&memory.machine),
        output::render(&table)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::bench::NodeMemory;

    use super::*;

    fn machine() -> Machine {
        Machine {
            cores: 2,
            processor: "EPYC".to_owned(),
            fsync_p50_us: Some(55),
        }
    }

    fn phase() -> Phase {
        Phase {
            seconds: 10.0,
            sent: 200_000,
            succeeded: 199_997,
            rate: 19_999.7,
            p50_ms: 2.0,
            p90_ms: 3.0,
            p99_ms: 4.25,
            p999_ms: 9.0,
            max_ms: 20.5,
            longest_gap_ms: 12.0,
            late_p99_ms: 1.0,
            unsent: 0,
            unanswered: 0,
            errors: BTreeMap::from([("404".to_owned(), 1), ("503".to_owned(), 2)]),
        }
    }

    #[test]
    fn the_table_of_a_load_shows_rate_latencies_errors_and_cpu() {
        let load = Load {
            workload: "renew",
            servers: vec!["a:1".to_owned(); 3],
            connections: 64,
            pipelining: 1,
            seed: 1,
            rate_asked: 20_000,
            warm_up: Some(phase()),
            measured: phase(),
            servers_written_bytes: Some(412.4),
            disturbance: "none",
            servers_cpu_us: Some(31.25),
            generator_cpu_us: None,
            machine: machine(),
        };
        assert_eq!(
            load_table(&load),
            "\
renew at 20000/s to 3 servers, 64 connections x 1, seed 1
machine: 2 cores, EPYC, fdatasync p50 55 µs

PHASE    RATE/S  OK      P50   P90   P99   P99.9  MAX ms  LATE P99  UNSENT  UNANSWERED  ERRORS
warm-up  20000   199997  -     -     -     -      -       -         0       0           404 x 1, 503 x 2
renew    20000   199997  2.00  3.00  4.25  9.00   20.50   1.00      0       0           404 x 1, 503 x 2

CPU per request: all servers 31.2 µs, generator not measured
Written to disks per request: all servers 412 bytes
Longest time without an answer: 12 ms (disturbance: none)
"
        );
    }

    #[test]
    fn the_table_of_memory_shows_the_slope_of_each_node() {
        let memory = Memory {
            from: 1_000,
            to: 50_000,
            nodes: vec![NodeMemory {
                pid: 7,
                from_bytes: 30 << 20,
                to_bytes: 130 << 20,
                bytes_per_instance: 2_139.951,
            }],
            machine: machine(),
        };
        assert_eq!(
            memory_table(&memory),
            "\
resident memory from 1000 to 50000 instances
machine: 2 cores, EPYC, fdatasync p50 55 µs

PID  MIB BEFORE  MIB AFTER  BYTES PER INSTANCE
7    30.0        130.0      2140
"
        );
    }

    #[test]
    fn a_rate_at_which_leases_expire_is_refused() {
        assert!(renewed_in_time(59_999, 1_000).is_ok());
        let refused = renewed_in_time(60_000, 1_000).unwrap_err();
        assert_eq!(refused.code, ExitCode::Usage);
    }
}
