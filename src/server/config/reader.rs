//! From merged layers to typed sections.
//!
//! Owns which key has which type and range. It may not compare values with each other, except
//! where one is the default of another: the rest is `checks`'s.

use std::path::PathBuf;
use std::time::Duration;

use super::address::{BaseUrl, HostPort};
use super::error::ConfigError;
use super::layers::Layers;
use super::sections::{
    Cluster, Compat, Config, Delta, Disk, InitialMember, Lease, Limits, Listen, Log, LogFormat,
    LogLevel, Node, Peer, Protection, Raft, ReadMode, Reads,
};
use super::values::{
    address, automatic_size, choice, count, duration, duration_in_range, flag, invalid, size, text,
    thousandths,
};

/// The longest `node.name`.
const NAME_LEN_MAX: usize = 64;

/// How many addresses `cluster.*` may list: more voters only slow a cluster down.
const MEMBERS_MAX: usize = 9;

const MEMBER_LIST: &str =
    "up to 9 entries such as { name = \"node-1\", peer = \"127.0.0.1:8771\" }";
const ADDRESS_LIST: &str = "up to 9 addresses such as \"127.0.0.1:8771\"";

/// Reads every key.
pub(super) fn read(layers: &Layers) -> Result<Config, ConfigError> {
    let listen = Listen {
        http: address(layers, "listen.http")?,
        peer: address(layers, "listen.peer")?,
    };
    let cluster = cluster(layers)?;
    Ok(Config {
        node: node(layers, &listen, &cluster)?,
        raft: raft(layers)?,
        limits: limits(layers)?,
        log: log(layers)?,
        reads: Reads {
            default: read_mode(layers)?,
        },
        peer: Peer {
            allow_plaintext: flag(layers, "peer.allow_plaintext")?,
        },
        disk: Disk {
            soft_free: automatic_size(layers, "disk.soft_free")?,
            hard_free: automatic_size(layers, "disk.hard_free")?,
            ballast: automatic_size(layers, "disk.ballast")?,
        },
        lease: Lease {
            sweep: duration(layers, "lease.sweep")?,
            factor_milli: thousandths(layers, "lease.factor", 1..=1_000_000)?,
        },
        protection: Protection {
            enabled: flag(layers, "protection.enabled")?,
            threshold_milli: thousandths(
                layers,
                "protection.renewal_percent_threshold",
                0..=1_000,
            )?,
        },
        delta: Delta {
            retention: duration(layers, "delta.retention")?,
            retention_changes: count(layers, "delta.retention_changes", 0..=u64::MAX)?,
        },
        compat: Compat {
            peer_replication: flag(layers, "compat.peer_replication")?,
        },
        listen,
        cluster,
    })
}

fn node(layers: &Layers, listen: &Listen, cluster: &Cluster) -> Result<Node, ConfigError> {
    let name = text(layers, "node.name")?;
    if !is_name(name) {
        let expected = "1 to 64 letters, digits, dots, dashes or underscores";
        return Err(invalid(layers, "node.name", expected));
    }
    let data_dir = text(layers, "node.data_dir")?;
    if data_dir.is_empty() {
        return Err(invalid(layers, "node.data_dir", "the path of a directory"));
    }
    Ok(Node {
        advertise_http: advertise_http(layers, listen, cluster)?,
        advertise_peer: advertise_peer(layers, listen, cluster, name)?,
        name: name.to_owned(),
        data_dir: PathBuf::from(data_dir),
    })
}

/// The address given, or that of the listener.
fn advertise_http(
    layers: &Layers,
    listen: &Listen,
    cluster: &Cluster,
) -> Result<BaseUrl, ConfigError> {
    let key = "node.advertise_http";
    match text(layers, key)? {
        "" => reachable(&listen.http, cluster)
            .map(BaseUrl::from)
            .ok_or_else(|| invalid(layers, key, &advertise_hint("listen.http"))),
        given => given
            .parse()
            .map_err(|_| invalid(layers, key, "a URL such as \"http://10.0.0.1:8761\"")),
    }
}

/// The address given, or the one all members list for this node, or that of the listener.
fn advertise_peer(
    layers: &Layers,
    listen: &Listen,
    cluster: &Cluster,
    name: &str,
) -> Result<HostPort, ConfigError> {
    let key = "node.advertise_peer";
    let listed = match cluster {
        Cluster::Initial(members) => members.iter().find(|member| member.name == name),
        Cluster::Alone | Cluster::Join(_) => None,
    };
    match (text(layers, key)?, listed) {
        ("", Some(member)) => Ok(member.peer.clone()),
        ("", None) => reachable(&listen.peer, cluster)
            .ok_or_else(|| invalid(layers, key, &advertise_hint("listen.peer"))),
        (_, _) => address(layers, key),
    }
}

/// The listener's address as others can use it. One that stands for every address of the machine
/// tells nobody where to connect; a node alone tells only itself.
fn reachable(listen: &HostPort, cluster: &Cluster) -> Option<HostPort> {
    match (listen.is_unspecified(), cluster) {
        (false, _) => Some(listen.clone()),
        (true, Cluster::Alone) => Some(listen.on_loopback()),
        (true, Cluster::Initial(_) | Cluster::Join(_)) => None,
    }
}

fn advertise_hint(listen: &str) -> String {
    format!("an address that others can connect to, because {listen} stands for every interface")
}

fn cluster(layers: &Layers) -> Result<Cluster, ConfigError> {
    let members = initial_members(layers)?;
    let join = join(layers)?;
    match (members.is_empty(), join.is_empty()) {
        (true, true) => Ok(Cluster::Alone),
        (false, true) => Ok(Cluster::Initial(members)),
        (true, false) => Ok(Cluster::Join(join)),
        (false, false) => Err(ConfigError::Conflict {
            keys: "cluster.initial_members, cluster.join",
            reason: "set one of them: the first makes a new cluster, the second enters a running \
                     one"
            .to_owned(),
        }),
    }
}

fn initial_members(layers: &Layers) -> Result<Vec<InitialMember>, ConfigError> {
    let key = "cluster.initial_members";
    let refused = || invalid(layers, key, MEMBER_LIST);
    let list = layers.get(key).value.as_array().ok_or_else(refused)?;
    if list.len() > MEMBERS_MAX {
        return Err(refused());
    }
    list.iter()
        .map(|entry| member(entry).ok_or_else(refused))
        .collect()
}

fn member(entry: &toml::Value) -> Option<InitialMember> {
    let table = entry.as_table()?;
    let name = table.get("name")?.as_str()?;
    let peer = table.get("peer")?.as_str()?;
    (table.len() == 2 && is_name(name)).then_some(InitialMember {
        name: name.to_owned(),
        peer: peer.parse().ok()?,
    })
}

fn join(layers: &Layers) -> Result<Vec<HostPort>, ConfigError> {
    let key = "cluster.join";
    let refused = || invalid(layers, key, ADDRESS_LIST);
    let list = layers.get(key).value.as_array().ok_or_else(refused)?;
    if list.len() > MEMBERS_MAX {
        return Err(refused());
    }
    list.iter()
        .map(|entry| {
            let address = entry.as_str().and_then(|text| text.parse().ok());
            address.ok_or_else(refused)
        })
        .collect()
}

fn raft(layers: &Layers) -> Result<Raft, ConfigError> {
    let (election_timeout_min, election_timeout_max) = election_timeout(layers)?;
    Ok(Raft {
        heartbeat: duration(layers, "raft.heartbeat")?,
        election_timeout_min,
        election_timeout_max,
        snapshot_every_entries: count(layers, "raft.snapshot_every_entries", 0..=u64::MAX)?,
        snapshot_every_bytes: size(layers, "raft.snapshot_every_bytes", 1..=u64::MAX)?,
        keep_entries: count(layers, "raft.keep_entries", 0..=u64::MAX)?,
    })
}

fn election_timeout(layers: &Layers) -> Result<(Duration, Duration), ConfigError> {
    let key = "raft.election_timeout";
    let bound = |value: &toml::Value| value.as_str().and_then(duration_in_range);
    let pair = match layers.get(key).value.as_array().map(Vec::as_slice) {
        Some([min, max]) => bound(min).zip(bound(max)),
        _ => None,
    };
    pair.ok_or_else(|| {
        let expected = "two durations, least and most, such as [\"500ms\", \"1s\"]";
        invalid(layers, key, expected)
    })
}

fn limits(layers: &Layers) -> Result<Limits, ConfigError> {
    // Numbers that become queue and buffer sizes are kept below what an address space can hold.
    const COUNT_MAX: u64 = 1 << 30;
    let bytes = |key| size(layers, key, 1..=COUNT_MAX).map(to_usize);
    let number = |key| count(layers, key, 1..=COUNT_MAX).map(to_usize);
    Ok(Limits {
        body_bytes_max: bytes("limits.max_body")?,
        replication_bytes_max: bytes("limits.max_replication_body")?,
        connections_max: number("limits.max_connections")?,
        streams_max: number("limits.max_streams")?,
        header_timeout: duration(layers, "limits.header_timeout")?,
        body_timeout: duration(layers, "limits.body_timeout")?,
        idle_timeout: duration(layers, "limits.idle_timeout")?,
        answer_timeout: duration(layers, "limits.answer_timeout")?,
        drain_timeout: duration(layers, "limits.drain_timeout")?,
        queue: number("limits.queue")?,
        queue_bytes: bytes("limits.queue_bytes")?,
        leader_wait: duration(layers, "limits.leader_wait")?,
        batch_commands: number("limits.batch_commands")?,
        batch_bytes: bytes("limits.batch_bytes")?,
        instances: count(layers, "limits.instances", 1..=u64::MAX)?,
        applications: count(layers, "limits.applications", 1..=u64::MAX)?,
    })
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("at most 2^30: the range was checked")
}

fn log(layers: &Layers) -> Result<Log, ConfigError> {
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Ok(Log {
        level: choice(layers, "log.level", &levels)?,
        format: choice(layers, "log.format", &formats)?,
    })
}

fn read_mode(layers: &Layers) -> Result<ReadMode, ConfigError> {
    let modes = [
        ("linearizable", ReadMode::Linearizable),
        ("available", ReadMode::Available),
        ("local", ReadMode::Local),
    ];
    choice(layers, "reads.default", &modes)
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(allowed)
}
