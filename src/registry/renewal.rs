//! Renewals: by place in the lease table, and by name.
//!
//! Owns what a heartbeat does and when it is answered 404 (P10). It may not change a record,
//! except to store a peer's override.

use super::apply::Step;
use super::command::{Origin, Outcome};
use super::instance::{ActionType, InstanceStatus, Record};
use super::lease::Lease;
use super::names::{AppName, InstanceId};
use super::state::Registry;
use super::status;

/// A heartbeat, decided by name.
pub(super) struct NamedRenewal<'a> {
    pub(super) app: &'a AppName,
    pub(super) id: &'a InstanceId,
    pub(super) last_dirty_ms: Option<u64>,
    pub(super) origin: Origin,
    pub(super) overridden: Option<InstanceStatus>,
}

impl Registry {
    /// Renews by place. A miss says nothing about the instance: it is proposed again by name.
    pub(super) fn renew(&mut self, step: &Step, slot: u32, generation: u32) -> Outcome {
        if self.leases.renew(slot, generation, step.at) {
            Outcome::Done
        } else {
            Outcome::SlotMiss
        }
    }

    /// `InstanceResource.java:104`: renews, and only then compares timestamps; so an instance whose
    /// client holds a newer one is renewed and yet answered 404, and registers again in peace.
    pub(super) fn renew_by_name(&mut self, step: &mut Step, renewal: &NamedRenewal<'_>) -> Outcome {
        let current = self.catalogue.instance(renewal.app, renewal.id);
        if current.is_none_or(|record| record.status == InstanceStatus::Unknown) {
            return Outcome::NotFound;
        }
        let Some((current, lease)) = self.renewed(step, renewal.app, renewal.id) else {
            return Outcome::NotFound;
        };
        let told_dirty_ms = renewal.last_dirty_ms.unwrap_or(current.last_dirty_ms);
        if told_dirty_ms > current.last_dirty_ms {
            self.adopt_override(step, renewal, &current, lease);
            return Outcome::NotFound;
        }
        if told_dirty_ms < current.last_dirty_ms && renewal.origin == Origin::Replication {
            return Outcome::Conflict;
        }
        Outcome::Done
    }

    /// `storeOverriddenStatusIfRequired`: a peer that knows more also knows the override. Netflix
    /// shows it at the next heartbeat, unseen by deltas; here it shows at once, as a change.
    fn adopt_override(
        &mut self,
        step: &mut Step,
        renewal: &NamedRenewal<'_>,
        current: &Record,
        lease: Lease,
    ) {
        let told = renewal.overridden.filter(|s| *s != InstanceStatus::Unknown);
        let Some(pinned) = told.filter(|_| renewal.origin == Origin::Replication) else {
            return;
        };
        if lease.pinned == Some(pinned) {
            return;
        }
        let now_ms = lease.renewed.wall_ms;
        let before = Some(current.status);
        let record = Record {
            status: status::shown(current.status, Some(pinned), before, renewal.origin),
            overridden: pinned,
            action: ActionType::Modified,
            last_updated_ms: now_ms,
            renewed_ms: now_ms,
            index: step.index,
            ..current.clone()
        };
        let pinned = Some(pinned);
        self.publish(step, record, Lease { pinned, ..lease });
    }
}
