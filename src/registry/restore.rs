//! A registry from the records of a snapshot.
//!
//! Owns the checks: kinds in order, counts as announced, every reference good, and at the end the
//! state hash, computed anew from what arrived. It may not repair anything: a snapshot is whole or
//! it is refused.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::change_log::{Change, ChangeLog, Position};
use super::instance::Record;
use super::lease::{Lease, LeaseTable};
use super::names::AppName;
use super::recent_names::NameRing;
use super::snapshot::{ChangeRecord, Held, SnapshotHeader, SnapshotRecord};
use super::state::Registry;
use super::state_hash::{self, ItemKind};
use super::time::LogTime;

impl Registry {
    /// Rebuilds a registry from the records of a snapshot, in the order they were written.
    ///
    /// # Errors
    /// A sentence, if the records are not those of a whole snapshot or its hash differs.
    pub fn restore(records: impl IntoIterator<Item = SnapshotRecord>) -> Result<Self, String> {
        let mut records = records.into_iter();
        let Some(SnapshotRecord::Header(header)) = records.next() else {
            return Err("a snapshot starts with its header".into());
        };
        let mut restore = Restore::new(*header);
        for record in records {
            restore.take(record)?;
        }
        restore.finish()
    }
}

/// A place of the lease table on its way in: places arrive in any order.
enum Placed {
    Held(Arc<Record>, Lease),
    Free(u32),
}

/// What has arrived so far.
struct Restore {
    header: SnapshotHeader,
    catalogue: Catalogue,
    versions: Vec<(AppName, u64)>,
    places: Vec<(u32, Placed)>,
    changes: ChangeLog,
    last_change: Option<Position>,
    change_count: u64,
    registered: NameRing,
    cancelled: NameRing,
    footer: Option<u128>,
}

impl Restore {
    fn new(header: SnapshotHeader) -> Self {
        Self {
            catalogue: Catalogue::default(),
            versions: Vec::new(),
            places: Vec::new(),
            changes: ChangeLog::new(header.oldest_cursor),
            last_change: None,
            change_count: 0,
            registered: NameRing::new(ItemKind::Registered, header.registered.0),
            cancelled: NameRing::new(ItemKind::Cancelled, header.cancelled.0),
            footer: None,
            header,
        }
    }

    fn take(&mut self, record: SnapshotRecord) -> Result<(), String> {
        if self.footer.is_some() {
            return Err("a snapshot ends with its footer".into());
        }
        match record {
            SnapshotRecord::Header(_) => return Err("a snapshot has one header".into()),
            SnapshotRecord::Application { name, version } => self.versions.push((name, version)),
            SnapshotRecord::Instance { record, lease } => self.instance(*record, lease)?,
            SnapshotRecord::FreeSlot { slot, generation } => {
                self.places.push((slot, Placed::Free(generation)));
            }
            SnapshotRecord::Change {
                index,
                seq,
                at,
                held,
                record,
            } => self.change((index, seq), at, held, record)?,
            SnapshotRecord::Registered(named) => self.registered.push(named),
            SnapshotRecord::Cancelled(named) => self.cancelled.push(named),
            SnapshotRecord::Footer { state_hash } => self.footer = Some(state_hash),
        }
        Ok(())
    }

    fn instance(&mut self, record: Record, lease: Lease) -> Result<(), String> {
        let instance = &record.instance;
        if self
            .catalogue
            .instance(&instance.app, &instance.id)
            .is_some()
        {
            return Err(format!("{}/{} comes twice", instance.app, instance.id));
        }
        let slot = record.slot;
        let record = Arc::new(record);
        let digest = state_hash::of_record(&record);
        self.catalogue.put(Arc::clone(&record), digest);
        self.places.push((slot, Placed::Held(record, lease)));
        Ok(())
    }

    fn change(
        &mut self,
        position: Position,
        at: LogTime,
        held: Held,
        record: ChangeRecord,
    ) -> Result<(), String> {
        if self.last_change.is_some_and(|last| last >= position) {
            return Err(format!("change {position:?} is out of order"));
        }
        let record = self.resolve(record)?;
        let digest = state_hash::of_record(&record);
        let change = Arc::new(Change {
            index: position.0,
            seq: position.1,
            at,
            action: record.action,
            record,
        });
        if held != Held::Window {
            self.changes.push_single(Arc::clone(&change), digest);
        }
        if held != Held::Singles {
            self.changes.push_window(change, digest);
        }
        self.last_change = Some(position);
        self.change_count += 1;
        Ok(())
    }

    /// The record of a change, sharing what it can with the instance's current one.
    fn resolve(&self, record: ChangeRecord) -> Result<Arc<Record>, String> {
        match record {
            ChangeRecord::Current { app, id } => {
                let current = self.catalogue.instance(&app, &id).cloned();
                current.ok_or_else(|| format!("a change names {app}/{id}, which is not there"))
            }
            ChangeRecord::Own(mut record) => {
                let instance = &record.instance;
                if let Some(current) = self.catalogue.instance(&instance.app, &instance.id)
                    && current.instance == record.instance
                {
                    record.instance = Arc::clone(&current.instance);
                }
                Ok(Arc::from(record))
            }
        }
    }

    fn finish(mut self) -> Result<Registry, String> {
        self.check_counts()?;
        let leases = self.lease_table()?;
        for (name, version) in &self.versions {
            self.catalogue.restore_version(name, *version);
        }
        self.catalogue.restore_index(self.header.catalogue_index);
        let registry = Registry {
            index: self.header.index,
            lease_ms: self.header.lease_ms,
            settings: self.header.settings,
            catalogue: self.catalogue,
            leases,
            changes: self.changes,
            registered: self.registered,
            cancelled: self.cancelled,
        };
        let (found, announced) = (registry.state_hash(), self.header.state_hash);
        if found != announced || self.footer != Some(announced) {
            return Err(format!(
                "the content's state hash is {found:032x}, the snapshot's {announced:032x}"
            ));
        }
        Ok(registry)
    }

    fn check_counts(&self) -> Result<(), String> {
        let SnapshotHeader {
            applications,
            instances,
            free_slots,
            changes,
            registered,
            cancelled,
            ..
        } = &self.header;
        let counts = [
            ("applications", *applications, self.versions.len() as u64),
            ("instances", *instances, self.catalogue.instance_count()),
            (
                "places",
                instances.saturating_add(*free_slots),
                self.places.len() as u64,
            ),
            ("changes", *changes, self.change_count),
            (
                "registrations",
                registered.0.saturating_add(registered.1),
                self.registered.pushed(),
            ),
            (
                "cancellations",
                cancelled.0.saturating_add(cancelled.1),
                self.cancelled.pushed(),
            ),
        ];
        match counts
            .iter()
            .find(|(_, announced, found)| announced != found)
        {
            Some((what, announced, found)) => {
                Err(format!("{announced} {what} announced, {found} found"))
            }
            None if self.footer.is_none() => Err("the snapshot was cut off".into()),
            None => Ok(()),
        }
    }

    fn lease_table(&mut self) -> Result<LeaseTable, String> {
        let mut places = std::mem::take(&mut self.places);
        places.sort_unstable_by_key(|(slot, _)| *slot);
        let mut leases = LeaseTable::new(self.header.settings.lease_factor_milli);
        for (expected, (slot, placed)) in (0..).zip(places) {
            if slot != expected {
                return Err(format!("place {expected} is missing or comes twice"));
            }
            match placed {
                Placed::Held(record, lease) => leases.put(record, lease),
                Placed::Free(generation) => leases.put_free(slot, generation),
            }
        }
        Ok(leases)
    }
}
