//! `recover replace-disk`: after exit 74 or 77, an empty directory in the place of the old one.
//!
//! Owns what must be true before a directory is given up: the node does not run, is a member, and a
//! quorum lives without it. It may not remove anything: the old directory is kept beside itself.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::api::{Member, Members, Status};
use super::args::{Asking, Configured, Format};
use super::servers::Servers;
use super::{output, panics, runtime};
use crate::offline::replacement::{Place, keeping_place, mark, move_aside, survey};
use crate::offline::scratch::rehearse;
use crate::server::exit::{ExitCode, ExitReason};
use crate::server::{EVIDENCE_FILE, Server, random_id};
use crate::store::StoppedDir;
use crate::store::identity::{Identity, JOIN_ADDRESSES_MAX, JoinMark};

const NOTHING_DONE: &str = "nothing was changed";
/// How long a node that has just ended may still be taken for one that runs. Its peers ask every second, and wait
/// less than one for the answer.
const SILENCE_MAX: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
#[command(
    after_help = "Example: eureka-raft recover replace-disk --data-dir /var/lib/eureka-raft \
                  --server http://node-1:8761,http://node-3:8761\n\n\
                  Interrupted, the same command goes on; done, it says so again."
)]
pub(super) struct ReplaceDiskArguments {
    /// The directory of the node, which does not run. Default: node.data_dir of the configuration.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
    /// Change nothing: say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Replace a directory too that a start would take: the cluster refused it with exit 77.
    #[arg(long)]
    although_whole: bool,
    #[command(flatten)]
    asking: Asking,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Replaced {
    /// Whether the directory is ready to join.
    done: bool,
    member: String,
    id: u64,
    data_dir: PathBuf,
    /// Where the old directory is kept, if there was one.
    kept: Option<PathBuf>,
    /// The peers it joins by.
    via: Vec<String>,
    next: String,
}

/// Replaces, or says what it would do.
pub(super) fn run(arguments: &ReplaceDiskArguments) -> Result<(), ExitReason> {
    panics::read_as_damage();
    let config = if arguments.configured.is_given() {
        Some(arguments.configured.clone().sources().load()?.config)
    } else {
        None
    };
    let configured_dir = || config.as_ref().map(|config| config.node.data_dir.clone());
    let Some(root) = arguments.data_dir.clone().or_else(configured_dir) else {
        return Err(usage("name the directory", "--data-dir or --config"));
    };
    let place = survey(&root).map_err(|error| Server::refused(&error))?;
    let name = config.map(|config| config.node.name);
    let cluster = Cluster::ask(&arguments.asking)?;
    let replaced = match place {
        Place::Prepared { name, mark } => prepared(&root, name, mark),
        Place::Vacant { name: known } => {
            let Some(name) = name.or(known) else {
                return Err(usage(
                    "nothing says whose directory it is",
                    "name it with --config",
                ));
            };
            let cluster = cluster.once_silent(&arguments.asking, &name)?;
            let plan = cluster.plan(&root, &name)?;
            carry_out(plan, arguments, None)?
        }
        Place::Old { identity, held } => {
            let stored = identity.as_ref().map(|identity| identity.name.clone());
            let Some(name) = stored.or(name) else {
                return Err(usage(
                    "its identity cannot be read, so nothing says whose directory it is",
                    "name it with --config",
                ));
            };
            cluster.check_identity(identity.as_deref())?;
            let cluster = cluster.once_silent(&arguments.asking, &name)?;
            let plan = cluster.plan(&root, &name)?;
            // What is whole can be wrong: the majority said so.
            let wrong = root.join(EVIDENCE_FILE).exists();
            if !arguments.although_whole && !wrong {
                refuse_whole(&held)?;
            }
            carry_out(plan, arguments, Some(&held))?
        }
    };
    output::print(&match arguments.asking.output.output {
        Format::Table => text(&replaced),
        Format::Json => output::json(&replaced),
    })
}

fn carry_out(
    mut plan: Replaced,
    arguments: &ReplaceDiskArguments,
    old: Option<&StoppedDir>,
) -> Result<Replaced, ExitReason> {
    if old.is_some() {
        plan.kept = Some(keeping_place(&plan.data_dir).ok_or_else(|| {
            usage(
                "a thousand old directories lie beside it",
                "remove some of them",
            )
        })?);
    }
    if arguments.dry_run {
        return Ok(plan);
    }
    if let (Some(held), Some(kept)) = (old, &plan.kept) {
        move_aside(held, kept).map_err(|error| unmoved(&plan.data_dir, &error))?;
    }
    let join = JoinMark {
        via: plan.via.clone(),
        replaces: Some(plan.id),
    };
    mark(&plan.data_dir, &plan.member, random_id(), join)
        .map_err(|error| Server::refused(&error))?;
    plan.done = true;
    Ok(plan)
}

/// What the cluster says.
struct Cluster {
    server: String,
    id: String,
    leader: Option<String>,
    members: Vec<Member>,
}

impl Cluster {
    fn ask(asking: &Asking) -> Result<Self, ExitReason> {
        let mut servers = Servers::new(&asking.server);
        let runtime = runtime()?;
        let silent = |servers: &Servers, why: String| {
            let next = "name a node that runs with --server; without a quorum see recover force";
            ExitReason::unfinished(format!("{} does not answer", servers.first()), why, next)
        };
        let status: Status = runtime
            .block_on(servers.ask("/v1/status"))
            .map_err(|error| silent(&servers, error.to_string()))?;
        let members: Members = runtime
            .block_on(servers.ask("/v1/members"))
            .map_err(|error| silent(&servers, error.to_string()))?;
        Ok(Self {
            server: servers.first(),
            id: status.cluster.id,
            leader: status.cluster.leader,
            members: members.into_rows(),
        })
    }

    /// The cluster once `name` no longer answers it, or as it is after [`SILENCE_MAX`]: a node that has just ended is
    /// noticed by the next question of its peers.
    fn once_silent(mut self, asking: &Asking, name: &str) -> Result<Self, ExitReason> {
        let runtime = runtime()?;
        for _ in 0..SILENCE_MAX.as_secs() {
            if !self
                .members
                .iter()
                .any(|row| row.name == name && row.reachable)
            {
                break;
            }
            runtime.block_on(async { tokio::time::sleep(Duration::from_secs(1)).await });
            self = Self::ask(asking)?;
        }
        Ok(self)
    }

    /// The directory of another cluster is not this cluster's to replace.
    fn check_identity(&self, identity: Option<&Identity>) -> Result<(), ExitReason> {
        let stored = identity.and_then(|identity| identity.cluster_id);
        let Some(stored) = stored
            .map(|id| format!("{id:032x}"))
            .filter(|id| *id != self.id)
        else {
            return Ok(());
        };
        let why = format!(
            "it belongs to cluster {stored}, {} to {}",
            self.server, self.id
        );
        Err(ExitReason::identity(
            NOTHING_DONE,
            why,
            "name a server of its own cluster",
        ))
    }

    fn plan(&self, root: &Path, name: &str) -> Result<Replaced, ExitReason> {
        let not_yet = |why: String, next: &str| ExitReason::unfinished(NOTHING_DONE, why, next);
        let Some(row) = self.members.iter().find(|member| member.name == name) else {
            let why = format!("{name} is no member of {}", self.id);
            return Err(usage_because(
                why,
                "eureka-raft members list shows the names",
            ));
        };
        if self.leader.is_none() {
            let next = "start the others; if a quorum is lost for good, eureka-raft recover force";
            return Err(not_yet("nobody leads, so nobody can join".to_owned(), next));
        }
        if row.reachable {
            let why = format!("{name} answers its peers: only a node that is down is replaced");
            return Err(not_yet(
                why,
                "stop it, or wait some seconds if it has just ended",
            ));
        }
        let others = self.members.iter().filter(|member| member.name != name);
        let mut others: Vec<&Member> = others.collect();
        others.sort_by_key(|member| !member.reachable);
        let via = others.iter().take(JOIN_ADDRESSES_MAX);
        Ok(Replaced {
            done: false,
            member: name.to_owned(),
            id: row.id,
            data_dir: root.to_owned(),
            kept: None,
            via: via.map(|member| member.peer.clone()).collect(),
            next: next(name),
        })
    }
}

fn next(name: &str) -> String {
    format!(
        "start {name} as before (eureka-raft serve): it joins, gets a snapshot and takes its place; \
         watch with eureka-raft members list"
    )
}

fn prepared(root: &Path, name: String, mark: JoinMark) -> Replaced {
    Replaced {
        done: true,
        next: next(&name),
        member: name,
        id: mark.replaces.unwrap_or_default(),
        data_dir: root.to_owned(),
        kept: None,
        via: mark.via,
    }
}

/// A directory that a start would take is not replaced by mistake.
fn refuse_whole(held: &StoppedDir) -> Result<(), ExitReason> {
    let refused = rehearse(held, &std::env::temp_dir());
    if refused.is_err() {
        return Ok(());
    }
    Err(ExitReason::unfinished(
        NOTHING_DONE,
        "identity and log are whole: a start would take them",
        "start it; if it ends with exit 77 because of what the others know, repeat with --although-whole",
    ))
}

fn unmoved(root: &Path, error: &io::Error) -> ExitReason {
    ExitReason::storage(
        NOTHING_DONE,
        format!("{} cannot be moved: {error}", root.display()),
        "a mount point cannot: set node.data_dir to a new directory below it, and repeat with --config",
    )
}

fn usage(why: &str, next: &str) -> ExitReason {
    usage_because(why.to_owned(), next)
}

fn usage_because(why: String, next: &str) -> ExitReason {
    ExitReason::new(ExitCode::Usage, NOTHING_DONE, why, next)
}

fn text(replaced: &Replaced) -> String {
    let (done, name, id) = (replaced.done, &replaced.member, replaced.id);
    let mut text = String::new();
    if let Some(kept) = &replaced.kept {
        let verb = if done { "was moved" } else { "would be moved" };
        text.push_str(&format!("the old directory {verb} to {}\n", kept.display()));
    }
    let verb = if done { "is" } else { "would be" };
    let (dir, via) = (replaced.data_dir.display(), replaced.via.join(", "));
    text.push_str(&format!(
        "{dir} {verb} empty and marked: it joins by {via} and takes the place of {name} (id {id})\n"
    ));
    if done {
        text.push_str(&format!("next: {}\n", replaced.next));
    } else {
        text.push_str(&format!("{NOTHING_DONE}\n"));
    }
    text
}
