//! Every configuration key with its kind and default.
//!
//! Owns the closed list of keys: what is not here is an unknown key. It may not interpret a value.

/// What a key's value is made of; decides how the text of `--set` and the environment is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, taken as it is: addresses, names, durations, sizes, choices.
    Text,
    /// Anything else: read as TOML.
    Toml,
}

/// A known key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its path, e.g. `raft.heartbeat`.
    pub(super) name: &'static str,
    /// What its value is made of.
    pub(super) kind: Kind,
    /// Its default as TOML.
    pub(super) default: &'static str,
}

const fn text(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Text,
        default,
    }
}

const fn toml(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Toml,
        default,
    }
}

/// All keys, in the order of `raft-config/reference.toml`. An empty advertised address means: from
/// the listener's.
pub(super) const KEYS: &[Key] = &[
    text("node.name", r#""node-1""#),
    text("node.data_dir", r#""eureka-raft-data""#),
    text("node.advertise_http", r#""""#),
    text("node.advertise_peer", r#""""#),
    text("listen.http", r#""127.0.0.1:8761""#),
    text("listen.peer", r#""127.0.0.1:8771""#),
    toml("cluster.initial_members", "[]"),
    toml("cluster.join", "[]"),
    toml("peer.allow_plaintext", "false"),
    text("raft.heartbeat", r#""150ms""#),
    toml("raft.election_timeout", r#"["500ms", "1s"]"#),
    toml("raft.snapshot_every_entries", "0"),
    text("raft.snapshot_every_bytes", r#""256MiB""#),
    toml("raft.keep_entries", "100000"),
    text("disk.soft_free", r#""auto""#),
    text("disk.hard_free", r#""auto""#),
    text("disk.ballast", r#""auto""#),
    text("lease.sweep", r#""1s""#),
    toml("lease.factor", "1.0"),
    toml("protection.enabled", "true"),
    toml("protection.renewal_percent_threshold", "0.85"),
    text("reads.default", r#""linearizable""#),
    text("delta.retention", r#""180s""#),
    toml("delta.retention_changes", "100000"),
    toml("compat.peer_replication", "false"),
    text("limits.max_body", r#""256KiB""#),
    text("limits.max_replication_body", r#""2MiB""#),
    toml("limits.max_connections", "20000"),
    toml("limits.max_streams", "2000"),
    text("limits.header_timeout", r#""10s""#),
    text("limits.body_timeout", r#""30s""#),
    text("limits.idle_timeout", r#""75s""#),
    text("limits.answer_timeout", r#""4900ms""#),
    text("limits.drain_timeout", r#""5s""#),
    toml("limits.queue", "65536"),
    text("limits.queue_bytes", r#""64MiB""#),
    text("limits.leader_wait", r#""3s""#),
    toml("limits.batch_commands", "4096"),
    text("limits.batch_bytes", r#""512KiB""#),
    toml("limits.instances", "1000000"),
    toml("limits.applications", "100000"),
    text("log.level", r#""info""#),
    text("log.format", r#""text""#),
];

/// Keys that the documentation names and this version refuses, with the reason.
pub(super) const RESERVED: &[(&str, &str)] = &[(
    "peer.tls",
    "; it is reserved: this version has no TLS between peers, so keep them on a private network \
     with peer.allow_plaintext = true",
)];

/// The key called `name`.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether `name` is a section, such as `raft`.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}
