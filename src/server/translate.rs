//! Between the configuration and the rooms, and from their errors to exit codes.
//!
//! Owns the tables that say which key becomes which option, and which failure which exit code. It may
//! not start anything.

use prometheus_client::registry::{Registry, Unit};

use crate::http;
use crate::net::Listener;
use crate::node::{
    Consistency, FirstStartError, InitialMember, NodeOptions, WaitingLimits, WayIn, WriteLimits,
};
use crate::raft::{Failure, Goal, Member, PeerIdentity, RaftSettings, StartError};
use crate::store::files::SharedFiles;
use crate::store::identity::{IdentityFile, JoinMark, PlannedMember};
use crate::store::{DiskHealth, OpenError, release};

use super::config::{Cluster, Config, ReadMode};
use super::exit::{ExitCode, ExitReason};

pub(super) fn planned_member(
    config: &Config,
    identity: &IdentityFile,
    http: &dyn Listener,
    peer: &dyn Listener,
) -> PlannedMember {
    let identity = identity.get();
    PlannedMember {
        id: 0,
        name: identity.name,
        incarnation: identity.incarnation,
        peer_addr: with_port(config.node.advertise_peer.as_str(), peer),
        http_addr: with_port(config.node.advertise_http.as_str(), http),
    }
}

/// `addr`, with the port the system chose if it ends in `:0`.
fn with_port(addr: &str, listener: &dyn Listener) -> String {
    match (addr.strip_suffix(":0"), listener.local_addr()) {
        (Some(host), Ok(bound)) => format!("{host}:{}", bound.port()),
        _ => addr.to_owned(),
    }
}

/// How a node with an empty directory comes into a cluster: by the mark an operator left there, else by
/// the configuration.
pub(super) fn way_in(config: &Config, identity: &IdentityFile) -> WayIn {
    if let Some(mark) = identity.get().join {
        return WayIn::Join(mark);
    }
    match &config.cluster {
        Cluster::Initial(members) => WayIn::Found(members.iter().map(initial_member).collect()),
        Cluster::Alone => WayIn::Found(Vec::new()),
        Cluster::Join(addresses) => WayIn::Join(JoinMark {
            via: addresses.iter().map(ToString::to_string).collect(),
            replaces: None,
        }),
    }
}

fn initial_member(member: &super::config::InitialMember) -> InitialMember {
    InitialMember {
        name: member.name.clone(),
        peer_addr: member.peer.to_string(),
    }
}

pub(super) fn node_options(config: &Config) -> NodeOptions {
    NodeOptions {
        reads_default: match config.reads.default {
            ReadMode::Linearizable => Consistency::Linearizable,
            ReadMode::Available => Consistency::Available,
            ReadMode::Local => Consistency::Local,
        },
        settings: config.replicated(),
        sweep: config.lease.sweep,
        silence_max: 2 * config.raft.election_timeout_max,
        writes: WriteLimits {
            waiting: WaitingLimits {
                commands: config.limits.queue,
                bytes: config.limits.queue_bytes,
            },
            leader_wait: config.limits.leader_wait,
            batch_commands: config.limits.batch_commands,
            batch_bytes: config.limits.batch_bytes,
        },
    }
}

/// What only the disk's own room can count.
pub(super) fn disk_metrics(disk: &DiskHealth) -> Registry {
    let mut registry = Registry::default();
    registry
        .sub_registry_with_prefix("eureka_raft")
        .register_with_unit(
            "fsync_duration",
            "From the first write of a batch of the log to the end of its sync",
            Unit::Seconds,
            disk.syncs.histogram(),
        );
    registry
}

pub(super) fn raft_settings(config: &Config) -> RaftSettings {
    RaftSettings {
        heartbeat: config.raft.heartbeat,
        election_timeout: (
            config.raft.election_timeout_min,
            config.raft.election_timeout_max,
        ),
        snapshot_every_entries: config.raft.snapshot_every_entries,
        snapshot_every_bytes: config.raft.snapshot_every_bytes,
        keep_entries: config.raft.keep_entries,
    }
}

pub(super) fn http_limits(config: &Config) -> http::Limits {
    let limits = &config.limits;
    http::Limits {
        body_bytes_max: limits.body_bytes_max,
        replication_bytes_max: config
            .compat
            .peer_replication
            .then_some(limits.replication_bytes_max),
        connections_max: limits.connections_max,
        streams_max: limits.streams_max,
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        body_timeout: limits.body_timeout,
        answer_timeout: limits.answer_timeout,
        drain_timeout: limits.drain_timeout,
        ..http::Limits::default()
    }
}

/// Why the data directory could not be opened, as the process's last words.
pub(super) fn open_error(error: &OpenError) -> ExitReason {
    let (code, next) = match error {
        OpenError::InUse { .. } => (
            ExitCode::Identity,
            "stop the other process, or set node.data_dir",
        ),
        OpenError::Interrupted { .. } => (
            ExitCode::Identity,
            "run that command again: it goes on where it was",
        ),
        OpenError::Regressed { .. } | OpenError::Foreign { .. } => (ExitCode::Identity, RIGHT_DISK),
        OpenError::Newer { .. } => (ExitCode::Configuration, NEWER_RELEASE),
        OpenError::Corrupt { .. } => (ExitCode::Storage, KEEP_AND_REJOIN),
        OpenError::Io { .. } if error.exit_code() == ExitCode::Configuration.number() => (
            ExitCode::Configuration,
            "check the owner and mode of node.data_dir",
        ),
        OpenError::Io { .. } => (ExitCode::Storage, "check the disk, then start again"),
    };
    ExitReason::new(
        code,
        "the data directory cannot be used",
        error.to_string(),
        next,
    )
}

/// Why a data directory cannot be used; by which release it can, if that is what it takes.
pub(super) fn open_error_at(files: &SharedFiles, error: &OpenError) -> ExitReason {
    let mut reason = open_error(error);
    if let (OpenError::Newer { .. }, Some(release)) = (error, release::newer(files)) {
        reason.next = format!(
            "start eureka-raft {release}, which has been at this directory, or a later release"
        );
    }
    reason
}

pub(super) fn first_start_error(error: FirstStartError) -> ExitReason {
    match error {
        FirstStartError::Identity(error) => ExitReason::storage(
            "the identity file failed",
            error.to_string(),
            "check the disk, then start again",
        ),
        bound @ FirstStartError::BoundToAnother { .. } => ExitReason::identity(
            "this data directory is not the one the cluster knows",
            bound.to_string(),
            "put the right disk back; or, if it is lost, `eureka-raft recover replace-disk` on this node; \
             or `eureka-raft members remove` the name on another node, and start this one empty with cluster.join",
        ),
        FirstStartError::Removed(index) => removed(index),
        FirstStartError::Refused(refusal) => ExitReason::configuration(
            "the cluster does not take this node",
            refusal.to_string(),
            "check node.name, node.advertise_peer and cluster.join",
        ),
    }
}

pub(super) fn start_error(error: &StartError) -> ExitReason {
    let what = "Raft did not start";
    match error {
        StartError::Storage(why) => ExitReason::storage(what, why, KEEP_AND_REJOIN),
        StartError::Identity(why) => ExitReason::identity(what, why, RIGHT_DISK),
        StartError::Newer(why) => ExitReason::configuration(what, why, NEWER_RELEASE),
        StartError::Settings(why) => ExitReason::configuration(
            what,
            why,
            "`eureka-raft config check` shows the [raft] section",
        ),
        StartError::Internal(why) => ExitReason::internal(what, why, LOOK_AND_RESTART),
    }
}

/// Why a node ends whose disk refused or did not answer; `why` names operation and file.
pub(super) fn disk_failed(why: &str) -> ExitReason {
    ExitReason::storage(
        "storage failed; nothing was acknowledged after it",
        why,
        "check the disk and its free space, then start again",
    )
}

pub(super) fn failure(failure: &Failure) -> ExitReason {
    match failure {
        Failure::Storage(why) => ExitReason::storage(
            "storage failed; nothing was acknowledged after it",
            why,
            "check the disk, then start again",
        ),
        Failure::Identity(why) => {
            ExitReason::identity("this node's disk went back in time", why, RIGHT_DISK)
        }
        Failure::ClusterEnded(why) => ExitReason::identity(
            "this node's cluster was ended by recover force",
            why,
            "keep the directory for a look; add this node to the new cluster with an empty one",
        ),
        Failure::Double(why) => ExitReason::identity(
            "this node is in the cluster twice",
            why,
            "stop one of the two for good; a copy never takes part: let it join with an empty node.data_dir",
        ),
        Failure::Diverged(_) => ExitReason::storage(
            "this node's state differs from the majority's",
            failure.to_string(),
            "start it again once; if it differs again: eureka-raft recover replace-disk",
        ),
        Failure::Removed(index) => removed(*index),
        Failure::Newer(why) => ExitReason::configuration(
            "the cluster's log holds what this release cannot read",
            why,
            NEWER_RELEASE,
        ),
        Failure::Internal(why) => ExitReason::internal("Raft stopped", why, LOOK_AND_RESTART),
    }
}

/// The cluster goes on without this node.
fn removed(index: u64) -> ExitReason {
    ExitReason::new(
        ExitCode::Removed,
        "this node is no member any more",
        format!("removed from the cluster at index {index}"),
        COME_BACK_EMPTY,
    )
}

/// Why a log that did not close is no clean stop.
pub(super) fn log_not_closed(error: &std::io::Error) -> ExitReason {
    ExitReason::storage(
        "the log did not close cleanly",
        error.to_string(),
        "check the disk, then start again",
    )
}

/// What a node says of itself to its peers.
pub(super) fn peer_identity(identity: &IdentityFile) -> PeerIdentity {
    let identity = identity.get();
    PeerIdentity {
        name: identity.name,
        incarnation: identity.incarnation,
        cluster_id: identity.cluster_id,
        node_id: identity.node_id,
    }
}

/// A member of a plan, as Raft knows it.
pub(super) fn into_member(planned: PlannedMember) -> Member {
    Member {
        id: planned.id,
        name: planned.name,
        incarnation: planned.incarnation,
        peer_addr: planned.peer_addr,
        http_addr: planned.http_addr,
        goal: Goal::Stay,
    }
}

const COME_BACK_EMPTY: &str = "to come back it needs an empty node.data_dir and cluster.join: this directory never takes part again";
const NEWER_RELEASE: &str =
    "start the newer release on this directory: this one cannot, and has changed nothing in it";
const LOOK_AND_RESTART: &str = "look at the log above, then start again";
const KEEP_AND_REJOIN: &str = "`eureka-raft doctor --offline` shows what is whole; `eureka-raft recover \
     replace-disk` keeps this directory and lets the node come back by snapshot";
const RIGHT_DISK: &str = "put the right disk back; `eureka-raft doctor --offline` shows what is here, `eureka-raft recover \
     replace-disk` keeps it and lets the node come back by snapshot";
