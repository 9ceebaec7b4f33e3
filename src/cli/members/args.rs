//! `members` and `leader` as they are written.
//!
//! Owns names, help texts and shapes of their arguments. It may not act on them.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::args::Asking;
use crate::server::config::HostPort;

/// How long a change of the members is waited for: a large registry over a slow link, and then some.
const TIMEOUT: &str = "10m";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum MembersCommand {
    /// Every member as the asked node knows it.
    #[command(after_help = "Example: eureka-raft members list --output json")]
    List(Asking),
    /// Take in a node that was started with cluster.join: learner, snapshot, equal state, voter.
    #[command(after_help = "Example: eureka-raft members add node-4 --peer 10.0.0.4:8771")]
    Add {
        /// Its node.name.
        name: String,
        /// Its peer address.
        #[arg(long, value_name = "HOST:PORT")]
        peer: HostPort,
        /// Let it follow without a vote, until members promote.
        #[arg(long)]
        learner: bool,
        #[command(flatten)]
        changing: Changing,
    },
    /// Give a learner a vote, once it holds what the others hold.
    #[command(after_help = "Example: eureka-raft members promote node-4")]
    Promote {
        /// The learner.
        name: String,
        #[command(flatten)]
        changing: Changing,
    },
    /// Take a member out for good; its process ends with exit 76.
    #[command(after_help = "Example: eureka-raft members remove node-2 --dry-run")]
    Remove {
        /// The member.
        name: String,
        #[command(flatten)]
        changing: Changing,
    },
    /// Give a learner the place of a voter, in one change.
    #[command(after_help = "Example: eureka-raft members replace node-2 --with node-4")]
    Replace {
        /// The voter that goes.
        name: String,
        /// The learner that takes its place: members add --learner first.
        #[arg(long, value_name = "NAME")]
        with: String,
        #[command(flatten)]
        changing: Changing,
    },
    /// Move a member to other addresses; the same node must answer there already.
    #[command(after_help = "Example: eureka-raft members update node-2 --peer 10.0.0.9:8771")]
    Update {
        /// The member.
        name: String,
        /// Its new peer address.
        #[arg(long, value_name = "HOST:PORT", required_unless_present = "http")]
        peer: Option<HostPort>,
        /// Its new HTTP address, e.g. http://10.0.0.9:8761.
        #[arg(long, value_name = "URL")]
        http: Option<crate::server::config::BaseUrl>,
        #[command(flatten)]
        changing: Changing,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LeaderCommand {
    /// The leader's name and addresses.
    #[command(after_help = "Example: eureka-raft leader show")]
    Show(Asking),
    /// Hand leadership over.
    #[command(after_help = "Example: eureka-raft leader transfer --to node-2")]
    Transfer {
        /// The voter that shall lead. Default: the one that holds most.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        /// Change nothing: say what would happen.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        asking: Asking,
    },
}

/// How a change is carried out, or only shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct Changing {
    /// Change nothing: show who counts before and after.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How long to wait for the end of the change; it goes on without us.
    #[arg(long, value_name = "DURATION", default_value = TIMEOUT, value_parser = humantime::parse_duration)]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) asking: Asking,
}
