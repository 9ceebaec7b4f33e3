//! Settings that decide what apply does.
//!
//! Owns the replicated half of the configuration, as integers, so that every node computes the same
//! from it. It may not read a file: a new leader puts its file's values into the log.

use serde::{Deserialize, Serialize};

/// Replicated settings. A leader whose file differs proposes [`super::Command::Settings`] first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// `lease.factor` in thousandths: how much longer than its duration a lease lives.
    pub lease_factor_milli: u32,
    /// `protection.enabled`.
    pub protection_enabled: bool,
    /// `protection.renewal_percent_threshold` in thousandths.
    pub protection_threshold_milli: u32,
    /// `delta.retention`, ms of lease time.
    pub delta_retention_ms: u64,
    /// `delta.retention_changes`: single changes kept for cursors.
    pub delta_retention_changes: u64,
    /// `limits.instances`: registrations of new instances beyond it are refused.
    pub instances_max: u64,
    /// `limits.applications`.
    pub applications_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_factor_milli: 1_000,
            protection_enabled: true,
            protection_threshold_milli: 850,
            delta_retention_ms: 180_000,
            delta_retention_changes: 100_000,
            instances_max: 1_000_000,
            applications_max: 100_000,
        }
    }
}
