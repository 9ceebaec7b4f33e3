//! Self-preservation: when so many fall silent at once that the network is the likelier culprit.
//!
//! Owns the rule (ARCHITECTURE.md, "Time"), a function of the lease table at one moment: no
//! counters, no history, so it is the same on every node and after every leader change. It may not
//! change anything. Integers only, rounded down.

use serde::{Deserialize, Serialize};

use super::lease::Lease;
use super::settings::Settings;

/// The self-preservation figures of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Whether it may become active.
    pub enabled: bool,
    /// Whether a pulse now would evict nobody.
    pub active: bool,
    /// Leases held.
    pub leases: u64,
    /// Leases silent for more than one and a half renewal intervals.
    pub silent: u64,
    /// How many may be silent before it becomes active.
    pub allowed_silent: u64,
}

/// The figures of `leases` at `lease_ms`.
pub(super) fn assess<'a>(
    leases: impl Iterator<Item = &'a Lease>,
    settings: &Settings,
    lease_ms: u64,
) -> Protection {
    let (mut held, mut silent) = (0, 0);
    for lease in leases {
        held += 1;
        silent += u64::from(is_silent(lease, lease_ms));
    }
    let allowed_silent = allowed_silent(held, settings.protection_threshold_milli);
    Protection {
        enabled: settings.protection_enabled,
        active: settings.protection_enabled && silent > allowed_silent,
        leases: held,
        silent,
        allowed_silent,
    }
}

/// More than one and a half renewal intervals without a renewal.
fn is_silent(lease: &Lease, lease_ms: u64) -> bool {
    let since_ms = lease_ms.saturating_sub(lease.renewed.lease_ms);
    let interval_ms = u64::from(lease.terms.renewal_interval_secs) * 1_000;
    since_ms.saturating_mul(2) > interval_ms * 3
}

/// `leases * (1 - threshold)`, but one may always be silent: else a registry of two never lets go.
fn allowed_silent(leases: u64, threshold_milli: u32) -> u64 {
    let share_milli = 1_000_u64.saturating_sub(u64::from(threshold_milli));
    (leases.saturating_mul(share_milli) / 1_000).max(1)
}
