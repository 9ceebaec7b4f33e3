//! How Raft behaves.
//!
//! Owns [`RaftSettings`] and their translation into openraft's configuration. It may not read a file.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use super::error::StartError;

/// How this node's Raft behaves; from its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftSettings {
    /// How often a leader shows that it lives.
    pub heartbeat: Duration,
    /// How long a follower waits for that before it stands for election: the second, and a random
    /// time between the two on top.
    pub election_timeout: (Duration, Duration),
    /// A snapshot is built after so many entries; 0 never for this reason.
    pub snapshot_every_entries: u64,
    /// A snapshot is built after so many bytes of entries; 0 never for this reason.
    pub snapshot_every_bytes: u64,
    /// So many entries below the newest snapshot stay in the log.
    pub keep_entries: u64,
}

/// Entries in one request to a follower, at most; its bytes are bounded by the log reader.
const REQUEST_ENTRIES: u64 = 256;
/// How long a snapshot may take from the first byte to the installed state.
const SNAPSHOT_MAX: Duration = Duration::from_secs(60);
/// Entries purged at a time, at most: openraft's default of one would be a write for each.
const PURGE_ENTRIES: u64 = 4_096;

impl RaftSettings {
    /// openraft's configuration.
    pub(super) fn openraft(&self, cluster_id: u128) -> Result<Config, StartError> {
        let config = Config {
            cluster_name: format!("{cluster_id:032x}"),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election_timeout.0),
            election_timeout_max: millis(self.election_timeout.1),
            install_snapshot_timeout: millis(SNAPSHOT_MAX),
            max_payload_entries: REQUEST_ENTRIES,
            // Ours vary from 60 bytes to 1 MiB, so what triggers a snapshot is counted here.
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: self.keep_entries,
            purge_batch_size: self.keep_entries.clamp(1, PURGE_ENTRIES),
            // A node that comes back must not depose a leader that the others follow.
            enable_pre_vote: Some(true),
            // A restarted leader's state machine is behind: it asks for votes like everybody.
            enable_leader_restore: Some(false),
            allow_log_reversion: Some(false),
            ..Config::default()
        };
        config
            .validate()
            .map_err(|error| StartError::Settings(error.to_string()))
    }
}

/// openraft counts milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
