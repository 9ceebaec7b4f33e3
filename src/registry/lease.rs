//! The lease table: who holds a lease, until when, in a dense array of small rows.
//!
//! Owns slots, generations and the free list. It may not know why a lease starts or ends. A
//! renewal touches one row and nothing else, whatever the size of the registry. A row and its
//! record are written together, so that they always name each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::expiry::DueQueue;
use super::instance::{InstanceStatus, LeaseTerms, Record};
use super::lease_rows::Rows;
use super::state_hash::{self, ItemKind, StateSum};
use super::time::LogTime;

/// One instance's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// When it was last renewed; registering counts.
    pub renewed: LogTime,
    /// How long it lives and how often its holder means to renew it: the latest registration's
    /// word, even when the rest of that registration was older than ours and was dropped.
    pub terms: LeaseTerms,
    /// The operator's status override, which lives and dies with the lease. `Some(Unknown)` is an
    /// override too (`PUT status?value=UNKNOWN`).
    pub pinned: Option<InstanceStatus>,
}

impl Lease {
    /// The lease time, ms, at which it is over: `renewed_at + duration * lease.factor`.
    pub(super) fn expires_at(&self, factor_milli: u32) -> u64 {
        // Seconds times thousandths are milliseconds, and two u32 never overflow a u64.
        let life_ms = u64::from(self.terms.duration_secs) * u64::from(factor_milli);
        self.renewed.lease_ms.saturating_add(life_ms)
    }

    /// The same lease, renewed at `at`. Neither of its clocks goes back.
    pub(super) fn renewed_at(mut self, at: LogTime) -> Self {
        self.renewed.wall_ms = self.renewed.wall_ms.max(at.wall_ms);
        self.renewed.lease_ms = self.renewed.lease_ms.max(at.lease_ms);
        self
    }
}

/// A place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// A place's content: 32 bytes, because a renewal's cost is one cache line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) lease: Lease,
    pub(super) generation: u32,
    /// The record's status, here so that a renewal need not look at the record; `None`: free.
    pub(super) status: Option<InstanceStatus>,
}

impl Row {
    /// A free row that was last given away as `generation`.
    pub(super) fn free(generation: u32) -> Self {
        let terms = LeaseTerms {
            renewal_interval_secs: 0,
            duration_secs: 0,
        };
        Self {
            lease: Lease {
                renewed: LogTime::default(),
                terms,
                pinned: None,
            },
            generation,
            status: None,
        }
    }

    /// The lease in it, if there is one.
    pub(super) fn held(&self) -> Option<&Lease> {
        self.status.map(|_| &self.lease)
    }

    fn digest(&self, slot: u32) -> u128 {
        let status_byte = |status: Option<InstanceStatus>| status.map_or(u8::MAX, |s| s as u8);
        let mut bytes = [0; 35];
        bytes[0] = ItemKind::Lease as u8;
        bytes[1..5].copy_from_slice(&slot.to_le_bytes());
        bytes[5..9].copy_from_slice(&self.generation.to_le_bytes());
        bytes[9..17].copy_from_slice(&self.lease.renewed.wall_ms.to_le_bytes());
        bytes[17..25].copy_from_slice(&self.lease.renewed.lease_ms.to_le_bytes());
        bytes[25..29].copy_from_slice(&self.lease.terms.duration_secs.to_le_bytes());
        bytes[29..33].copy_from_slice(&self.lease.terms.renewal_interval_secs.to_le_bytes());
        bytes[33] = status_byte(self.status);
        bytes[34] = status_byte(self.lease.pinned);
        state_hash::of_bytes(&bytes)
    }
}

/// All leases, by slot.
#[derive(Debug, Default)]
pub(super) struct LeaseTable {
    rows: Rows,
    holders: Vec<Option<Arc<Record>>>,
    /// Taken least first, so that every node gives away the same slot.
    free: BTreeSet<u32>,
    factor_milli: u32,
    due: DueQueue,
    sum: StateSum,
}

impl LeaseTable {
    pub(super) fn new(factor_milli: u32) -> Self {
        Self {
            factor_milli,
            ..Self::default()
        }
    }

    pub(super) fn sum(&self) -> StateSum {
        self.sum
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(super) fn holder(&self, slot: u32) -> Option<&Arc<Record>> {
        self.holders.get(slot as usize)?.as_ref()
    }

    /// The lease of an instance that is registered.
    pub(super) fn of(&self, record: &Record) -> Lease {
        self.row(record.slot).lease
    }

    /// The lease in `slot`, if `generation` still holds it.
    pub(super) fn get(&self, slot: u32, generation: u32) -> Option<&Lease> {
        let row = self.rows.get(slot)?;
        row.held().filter(|_| row.generation == generation)
    }

    /// The place the next new instance gets: the least free one, else a new one at the end.
    pub(super) fn vacancy(&self) -> Place {
        let slot = self.free.first().copied().unwrap_or(self.slots());
        let generation = self.rows.get(slot).map_or(0, |row| row.generation);
        Place {
            slot,
            generation: generation.wrapping_add(1),
        }
    }

    /// Renews by place, if that generation holds it in a status other than UNKNOWN.
    pub(super) fn renew(&mut self, slot: u32, generation: u32, at: LogTime) -> bool {
        let Some(row) = self.rows.get_mut(slot) else {
            return false;
        };
        let renewable = row.status.is_some_and(|s| s != InstanceStatus::Unknown);
        if !renewable || row.generation != generation {
            return false;
        }
        self.sum.remove(row.digest(slot));
        row.lease = row.lease.renewed_at(at);
        self.sum.add(row.digest(slot));
        true
    }

    /// Gives every lease its whole duration again, counted from `lease_ms`.
    pub(super) fn renew_all(&mut self, lease_ms: u64) {
        for (slot, row) in (0..).zip(self.rows.iter_mut()) {
            if row.status.is_some() {
                self.sum.remove(row.digest(slot));
                row.lease.renewed.lease_ms = row.lease.renewed.lease_ms.max(lease_ms);
                self.sum.add(row.digest(slot));
            }
        }
    }

    /// Writes the lease of `record` into the place that `record` names.
    pub(super) fn put(&mut self, record: Arc<Record>, lease: Lease) {
        let slot = record.slot;
        let row = Row {
            lease,
            generation: record.generation,
            status: Some(record.status),
        };
        self.set_row(slot, row);
        self.free.remove(&slot);
        self.holders[slot as usize] = Some(record);
        self.due
            .note(slot, lease.expires_at(self.factor_milli) / 1_000);
    }

    /// Ends the lease in `slot`. The row keeps its generation, so that old renewals miss.
    pub(super) fn release(&mut self, slot: u32) {
        let generation = self.row(slot).generation;
        self.put_free(slot, generation);
    }

    /// Makes `slot` a free place, last given away as `generation`.
    pub(super) fn put_free(&mut self, slot: u32, generation: u32) {
        self.set_row(slot, Row::free(generation));
        self.holders[slot as usize] = None;
        self.free.insert(slot);
    }

    /// Changes `lease.factor`, which moves every expiry.
    pub(super) fn set_factor(&mut self, factor_milli: u32) {
        self.factor_milli = factor_milli;
        self.due = DueQueue::default();
        for (slot, row) in (0..).zip(self.rows.iter()) {
            if let Some(lease) = row.held() {
                self.due.note(slot, lease.expires_at(factor_milli) / 1_000);
            }
        }
    }

    /// Whether any lease is over at `lease_ms`.
    pub(super) fn any_due(&self, lease_ms: u64) -> bool {
        self.due
            .candidates(lease_ms / 1_000)
            .any(|slot| self.expires_at(slot).is_some_and(|at| at <= lease_ms))
    }

    /// Moves leases that were renewed since out of the way of later searches.
    pub(super) fn sweep(&mut self, lease_ms: u64) {
        let (rows, factor) = (&self.rows, self.factor_milli);
        self.due
            .sweep(lease_ms / 1_000, |slot| expires_at(rows, factor, slot));
    }

    /// The holders of leases that are over at `lease_ms`: at most `max`, least `(expires_at, key)` first.
    pub(super) fn due(&mut self, lease_ms: u64, max: usize) -> Vec<Arc<Record>> {
        let (rows, holders, factor) = (&self.rows, &self.holders, self.factor_milli);
        let order = |slot: &u32| {
            let holder = holders[*slot as usize].as_ref();
            let key = holder.map(|record| (&record.instance.app, &record.instance.id));
            (expires_at(rows, factor, *slot), key)
        };
        let slots = self.due.due(
            (lease_ms, max),
            |slot| expires_at(rows, factor, slot),
            |left, right| order(left).cmp(&order(right)),
        );
        let holder = |slot: u32| holders[slot as usize].clone();
        slots.into_iter().filter_map(holder).collect()
    }

    fn expires_at(&self, slot: u32) -> Option<u64> {
        expires_at(&self.rows, self.factor_milli, slot)
    }

    /// Checks that a search at the second in which a lease is over would find it.
    ///
    /// # Panics
    /// If it would not.
    pub(super) fn assert_findable(&self) {
        for (slot, row) in (0..).zip(self.rows.iter()) {
            let Some(lease) = row.held() else { continue };
            let second = lease.expires_at(self.factor_milli) / 1_000;
            assert!(
                self.due.finds(slot, second),
                "slot {slot} would be overlooked"
            );
        }
    }

    /// The row of a slot that a record names.
    fn row(&self, slot: u32) -> &Row {
        self.rows.get(slot).expect("a record's slot has a row")
    }

    fn slots(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("the instance quota keeps slots far below 2^32")
    }

    /// Puts `row` into `slot`, which is at most one beyond the end.
    fn set_row(&mut self, slot: u32, row: Row) {
        if slot == self.slots() {
            self.rows.push(row);
            self.holders.push(None);
        } else {
            let place = self
                .rows
                .get_mut(slot)
                .expect("a slot below the end has a row");
            let old = std::mem::replace(place, row);
            self.sum.remove(old.digest(slot));
        }
        self.sum.add(row.digest(slot));
    }
}

/// The lease time at which the lease in `slot` is over, if there is one.
fn expires_at(rows: &Rows, factor_milli: u32, slot: u32) -> Option<u64> {
    Some(rows.get(slot)?.held()?.expires_at(factor_milli))
}
