//! Values that are fine alone and wrong together.
//!
//! Owns the rules between keys. It may not check a value by itself: that is `reader`'s.

use std::time::Duration;

use super::error::ConfigError;
use super::sections::{Cluster, Config, Disk, InitialMember, Limits, Raft};

/// What one log entry may hold of bodies or of a batch, with room for its envelope.
const ENTRY_BYTES_MAX: usize = 768 << 10;
/// Below the 4.5 s after which a proposed write counts as unknown.
const LEADER_WAIT_MAX: Duration = Duration::from_secs(4);
/// Above those 4.5 s.
const ANSWER_TIMEOUT_MIN: Duration = Duration::from_millis(4_600);
/// A stop takes at most 10 s, of which 3 may go into handing leadership over.
const DRAIN_TIMEOUT_MAX: Duration = Duration::from_secs(6);

/// Refuses a configuration whose values contradict each other.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    raft_timing(&config.raft)?;
    peer_exposure(config)?;
    listeners(config)?;
    entry_sizes(&config.limits)?;
    waits(&config.limits)?;
    disk_marks(&config.disk)?;
    if let Cluster::Initial(members) = &config.cluster {
        unique(members)?;
        listed(config, members)?;
    }
    Ok(())
}

/// A follower that waits no longer than a heartbeat takes calls an election under every leader.
fn raft_timing(raft: &Raft) -> Result<(), ConfigError> {
    let ordered = raft.heartbeat < raft.election_timeout_min
        && raft.election_timeout_min < raft.election_timeout_max;
    if ordered {
        return Ok(());
    }
    conflict(
        "raft.heartbeat, raft.election_timeout",
        format!(
            "heartbeat ({}) < least election timeout ({}) < most ({}) must hold",
            humantime::format_duration(raft.heartbeat),
            humantime::format_duration(raft.election_timeout_min),
            humantime::format_duration(raft.election_timeout_max),
        ),
    )
}

/// Whoever reaches the peer port can write the log, so it is not offered to a network by accident.
fn peer_exposure(config: &Config) -> Result<(), ConfigError> {
    if config.listen.peer.is_loopback() || config.peer.allow_plaintext {
        return Ok(());
    }
    conflict(
        "listen.peer, peer.allow_plaintext",
        format!(
            "{} can be reached from other machines and peers talk without TLS: whoever connects \
             can change the registry. Listen on a loopback address, or set peer.allow_plaintext = \
             true on a network you trust",
            config.listen.peer
        ),
    )
}

/// What may come in or be batched must fit a log entry, whose longest payload is 1 MiB.
fn entry_sizes(limits: &Limits) -> Result<(), ConfigError> {
    if limits.body_bytes_max <= ENTRY_BYTES_MAX && limits.batch_bytes <= ENTRY_BYTES_MAX {
        return Ok(());
    }
    conflict(
        "limits.max_body, limits.batch_bytes",
        "a log entry holds at most 768KiB of either".to_owned(),
    )
}

/// A write is given up on unproposed, then as unknown, then by HTTP; and a stop ends before the process is ended.
fn waits(limits: &Limits) -> Result<(), ConfigError> {
    let writes =
        limits.leader_wait <= LEADER_WAIT_MAX && limits.answer_timeout >= ANSWER_TIMEOUT_MIN;
    if writes && limits.drain_timeout <= DRAIN_TIMEOUT_MAX {
        return Ok(());
    }
    conflict(
        "limits.leader_wait, limits.answer_timeout, limits.drain_timeout",
        "leader_wait is at most 4s, answer_timeout at least 4.6s, drain_timeout at most 6s"
            .to_owned(),
    )
}

/// An operator must be warned before the node acts.
fn disk_marks(disk: &Disk) -> Result<(), ConfigError> {
    match (disk.soft_free, disk.hard_free) {
        (Some(soft), Some(hard)) if soft <= hard => conflict(
            "disk.soft_free, disk.hard_free",
            format!("{soft} bytes are no earlier warning than {hard}: soft_free must be more"),
        ),
        _ => Ok(()),
    }
}

fn listeners(config: &Config) -> Result<(), ConfigError> {
    let (http, peer) = (&config.listen.http, &config.listen.peer);
    if http != peer || http.port() == 0 {
        return Ok(());
    }
    conflict(
        "listen.http, listen.peer",
        format!("both are {http}; give each its own port"),
    )
}

fn unique(members: &[InitialMember]) -> Result<(), ConfigError> {
    for (place, member) in members.iter().enumerate() {
        let before = &members[..place];
        let twice = if before.iter().any(|other| other.name == member.name) {
            format!("the name {} stands twice", member.name)
        } else if before.iter().any(|other| other.peer == member.peer) {
            format!("the address {} stands twice", member.peer)
        } else {
            continue;
        };
        return conflict("cluster.initial_members", twice);
    }
    Ok(())
}

/// Every member runs with the same list, so this node must find itself in it, at its own address.
fn listed(config: &Config, members: &[InitialMember]) -> Result<(), ConfigError> {
    let name = &config.node.name;
    let Some(me) = members.iter().find(|member| member.name == *name) else {
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        return conflict(
            "node.name, cluster.initial_members",
            format!(
                "this node, {name}, is not in the list ({}); list it, or use cluster.join to enter \
                 a running cluster",
                names.join(", ")
            ),
        );
    };
    if me.peer == config.node.advertise_peer {
        return Ok(());
    }
    conflict(
        "node.advertise_peer, cluster.initial_members",
        format!(
            "this node, {name}, is {} by the first and {} by the second",
            config.node.advertise_peer, me.peer
        ),
    )
}

fn conflict(keys: &'static str, reason: String) -> Result<(), ConfigError> {
    Err(ConfigError::Conflict { keys, reason })
}
