//! Applications and their instances, as readers see them.
//!
//! Owns the persistent map from application to instances, and the counts and indexes kept beside it.
//! It may not know why a record changed. An application without instances is not in it, and counts
//! and indexes always are those of the records it holds.

use std::sync::Arc;

use imbl::OrdMap;

use super::instance::{InstanceStatus, Record};
use super::names::{AppName, InstanceId};
use super::state_hash::{self, StateSum};
use super::vip_index::{ListOf, VipIndex, lists};

/// One application and its instances. Immutable; a change makes a new one.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its name.
    pub name: AppName,
    /// The log index of its last catalogue change: two applications of one name and version are equal.
    pub version: u64,
    /// Its instances, by id. Never empty.
    pub instances: OrdMap<InstanceId, Arc<Record>>,
}

/// All applications. A clone shares everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    applications: OrdMap<AppName, Arc<Application>>,
    by_status: [u64; InstanceStatus::ALPHABETIC.len()],
    vips: VipIndex,
    secure_vips: VipIndex,
    index: u64,
    sum: StateSum,
}

/// Which of an instance's virtual addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vip {
    /// `vipAddress`.
    Plain,
    /// `secureVipAddress`.
    Secure,
}

impl Vip {
    /// The comma list of a record.
    fn list(self) -> ListOf {
        match self {
            Self::Plain => |record| record.instance.vip_address.as_deref(),
            Self::Secure => |record| record.instance.secure_vip_address.as_deref(),
        }
    }
}

impl Catalogue {
    /// The log index of the last change.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    pub(super) fn sum(&self) -> StateSum {
        self.sum
    }

    pub(super) fn applications(&self) -> &OrdMap<AppName, Arc<Application>> {
        &self.applications
    }

    pub(super) fn instance(&self, app: &AppName, id: &InstanceId) -> Option<&Arc<Record>> {
        self.applications.get(app)?.instances.get(id)
    }

    /// The instances whose list of that kind has the member `address`, in key order.
    pub(super) fn by_vip(&self, kind: Vip, address: &str) -> Vec<Arc<Record>> {
        let candidates = self.indexed(kind).candidates(address);
        candidates
            .filter_map(|(app, id)| self.instance(app, id))
            .filter(|record| lists((kind.list())(record), address))
            .cloned()
            .collect()
    }

    /// The index of that kind.
    pub(super) fn indexed(&self, kind: Vip) -> &VipIndex {
        match kind {
            Vip::Plain => &self.vips,
            Vip::Secure => &self.secure_vips,
        }
    }

    pub(super) fn instance_count(&self) -> u64 {
        self.by_status.iter().sum()
    }

    pub(super) fn application_count(&self) -> u64 {
        self.applications.len() as u64
    }

    /// `Applications.java:279`: `NAME_count_` for each status held, by alphabetic name.
    pub(super) fn hash_code(&self) -> String {
        InstanceStatus::ALPHABETIC
            .into_iter()
            .map(|status| (status, self.by_status[status as usize]))
            .filter(|(_, count)| *count > 0)
            .map(|(status, count)| format!("{}_{count}_", status.as_str()))
            .collect()
    }

    /// Adds `record`, whose digest this is, or puts it in the place of its instance's last one.
    pub(super) fn put(&mut self, record: Arc<Record>, digest: u128) {
        self.index = record.index;
        self.sum.add(digest);
        self.by_status[record.status as usize] += 1;
        let name = &record.instance.app;
        let id = record.instance.id.clone();
        if let Some(application) = self.applications.get_mut(name) {
            let application = Arc::make_mut(application);
            set_version(application, record.index, &mut self.sum);
            let old = application.instances.insert(id, Arc::clone(&record));
            if let Some(old) = &old {
                self.forget(old);
            }
            self.reindex(old.as_deref(), Some(&record));
        } else {
            self.reindex(None, Some(&record));
            let name = name.clone();
            self.sum
                .add(state_hash::of_application(&name, record.index));
            let application = Application {
                name: name.clone(),
                version: record.index,
                instances: OrdMap::unit(id, record),
            };
            self.applications.insert(name, Arc::new(application));
        }
    }

    /// Takes out the current record of the instance that `last` describes, at `last`'s index.
    pub(super) fn remove(&mut self, last: &Record) {
        let name = &last.instance.app;
        self.index = last.index;
        let application = self
            .applications
            .get_mut(name)
            .expect("a removed instance is registered");
        let application = Arc::make_mut(application);
        let old = application
            .instances
            .remove(&last.instance.id)
            .expect("a removed instance is registered");
        set_version(application, last.index, &mut self.sum);
        if application.instances.is_empty() {
            self.sum
                .remove(state_hash::of_application(name, last.index));
            self.applications.remove(name);
        }
        self.forget(&old);
        self.reindex(Some(&old), None);
    }

    /// Puts an application's version back, when a snapshot is restored.
    pub(super) fn restore_version(&mut self, name: &AppName, version: u64) {
        if let Some(application) = self.applications.get_mut(name) {
            set_version(Arc::make_mut(application), version, &mut self.sum);
        }
    }

    /// Puts the index of the last change back, when a snapshot is restored.
    pub(super) fn restore_index(&mut self, index: u64) {
        self.index = index;
    }

    /// Puts `new` in the place of `old` in both indexes.
    fn reindex(&mut self, old: Option<&Record>, new: Option<&Record>) {
        self.vips.replace(old, new, Vip::Plain.list());
        self.secure_vips.replace(old, new, Vip::Secure.list());
    }

    /// Takes a record that is no longer held out of the counts.
    fn forget(&mut self, old: &Record) {
        self.sum.remove(state_hash::of_record(old));
        self.by_status[old.status as usize] -= 1;
    }
}

/// Gives `application` a version, and the sum its new digest.
fn set_version(application: &mut Application, version: u64, sum: &mut StateSum) {
    sum.remove(state_hash::of_application(
        &application.name,
        application.version,
    ));
    application.version = version;
    sum.add(state_hash::of_application(&application.name, version));
}
