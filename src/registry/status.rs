//! Which status an instance is shown in, and the operator's override.
//!
//! Owns the rule chain (`PeerAwareInstanceRegistryImpl.java:141`) and the two override commands.
//! It may not look at a lease's time. After every command a record's status is what the chain
//! makes of it, so a renewal never has to change a record.

use std::sync::Arc;

use super::apply::Step;
use super::command::{Origin, Outcome};
use super::instance::{ActionType, InstanceStatus, Record};
use super::lease::Lease;
use super::names::{AppName, InstanceId};
use super::state::Registry;

/// What a client asked of an instance's status.
pub(super) struct StatusOrder<'a> {
    pub(super) app: &'a AppName,
    pub(super) id: &'a InstanceId,
    pub(super) status: InstanceStatus,
    pub(super) last_dirty_ms: Option<u64>,
}

/// The status chain: what a registration in `told` is shown as.
///
/// 1 the client's word is final unless it is UP or OUT_OF_SERVICE, 2 an override, 3 for clients
/// the status it had if that was UP or OUT_OF_SERVICE, 4 the client's word.
pub(super) fn shown(
    told: InstanceStatus,
    pinned: Option<InstanceStatus>,
    before: Option<InstanceStatus>,
    origin: Origin,
) -> InstanceStatus {
    if !takes_override(told) {
        return told;
    }
    if let Some(pinned) = pinned {
        return pinned;
    }
    let kept = before.filter(|before| origin == Origin::Client && takes_override(*before));
    kept.unwrap_or(told)
}

/// UP and OUT_OF_SERVICE give way to an override; any other status is the client's own.
pub(super) fn takes_override(status: InstanceStatus) -> bool {
    matches!(status, InstanceStatus::Up | InstanceStatus::OutOfService)
}

impl Registry {
    /// `AbstractInstanceRegistry.java:462`: renews; a status other than the current one becomes
    /// the override and is shown. The current one is not recorded as an override.
    pub(super) fn put_status(&mut self, step: &mut Step, order: &StatusOrder<'_>) -> Outcome {
        let Some((current, lease)) = self.renewed(step, order.app, order.id) else {
            return Outcome::NotFound;
        };
        if current.status == order.status {
            return Outcome::Done;
        }
        let now_ms = lease.renewed.wall_ms;
        let first_up = order.status == InstanceStatus::Up && current.service_up_ms == 0;
        let record = Record {
            overridden: order.status,
            service_up_ms: if first_up {
                now_ms
            } else {
                current.service_up_ms
            },
            ..modified(step, &current, order, now_ms)
        };
        let pinned = Some(order.status);
        self.publish(step, record, Lease { pinned, ..lease });
        Outcome::Done
    }

    /// `AbstractInstanceRegistry.java:527`: renews; an override goes and the ordered status is
    /// shown. Without an override nothing else happens.
    pub(super) fn delete_status(&mut self, step: &mut Step, order: &StatusOrder<'_>) -> Outcome {
        let Some((current, lease)) = self.renewed(step, order.app, order.id) else {
            return Outcome::NotFound;
        };
        if lease.pinned.is_none() {
            return Outcome::Done;
        }
        let now_ms = lease.renewed.wall_ms;
        let record = Record {
            overridden: InstanceStatus::Unknown,
            ..modified(step, &current, order, now_ms)
        };
        let pinned = None;
        self.publish(step, record, Lease { pinned, ..lease });
        Outcome::Done
    }

    /// Renews an instance in whatever status it is; its record and its lease as it is now.
    pub(super) fn renewed(
        &mut self,
        step: &Step,
        app: &AppName,
        id: &InstanceId,
    ) -> Option<(Arc<Record>, Lease)> {
        let current = Arc::clone(self.catalogue.instance(app, id)?);
        let lease = self.leases.of(&current).renewed_at(step.at);
        self.leases.put(Arc::clone(&current), lease);
        Some((current, lease))
    }
}

/// `current` in the ordered status, as a change at this step.
fn modified(step: &Step, current: &Record, order: &StatusOrder<'_>, now_ms: u64) -> Record {
    let told_dirty_ms = order.last_dirty_ms.unwrap_or_default();
    Record {
        status: order.status,
        action: ActionType::Modified,
        last_dirty_ms: current.last_dirty_ms.max(told_dirty_ms),
        last_updated_ms: now_ms,
        renewed_ms: now_ms,
        index: step.index,
        ..current.clone()
    }
}
