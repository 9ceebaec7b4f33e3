//! The two clocks of a log entry.
//!
//! Owns [`LogTime`], which only a leader stamps. It may not read any clock itself.

use serde::{Deserialize, Serialize};

/// When an entry happened, by both clocks of the cluster (ARCHITECTURE.md, "Time").
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LogTime {
    /// Milliseconds since the Unix epoch by the leader's wall clock. For people: nothing expires by it.
    pub wall_ms: u64,
    /// The replicated lease clock, in milliseconds. Runs only while a leader commits; never goes back.
    pub lease_ms: u64,
}
