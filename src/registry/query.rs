//! What readers may ask.
//!
//! Owns [`View`], the registry as of one log index. It may not change anything, nor see the lease
//! table: everything in a view, its hash codes and deltas included, is of that one index (P5).

use std::sync::Arc;

use super::catalogue::{Application, Catalogue, Vip};
use super::change_log::{Change, History, HistoryGone};
use super::instance::Record;
use super::names::{AppName, InstanceId};
use super::recent_names::NameRing;
use super::settings::Settings;

/// The registry as of one log index. Cheap to clone, never changes.
#[derive(Debug, Clone)]
pub struct View {
    pub(super) index: u64,
    pub(super) lease_ms: u64,
    pub(super) settings: Settings,
    pub(super) state_hash: u128,
    pub(super) catalogue: Catalogue,
    pub(super) history: History,
    pub(super) registered: NameRing,
    pub(super) cancelled: NameRing,
}

impl View {
    /// The log index it reflects.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The log index of the last catalogue change (renewals are none).
    pub fn catalogue_index(&self) -> u64 {
        self.catalogue.index()
    }

    /// The lease clock at [`View::index`], ms.
    pub fn lease_ms(&self) -> u64 {
        self.lease_ms
    }

    /// The replicated settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rolling state hash at [`View::index`].
    pub fn state_hash(&self) -> u128 {
        self.state_hash
    }

    /// How many instances are registered.
    pub fn instance_count(&self) -> u64 {
        self.catalogue.instance_count()
    }

    /// How many applications have an instance.
    pub fn application_count(&self) -> u64 {
        self.catalogue.application_count()
    }

    /// All applications, in name order.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.catalogue.applications().values()
    }

    /// One application.
    pub fn application(&self, name: &AppName) -> Option<&Arc<Application>> {
        self.catalogue.applications().get(name)
    }

    /// One instance.
    pub fn instance(&self, app: &AppName, id: &InstanceId) -> Option<&Arc<Record>> {
        self.catalogue.instance(app, id)
    }

    /// The first instance with this id, in application order. Looks into every application.
    pub fn instance_anywhere(&self, id: &InstanceId) -> Option<&Arc<Record>> {
        self.applications()
            .find_map(|application| application.instances.get(id))
    }

    /// Instances whose comma list `vipAddress` contains exactly `vip`, untrimmed, in key order
    /// (`AbstractVIPResource.java:54`). Takes as long as what it finds.
    pub fn by_vip(&self, vip: &str) -> Vec<Arc<Record>> {
        self.catalogue.by_vip(Vip::Plain, vip)
    }

    /// The same for `secureVipAddress`.
    pub fn by_secure_vip(&self, vip: &str) -> Vec<Arc<Record>> {
        self.catalogue.by_vip(Vip::Secure, vip)
    }

    /// `apps__hashcode` of the whole registry (`Applications.java:279`).
    pub fn hash_code(&self) -> String {
        self.catalogue.hash_code()
    }

    /// The last change of each instance changed within the retention (what the classic delta
    /// shows), in log order.
    pub fn recent_changes(&self) -> impl Iterator<Item = &Arc<Change>> {
        self.history.window.values()
    }

    /// The (index, seq) of the oldest change in [`View::recent_changes`]: with `catalogue_index` a
    /// key of its content.
    pub fn recent_oldest(&self) -> Option<(u64, u32)> {
        self.history.window.get_min().map(|(position, _)| *position)
    }

    /// The smallest cursor [`View::changes_after`] accepts.
    pub fn oldest_cursor(&self) -> u64 {
        self.history.floor
    }

    /// Every single change with index > `cursor`, in log order. None for a cursor beyond
    /// [`View::index`].
    ///
    /// # Errors
    /// [`HistoryGone`] if a change after `cursor` is no longer held.
    pub fn changes_after(&self, cursor: u64) -> Result<Vec<Arc<Change>>, HistoryGone> {
        self.history.after(cursor)
    }

    /// The last 1,000 registrations, newest first: (wall_ms, app, id).
    pub fn recently_registered(&self) -> Vec<(u64, AppName, InstanceId)> {
        self.registered.newest_first()
    }

    /// The last 1,000 cancellations and evictions, newest first: (wall_ms, app, id).
    pub fn recently_cancelled(&self) -> Vec<(u64, AppName, InstanceId)> {
        self.cancelled.newest_first()
    }
}
