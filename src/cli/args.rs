//! The command line as it is written.
//!
//! Owns names, help texts and shapes of the arguments. It may not act on them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use super::doctor::DoctorArguments;
use super::import::ImportArguments;
use super::log_dump::LogCommand;
use super::members::{LeaderCommand, MembersCommand};
use super::recover::parse_last_entry;
use super::replace_disk::ReplaceDiskArguments;
use crate::raft::succession::LastEntry;
use crate::server::config::{BaseUrl, HostPort, Sources};

/// A service registry that serves Netflix Eureka's REST API and keeps its state in a Raft log.
#[derive(Debug, Parser)]
#[command(name = "eureka-raft", version, about)]
#[command(
    after_help = "Exit codes: 0 fine, 64 usage, 70 internal, 74 storage, 75 not in time, \
                        76 removed, 77 identity, 78 configuration."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a node. Without --config: a one-node cluster on 127.0.0.1:8761.
    #[command(
        after_help = "Example: eureka-raft serve --config raft-config/three/node-1.toml \
                            --set log.level=debug"
    )]
    Serve(Configured),
    /// One screen about a cluster; exit 0 if ok, 1 if degraded, 2 if down.
    #[command(after_help = "Example: eureka-raft status --server http://127.0.0.1:8762")]
    Status(Asking),
    /// Show or check a configuration without running it.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The members of a cluster: show and change them while it runs.
    #[command(subcommand)]
    Members(MembersCommand),
    /// The leader of a cluster.
    #[command(subcommand)]
    Leader(LeaderCommand),
    /// Back a cluster up, and begin another from a backup.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// The Raft log of a stopped node.
    #[command(subcommand)]
    Log(LogCommand),
    /// Whether a stopped node would start, and what to do if not.
    Doctor(DoctorArguments),
    /// Recover a node that does not run.
    #[command(subcommand)]
    Recover(RecoverCommand),
    /// Put load on servers and report the figures.
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Save a backup that holds every write acknowledged before; the cluster goes on.
    #[command(after_help = "Example: eureka-raft snapshot save backup.snap \
                            --server http://127.0.0.1:8761")]
    Save {
        /// The file; written beside it, checked and synced before it gets this name.
        file: PathBuf,
        /// Any node of the cluster; of several, the first that answers.
        #[arg(
            long,
            value_name = "URL,URL",
            value_delimiter = ',',
            env = "EUREKA_RAFT_SERVER",
            default_value = "http://127.0.0.1:8761"
        )]
        server: Vec<BaseUrl>,
    },
    /// Show what a backup holds, having checked all of it. Needs no server.
    #[command(after_help = "Example: eureka-raft snapshot inspect backup.snap --output json")]
    Inspect {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Exit 0 if a backup is whole, else 74 with the damaged place. Needs no server.
    #[command(after_help = "Example: eureka-raft snapshot verify backup.snap")]
    Verify {
        /// The file.
        file: PathBuf,
    },
    /// Begin a new cluster of one node from a backup, in an empty directory.
    #[command(after_help = "Example: eureka-raft snapshot restore backup.snap \
                            --data-dir /var/lib/eureka-raft --name node-1")]
    Restore(RestoreArguments),
}

/// What to restore, where to and as whom.
#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The backup.
    pub(super) file: PathBuf,
    /// An empty or new directory: node.data_dir of the node that will run.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: PathBuf,
    /// Its node.name.
    #[arg(long, value_name = "NAME")]
    pub(super) name: String,
    /// Its node.advertise_peer: where members that join will reach it.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8771")]
    pub(super) peer_addr: HostPort,
    /// Its node.advertise_http.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8761")]
    pub(super) http_addr: BaseUrl,
}

#[derive(Debug, Subcommand)]
pub(super) enum RecoverCommand {
    /// Quorum lost for good: go on from one survivor's directory, as a new cluster.
    #[command(after_help = "Example: eureka-raft recover force \
                            --data-dir /var/lib/eureka-raft --name node-1")]
    Force(ForceArguments),
    /// After exit 74 or 77: keep the old directory beside, and let an empty one join in its place.
    ReplaceDisk(ReplaceDiskArguments),
}

/// Which survivor, and what is known of the others.
#[derive(Debug, Args)]
pub(super) struct ForceArguments {
    /// The survivor's data directory; it must not run.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: PathBuf,
    /// Its node.name, as a check.
    #[arg(long, value_name = "NAME")]
    pub(super) name: String,
    /// Go on although other nodes may have acknowledged more than is here.
    #[arg(long)]
    pub(super) accept_data_loss: bool,
    /// Where another voter's log ends; once for each. None later than here means that nothing is lost.
    #[arg(long, value_name = "TERM/INDEX", value_parser = parse_last_entry)]
    pub(super) others_last: Vec<LastEntry>,
}

/// Whom to ask, and how to print the answer.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// Any node of the cluster; more than one, and the next is asked if one does not answer.
    #[arg(
        long,
        value_name = "URL,URL",
        value_delimiter = ',',
        env = "EUREKA_RAFT_SERVER",
        default_value = "http://127.0.0.1:8761"
    )]
    pub(super) server: Vec<BaseUrl>,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Args)]
pub(super) struct Configured {
    /// The TOML file; raft-config/reference.toml lists every key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key, over file and environment; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Configured {
    /// Whether anything was said on the command line.
    pub(super) fn is_given(&self) -> bool {
        self.config.is_some() || !self.set.is_empty()
    }

    /// With the environment of this process.
    pub(super) fn sources(self) -> Sources {
        Sources::of_process(self.config, self.set)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every key with its effective value and where it came from.
    #[command(after_help = "Example: eureka-raft config show --config node.toml --output json")]
    Show {
        #[command(flatten)]
        configured: Configured,
        #[command(flatten)]
        output: Output,
    },
    /// Exit 0 if a node would start with this configuration, else 78 with the reason.
    #[command(after_help = "Example: eureka-raft config check --config node.toml")]
    Check(Configured),
    /// Print the TOML for a Eureka server's application.yml, and what of it has no meaning here.
    #[command(after_help = "Example: eureka-raft config import application.yml \
                            --profile peer1 > node.toml")]
    Import(ImportArguments),
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Output {
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Heartbeats of registered instances at a fixed rate.
    #[command(after_help = "Example: eureka-raft bench renew --cluster --rate 20000 --seconds 10")]
    Renew {
        #[command(flatten)]
        load: LoadArguments,
        /// Instances registered first, as fast as the servers take them.
        #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
        instances: u64,
        /// Half-way, kill a node of --cluster that does not lead, and put the load on the others only.
        #[arg(long, requires = "cluster")]
        kill_follower: bool,
    },
    /// Registrations of new instances at a fixed rate.
    #[command(after_help = "Example: eureka-raft bench register --rate 5000 \
                            --server http://127.0.0.1:8761,http://127.0.0.1:8762")]
    Register {
        #[command(flatten)]
        load: LoadArguments,
    },
    /// Resident memory per instance, as the slope between two sizes of the registry.
    #[command(after_help = "Example: eureka-raft bench memory --pid 4711,4712,4713")]
    Memory {
        #[command(flatten)]
        target: BenchTarget,
        /// Instances at the first reading.
        #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
        from: u64,
        /// Instances at the second reading.
        #[arg(long, default_value_t = 50_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
        to: u64,
    },
}

/// A load in numbers.
#[derive(Debug, Args)]
pub(super) struct LoadArguments {
    #[command(flatten)]
    pub(super) target: BenchTarget,
    /// Requests a second, over all servers.
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// For how long.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

impl LoadArguments {
    pub(super) fn rate(&self) -> u64 {
        self.rate
    }

    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Where a bench puts its load, and how.
#[derive(Debug, Args)]
pub(super) struct BenchTarget {
    /// Servers, asked in turn.
    #[arg(
        long,
        value_name = "URL,URL",
        value_delimiter = ',',
        env = "EUREKA_RAFT_SERVER",
        default_value = "http://127.0.0.1:8761"
    )]
    pub(super) server: Vec<BaseUrl>,
    /// The servers' processes on this machine, to measure their CPU time and memory.
    #[arg(long, value_name = "PID,PID", value_delimiter = ',')]
    pub(super) pid: Vec<u32>,
    /// Start three nodes for the bench, and remove them after it.
    #[arg(long, conflicts_with = "pid")]
    pub(super) cluster: bool,
    /// Where the nodes of --cluster keep their data: on the disk to be measured. Default: here.
    #[arg(long, value_name = "DIR", requires = "cluster")]
    pub(super) data_dir: Option<PathBuf>,
    /// Connections over all servers.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u16).range(1..))]
    pub(super) connections: u16,
    /// Requests on a connection that may wait for an answer.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u16).range(1..=1_024))]
    pub(super) pipelining: u16,
    /// Which instances: the same seed gives the same ones.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) output: Output,
}
