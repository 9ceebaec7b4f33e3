//! What must hold between any two entries.
//!
//! Owns [`Registry::assert_invariants`], which recomputes from scratch what apply keeps up to date
//! bit by bit. It may not change anything. Linear in the size of the registry: for tests, and for
//! a node that has reason to doubt itself.

use std::sync::Arc;

use super::catalogue::{Catalogue, Vip};
use super::change_log::ChangeLog;
use super::instance::InstanceStatus;
use super::recent_names::RECENT_NAMES_MAX;
use super::state::Registry;
use super::state_hash;
use super::status;

impl Registry {
    /// Checks the state against itself.
    ///
    /// # Panics
    /// With a sentence, if an invariant does not hold.
    pub fn assert_invariants(&self) {
        self.assert_catalogue();
        self.assert_leases();
        self.assert_changes();
        assert!(self.registered.len() <= RECENT_NAMES_MAX);
        assert!(self.cancelled.len() <= RECENT_NAMES_MAX);
        let restored = Self::restore(self.snapshot().records());
        let restored = restored.expect("a snapshot restores");
        assert_eq!(restored.state_hash(), self.state_hash());
    }

    fn assert_catalogue(&self) {
        let mut rebuilt = Catalogue::default();
        for (name, application) in self.catalogue.applications() {
            assert_eq!(
                *name, application.name,
                "an application sits under its name"
            );
            assert!(
                !application.instances.is_empty(),
                "empty applications disappear"
            );
            for (id, record) in &application.instances {
                assert_eq!(
                    *name, record.instance.app,
                    "an instance sits in its application"
                );
                assert_eq!(*id, record.instance.id, "an instance sits under its id");
                assert!(
                    record.index <= application.version,
                    "versions cover changes"
                );
                rebuilt.put(Arc::clone(record), state_hash::of_record(record));
            }
            rebuilt.restore_version(name, application.version);
        }
        assert_eq!(
            rebuilt.sum(),
            self.catalogue.sum(),
            "the sum is of the content"
        );
        assert_eq!(
            rebuilt.hash_code(),
            self.catalogue.hash_code(),
            "counts are of the content"
        );
        for kind in [Vip::Plain, Vip::Secure] {
            assert_eq!(
                rebuilt.indexed(kind),
                self.catalogue.indexed(kind),
                "virtual addresses lead to what is registered"
            );
        }
        assert!(
            self.catalogue.index() <= self.index,
            "no change is from the future"
        );
    }

    fn assert_leases(&self) {
        let rows = self.leases.rows();
        let mut held = 0;
        for (slot, row) in (0..).zip(rows.iter()) {
            let holder = self.leases.holder(slot);
            assert_eq!(
                row.held().is_some(),
                holder.is_some(),
                "a held row has a holder"
            );
            let Some(record) = holder else { continue };
            held += 1;
            let current = self
                .catalogue
                .instance(&record.instance.app, &record.instance.id);
            let current = current.expect("a holder is registered");
            assert!(
                Arc::ptr_eq(current, record),
                "a holder is the current record"
            );
            assert_eq!((record.slot, record.generation), (slot, row.generation));
            assert_eq!(Some(record.status), row.status, "row and record agree");
            let pinned = row.lease.pinned;
            assert_eq!(record.overridden, pinned.unwrap_or(InstanceStatus::Unknown));
            if status::takes_override(record.status) {
                assert_eq!(
                    pinned.unwrap_or(record.status),
                    record.status,
                    "the chain's word"
                );
            }
            assert!(
                row.lease.renewed.lease_ms <= self.lease_ms,
                "no renewal is from the future"
            );
            assert!(
                row.lease.renewed.wall_ms >= record.last_updated_ms,
                "time goes forward"
            );
        }
        assert_eq!(
            held,
            self.catalogue.instance_count(),
            "an instance has one lease"
        );
        self.leases.assert_findable();
    }

    fn assert_changes(&self) {
        let history = self.changes.history();
        let mut rebuilt = ChangeLog::new(history.floor);
        let mut last = None;
        for change in &history.singles {
            assert!(
                change.index > history.floor,
                "what the floor excludes is gone"
            );
            assert!(last < Some(change.position()), "singles are in log order");
            last = Some(change.position());
            rebuilt.push_single(Arc::clone(change), state_hash::of_record(&change.record));
        }
        for (position, change) in &history.window {
            assert_eq!(
                *position,
                change.position(),
                "a change sits at its position"
            );
            rebuilt.push_window(Arc::clone(change), state_hash::of_record(&change.record));
        }
        assert_eq!(
            rebuilt.history().window.len(),
            history.window.len(),
            "one change an instance"
        );
        assert_eq!(
            rebuilt.sum(),
            self.changes.sum(),
            "the sum is of the content"
        );
    }
}
