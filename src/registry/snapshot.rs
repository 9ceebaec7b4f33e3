//! The whole state as plain data.
//!
//! Owns [`SnapshotRecord`], what a snapshot file is a list of, and [`SnapshotData`], which makes
//! that list from a state that moves on meanwhile. It may not know where records are written. The
//! list is a function of the state alone: equal states give equal lists. Stored: variants are only
//! ever appended (`codec::FORMATS`).

use std::iter;

use serde::{Deserialize, Serialize};

use super::change_log::Change;
use super::instance::Record;
use super::lease::{Lease, Row};
use super::lease_rows::Rows;
use super::names::{AppName, InstanceId};
use super::query::View;
use super::recent_names::Named;
use super::settings::Settings;
use super::state::Registry;
use super::time::LogTime;

/// The first record: every scalar of the state, and how many records of each kind follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// The applied index.
    pub index: u64,
    /// The lease clock, ms.
    pub lease_ms: u64,
    /// The log index of the last catalogue change.
    pub catalogue_index: u64,
    /// The smallest cursor accepted.
    pub oldest_cursor: u64,
    /// The replicated settings.
    pub settings: Settings,
    /// How many applications.
    pub applications: u64,
    /// How many instances, each with its lease.
    pub instances: u64,
    /// How many free places in the lease table.
    pub free_slots: u64,
    /// How many changes: single ones, of the window, or both.
    pub changes: u64,
    /// How many names were registered before those that follow, and how many follow.
    pub registered: (u64, u64),
    /// The same for cancellations and evictions.
    pub cancelled: (u64, u64),
    /// The state hash.
    pub state_hash: u128,
}

/// Which part of the change log holds a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// Only the single changes.
    Singles,
    /// Only the window of the classic delta.
    Window,
    /// Both.
    Both,
}

/// The record of a change: not written twice if the instance still is as that change left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeRecord {
    /// The instance's current record.
    Current {
        /// The application.
        app: AppName,
        /// The instance.
        id: InstanceId,
    },
    /// Another.
    Own(Box<Record>),
}

/// One record of a snapshot: plain data, in the order of these variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotRecord {
    /// The first record.
    Header(Box<SnapshotHeader>),
    /// An application, in name order, before its instances.
    Application {
        /// Its name.
        name: AppName,
        /// The log index of its last change.
        version: u64,
    },
    /// An instance, in id order, with its lease.
    Instance {
        /// The instance.
        record: Box<Record>,
        /// Its lease, whose place is in `record`.
        lease: Lease,
    },
    /// A free place of the lease table, in slot order.
    FreeSlot {
        /// The place.
        slot: u32,
        /// The generation it was last given away as.
        generation: u32,
    },
    /// A change, in log order.
    Change {
        /// The log index of its entry.
        index: u64,
        /// Its place in the entry.
        seq: u32,
        /// When.
        at: LogTime,
        /// Where it is held.
        held: Held,
        /// The instance after it.
        record: ChangeRecord,
    },
    /// A recent registration, oldest first.
    Registered(Named),
    /// A recent cancellation or eviction, oldest first.
    Cancelled(Named),
    /// The last record.
    Footer {
        /// The state hash, as in the header: a list that was cut off has none.
        state_hash: u128,
    },
}

/// A point-in-time view that can be written out while the registry moves on.
#[derive(Debug)]
pub struct SnapshotData {
    view: View,
    rows: Rows,
}

impl Registry {
    /// Everything, as plain data. Cheap to take, whatever the size: everything is shared.
    pub fn snapshot(&self) -> SnapshotData {
        SnapshotData {
            view: self.view(),
            rows: self.leases.rows().clone(),
        }
    }
}

impl SnapshotData {
    /// The applied index it reflects.
    pub fn index(&self) -> u64 {
        self.view.index
    }

    /// Its state hash.
    pub fn state_hash(&self) -> u128 {
        self.view.state_hash
    }

    /// The records to write, in order, each well under 64 KiB plus one instance.
    pub fn records(&self) -> impl Iterator<Item = SnapshotRecord> + Send + '_ {
        let view = &self.view;
        let registered = view.registered.oldest_first();
        let cancelled = view.cancelled.oldest_first();
        iter::once(SnapshotRecord::Header(Box::new(self.header())))
            .chain(self.instances())
            .chain(self.free_slots())
            .chain(self.changes())
            .chain(registered.map(|named| SnapshotRecord::Registered(Named::clone(named))))
            .chain(cancelled.map(|named| SnapshotRecord::Cancelled(Named::clone(named))))
            .chain(iter::once(SnapshotRecord::Footer {
                state_hash: view.state_hash,
            }))
    }

    fn header(&self) -> SnapshotHeader {
        let view = &self.view;
        let counted = |pushed: u64, held: usize| (pushed - held as u64, held as u64);
        SnapshotHeader {
            index: view.index,
            lease_ms: view.lease_ms,
            catalogue_index: view.catalogue_index(),
            oldest_cursor: view.oldest_cursor(),
            settings: view.settings.clone(),
            applications: view.application_count(),
            instances: view.instance_count(),
            free_slots: self.rows.len() as u64 - view.instance_count(),
            changes: self.merged_changes().count() as u64,
            registered: counted(view.registered.pushed(), view.registered.len()),
            cancelled: counted(view.cancelled.pushed(), view.cancelled.len()),
            state_hash: view.state_hash,
        }
    }

    fn instances(&self) -> impl Iterator<Item = SnapshotRecord> + Send + '_ {
        self.view.applications().flat_map(|application| {
            let name = application.name.clone();
            let version = application.version;
            let instances = application
                .instances
                .values()
                .map(|record| SnapshotRecord::Instance {
                    record: Box::new(Record::clone(record)),
                    lease: self.row(record.slot).lease,
                });
            iter::once(SnapshotRecord::Application { name, version }).chain(instances)
        })
    }

    fn row(&self, slot: u32) -> &Row {
        self.rows.get(slot).expect("a record's slot has a row")
    }

    fn free_slots(&self) -> impl Iterator<Item = SnapshotRecord> + Send + '_ {
        let free = (0..)
            .zip(self.rows.iter())
            .filter(|(_, row)| row.held().is_none());
        free.map(|(slot, row)| SnapshotRecord::FreeSlot {
            slot,
            generation: row.generation,
        })
    }

    fn changes(&self) -> impl Iterator<Item = SnapshotRecord> + Send + '_ {
        self.merged_changes()
            .map(|(change, held)| SnapshotRecord::Change {
                index: change.index,
                seq: change.seq,
                at: change.at,
                held,
                record: self.record_of(change),
            })
    }

    fn record_of(&self, change: &Change) -> ChangeRecord {
        let instance = &change.record.instance;
        let current = self.view.instance(&instance.app, &instance.id);
        if current == Some(&change.record) {
            ChangeRecord::Current {
                app: instance.app.clone(),
                id: instance.id.clone(),
            }
        } else {
            ChangeRecord::Own(Box::new(Record::clone(&change.record)))
        }
    }

    /// The changes of both parts of the change log, in log order, each once.
    fn merged_changes(&self) -> impl Iterator<Item = (&Change, Held)> + Send {
        let history = &self.view.history;
        let mut singles = history.singles.iter().peekable();
        let mut window = history.window.values().peekable();
        iter::from_fn(move || {
            let single = singles.peek().map(|change| change.position());
            let windowed = window.peek().map(|change| change.position());
            match (single, windowed) {
                (Some(single), Some(windowed)) if single == windowed => {
                    window.next();
                    singles.next().map(|change| (&**change, Held::Both))
                }
                (Some(single), windowed) if windowed.is_none_or(|windowed| single < windowed) => {
                    singles.next().map(|change| (&**change, Held::Singles))
                }
                _ => window.next().map(|change| (&**change, Held::Window)),
            }
        })
    }
}
