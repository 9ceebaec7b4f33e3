//! Registrations, first and repeated, and metadata updates, which Eureka treats as one.
//!
//! Owns the dirty-timestamp rule, the quotas and what a new lease inherits
//! (`AbstractInstanceRegistry.java:193`). It may not look at whether a lease is over: an instance is
//! registered until the entry that evicts it.

use std::sync::Arc;

use super::apply::Step;
use super::command::{Origin, Outcome, Registration};
use super::instance::{
    ActionType, Instance, InstanceStatus, LeaseTerms, METADATA_BYTES_MAX, METADATA_ENTRIES_MAX,
    Record,
};
use super::lease::{Lease, Place};
use super::names::{AppName, InstanceId};
use super::recent_names::Named;
use super::state::Registry;
use super::status;
use super::time::LogTime;

/// What an instance says of itself that counts: its new word, or the one it is held by.
struct Word {
    instance: Arc<Instance>,
    status: InstanceStatus,
    overridden: InstanceStatus,
    last_dirty_ms: u64,
}

impl Word {
    /// The word of a registration body; `now_ms` stands in for a timestamp it lacks.
    fn of(instance: Instance, now_ms: u64) -> Self {
        Self {
            status: instance.status,
            overridden: instance.overridden,
            last_dirty_ms: instance.last_dirty_ms.unwrap_or(now_ms),
            instance: Arc::new(instance),
        }
    }

    /// What is held, as if it had just been said again.
    fn held(current: &Record) -> Self {
        Self {
            instance: Arc::clone(&current.instance),
            status: current.status,
            overridden: current.overridden,
            last_dirty_ms: current.last_dirty_ms,
        }
    }
}

/// Where and how an instance is to be held.
struct Standing {
    place: Place,
    terms: LeaseTerms,
    now: LogTime,
    pinned: Option<InstanceStatus>,
    origin: Origin,
}

impl Registry {
    /// Registers. An instance that is held with a newer timestamp stays as it is and yet gets a
    /// new lease; the answer is the same.
    pub(super) fn register(&mut self, step: &mut Step, registration: Registration) -> Outcome {
        let Registration { instance, origin } = registration;
        match self.catalogue.instance(&instance.app, &instance.id) {
            Some(current) => {
                let current = Arc::clone(current);
                self.register_again(step, &current, instance, origin);
                Outcome::Done
            }
            None => self.register_first(step, instance, origin),
        }
    }

    /// `InstanceResource.java:230`: the entries are merged and what is held is registered again, in
    /// its place in the lease table and without a newer timestamp.
    pub(super) fn put_metadata(
        &mut self,
        step: &mut Step,
        (app, id): (&AppName, &InstanceId),
        entries: &[(Box<str>, Box<str>)],
    ) -> Outcome {
        let Some(current) = self.catalogue.instance(app, id).cloned() else {
            return Outcome::NotFound;
        };
        let mut word = Word::held(&current);
        let metadata = &mut Arc::make_mut(&mut word.instance).metadata;
        merge(metadata, entries);
        if !fits(metadata) {
            return Outcome::QuotaExceeded;
        }
        let lease = self.leases.of(&current).renewed_at(step.at);
        let standing = Standing {
            place: current.place(),
            terms: lease.terms,
            now: lease.renewed,
            pinned: lease.pinned,
            origin: Origin::Client,
        };
        self.admit(step, Some(&current), word, &standing);
        Outcome::Done
    }

    fn register_first(
        &mut self,
        step: &mut Step,
        mut instance: Instance,
        origin: Origin,
    ) -> Outcome {
        if !self.has_room_for(&instance.app) {
            return Outcome::QuotaExceeded;
        }
        if let Some(application) = self.catalogue.applications().get(&instance.app) {
            // A thousand instances share one name's allocation.
            instance.app = application.name.clone();
        }
        let standing = Standing {
            place: self.leases.vacancy(),
            terms: instance.lease,
            now: step.at,
            pinned: None,
            origin,
        };
        let word = Word::of(instance, step.at.wall_ms);
        self.admit(step, None, word, &standing);
        Outcome::Done
    }

    fn register_again(
        &mut self,
        step: &mut Step,
        current: &Record,
        mut instance: Instance,
        origin: Origin,
    ) {
        let lease = self.leases.of(current).renewed_at(step.at);
        let mut place = current.place();
        // A short renewal on its way meant the registration before: it must miss and go by name.
        place.generation = place.generation.wrapping_add(1);
        let standing = Standing {
            place,
            terms: instance.lease,
            now: lease.renewed,
            pinned: lease.pinned,
            origin,
        };
        let now_ms = lease.renewed.wall_ms;
        let word = if current.last_dirty_ms > instance.last_dirty_ms.unwrap_or(now_ms) {
            Word::held(current)
        } else {
            instance.app = current.instance.app.clone();
            instance.id = current.instance.id.clone();
            Word::of(instance, now_ms)
        };
        self.admit(step, Some(current), word, &standing);
    }

    /// Gives `word` a fresh lease and shows it as ADDED.
    fn admit(
        &mut self,
        step: &mut Step,
        current: Option<&Record>,
        word: Word,
        standing: &Standing,
    ) {
        // An override in the document counts only where there is none yet.
        let told = Some(word.overridden).filter(|s| *s != InstanceStatus::Unknown);
        let pinned = standing.pinned.or(told);
        let before = current.map(|record| record.status);
        let status = status::shown(word.status, pinned, before, standing.origin);
        let now_ms = standing.now.wall_ms;
        let service_up_ms = match current.map_or(0, |record| record.service_up_ms) {
            0 if status == InstanceStatus::Up => now_ms,
            inherited => inherited,
        };
        self.registered.push(Named {
            wall_ms: now_ms,
            app: word.instance.app.clone(),
            id: word.instance.id.clone(),
        });
        let record = Record {
            instance: word.instance,
            status,
            overridden: pinned.unwrap_or(InstanceStatus::Unknown),
            action: ActionType::Added,
            last_dirty_ms: word.last_dirty_ms,
            last_updated_ms: now_ms,
            registered_ms: now_ms,
            renewed_ms: now_ms,
            service_up_ms,
            evicted_ms: 0,
            slot: standing.place.slot,
            generation: standing.place.generation,
            index: step.index,
        };
        let lease = Lease {
            renewed: standing.now,
            terms: standing.terms,
            pinned,
        };
        self.publish(step, record, lease);
    }

    /// Whether the quotas admit one more instance, of `app`.
    fn has_room_for(&self, app: &AppName) -> bool {
        let is_known = self.catalogue.applications().contains_key(app);
        let has_room = self.catalogue.application_count() < self.settings.applications_max;
        (is_known || has_room) && self.catalogue.instance_count() < self.settings.instances_max
    }
}

impl Record {
    fn place(&self) -> Place {
        Place {
            slot: self.slot,
            generation: self.generation,
        }
    }
}

/// One document's bounds hold for what many updates add up to: a record has to fit a snapshot's.
fn fits(metadata: &[(Box<str>, Box<str>)]) -> bool {
    let bytes: usize = metadata
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    metadata.len() <= METADATA_ENTRIES_MAX && bytes <= METADATA_BYTES_MAX
}

/// Replaces the values of known keys and appends the others.
fn merge(metadata: &mut Vec<(Box<str>, Box<str>)>, entries: &[(Box<str>, Box<str>)]) {
    for (key, value) in entries {
        match metadata.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => known.clone_from(value),
            None => metadata.push((key.clone(), value.clone())),
        }
    }
    metadata.shrink_to_fit();
}
