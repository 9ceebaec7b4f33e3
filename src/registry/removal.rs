//! How an instance leaves: by its own cancel, or by an eviction pulse.
//!
//! Owns both ways out and the cap on a pulse. It may not let anybody go whose lease is not over
//! at the pulse's own entry: a renewal ahead of it in the log has won.

use std::sync::Arc;

use super::apply::Step;
use super::command::Outcome;
use super::instance::{ActionType, Record};
use super::names::{AppName, InstanceId};
use super::recent_names::Named;
use super::state::Registry;
use super::state_hash;

/// The most leases one pulse ends, whatever it asks for.
pub const EVICTIONS_MAX: u32 = 1_000;

impl Registry {
    /// Removes an instance, its lease and its override.
    pub(super) fn cancel(&mut self, step: &mut Step, app: &AppName, id: &InstanceId) -> Outcome {
        let Some(current) = self.catalogue.instance(app, id).cloned() else {
            return Outcome::NotFound;
        };
        self.retire(step, &current);
        Outcome::Done
    }

    /// Ends the leases that are over, unless self-preservation is active.
    pub(super) fn evict(&mut self, step: &mut Step, max: u32) -> Outcome {
        let now_ms = step.at.lease_ms;
        if !self.leases.any_due(now_ms) || self.protection(now_ms).active {
            return Outcome::Evicted(0);
        }
        let due = self.leases.due(now_ms, max.min(EVICTIONS_MAX) as usize);
        for record in &due {
            self.retire(step, record);
        }
        let evicted = u32::try_from(due.len()).expect("a pulse ends at most EVICTIONS_MAX");
        Outcome::Evicted(evicted)
    }

    /// Takes an instance out and notes it as DELETED.
    fn retire(&mut self, step: &mut Step, current: &Record) {
        let renewed_ms = self.leases.of(current).renewed.wall_ms;
        let now_ms = step.at.wall_ms.max(renewed_ms);
        let last = Record {
            action: ActionType::Deleted,
            last_updated_ms: now_ms,
            renewed_ms,
            evicted_ms: now_ms,
            index: step.index,
            ..current.clone()
        };
        self.cancelled.push(Named {
            wall_ms: now_ms,
            app: last.instance.app.clone(),
            id: last.instance.id.clone(),
        });
        self.leases.release(last.slot);
        self.catalogue.remove(&last);
        let digest = state_hash::of_record(&last);
        self.changes.push(step.change(Arc::new(last)), digest);
    }
}
