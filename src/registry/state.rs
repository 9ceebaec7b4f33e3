//! The registry: what the state machine is made of.
//!
//! Owns [`Registry`] and what may be asked of it beside its [`View`]. It may not change anything:
//! that is `apply`'s.

use super::catalogue::Catalogue;
use super::change_log::ChangeLog;
use super::lease::LeaseTable;
use super::query::View;
use super::recent_names::NameRing;
use super::self_preservation::{self, Protection};
use super::settings::Settings;
use super::state_hash::{self, ItemKind};
use super::time::LogTime;

/// When a lease was last renewed, by both clocks.
pub type Renewal = LogTime;

/// The state machine. Changed by [`Registry::apply`] and nothing else.
#[derive(Debug)]
pub struct Registry {
    pub(super) index: u64,
    pub(super) lease_ms: u64,
    pub(super) settings: Settings,
    pub(super) catalogue: Catalogue,
    pub(super) leases: LeaseTable,
    pub(super) changes: ChangeLog,
    pub(super) registered: NameRing,
    pub(super) cancelled: NameRing,
}

impl Registry {
    /// An empty registry at index 0, with default settings.
    pub fn new() -> Self {
        let settings = Settings::default();
        Self {
            index: 0,
            lease_ms: 0,
            leases: LeaseTable::new(settings.lease_factor_milli),
            settings,
            catalogue: Catalogue::default(),
            changes: ChangeLog::new(0),
            registered: NameRing::new(ItemKind::Registered, 0),
            cancelled: NameRing::new(ItemKind::Cancelled, 0),
        }
    }

    /// The last applied index.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The lease clock, ms.
    pub fn lease_ms(&self) -> u64 {
        self.lease_ms
    }

    /// The state for readers: O(1), whatever the size of the registry.
    pub fn view(&self) -> View {
        View {
            index: self.index,
            lease_ms: self.lease_ms,
            settings: self.settings.clone(),
            state_hash: self.state_hash(),
            catalogue: self.catalogue.clone(),
            history: self.changes.history().clone(),
            registered: self.registered.clone(),
            cancelled: self.cancelled.clone(),
        }
    }

    /// When the lease in `slot` was last renewed, if that generation still holds it.
    pub fn renewal(&self, slot: u32, generation: u32) -> Option<Renewal> {
        self.leases.get(slot, generation).map(|lease| lease.renewed)
    }

    /// Self-preservation as a pulse at `lease_ms` would see it. Walks the lease table.
    pub fn protection(&self, lease_ms: u64) -> Protection {
        let leases = self.leases.rows().iter().filter_map(|row| row.held());
        self_preservation::assess(leases, &self.settings, lease_ms)
    }

    /// Whether a pulse at `lease_ms` would find a lease that is over (which self-preservation may
    /// yet keep). Looks only at the leases that were due by then when last looked at.
    pub fn eviction_may_be_due(&self, lease_ms: u64) -> bool {
        self.leases.any_due(lease_ms)
    }

    /// The state hash: equal on two nodes with equal applied index.
    pub fn state_hash(&self) -> u128 {
        let history = self.changes.history();
        let numbers = [
            self.index,
            self.lease_ms,
            self.catalogue.index(),
            history.floor,
            self.registered.pushed(),
            self.cancelled.pushed(),
        ];
        [
            self.catalogue.sum(),
            self.leases.sum(),
            self.changes.sum(),
            self.registered.sum(),
            self.cancelled.sum(),
        ]
        .into_iter()
        .fold(
            state_hash::of_scalars(&numbers, &self.settings),
            |hash, sum| hash.wrapping_add(sum.total()),
        )
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
