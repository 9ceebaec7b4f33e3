//! A naive registry: plain maps, nothing kept up to date, everything looked up again each time.
//!
//! Owns the second opinion the core is compared with. It may not share a rule with the core,
//! only its types.

use std::collections::BTreeMap;
use std::sync::Arc;

use eureka_raft::registry::{
    ActionType, AppName, Change, Command, Entry, Instance, InstanceId, InstanceStatus, LeaseTerms,
    LogTime, Origin, Outcome, Record, Registration, Settings,
};

type Key = (AppName, InstanceId);

/// An instance as the model holds it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) record: Record,
    pub(crate) renewed: LogTime,
    terms: LeaseTerms,
    overridden: Option<InstanceStatus>,
}

/// The naive registry.
#[derive(Debug, Default)]
pub(crate) struct Model {
    index: u64,
    pub(crate) lease_ms: u64,
    settings: Settings,
    pub(crate) held: BTreeMap<Key, Held>,
    /// How often each slot was given away.
    generations: BTreeMap<u32, u32>,
    /// Every change ever.
    all: Vec<Change>,
    pub(crate) floor: u64,
    pub(crate) window: Vec<Change>,
    pub(crate) registered: Vec<(u64, AppName, InstanceId)>,
    pub(crate) cancelled: Vec<(u64, AppName, InstanceId)>,
    wall_ms: u64,
    next_seq: u32,
}

impl Model {
    pub(crate) fn apply(&mut self, index: u64, entry: &Entry) -> Vec<Outcome> {
        self.index = index;
        self.lease_ms = self.lease_ms.max(entry.at.lease_ms);
        self.wall_ms = entry.at.wall_ms;
        self.next_seq = 0;
        let mut outcomes = Vec::new();
        for (position, command) in entry.commands.iter().enumerate() {
            self.next_seq = self.next_seq.max(position as u32);
            outcomes.push(self.execute(command));
        }
        while self.singles().len() as u64 > self.settings.delta_retention_changes {
            self.floor = self.singles()[0].index;
        }
        let (now, retention) = (self.lease_ms, self.settings.delta_retention_ms);
        self.window
            .retain(|change| change.at.lease_ms + retention > now);
        outcomes
    }

    /// The single changes a cursor may still ask for.
    pub(crate) fn singles(&self) -> Vec<Change> {
        let all = self.all.iter();
        all.filter(|change| change.index > self.floor)
            .cloned()
            .collect()
    }

    pub(crate) fn silent(&self, now: u64) -> u64 {
        let is_silent = |held: &&Held| {
            let interval_ms = u64::from(held.terms.renewal_interval_secs) * 1_000;
            now.saturating_sub(held.renewed.lease_ms) * 2 > interval_ms * 3
        };
        self.held.values().filter(is_silent).count() as u64
    }

    fn execute(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Register(registration) => self.register(registration),
            Command::Renew { slot, generation } => self.renew_by_place(*slot, *generation),
            Command::RenewByName {
                app,
                id,
                last_dirty_ms,
                origin,
                overridden,
            } => {
                let key = (app.clone(), id.clone());
                self.renew(&key, *last_dirty_ms, *origin, *overridden)
            }
            Command::Cancel { app, id } => match self.held.remove(&(app.clone(), id.clone())) {
                Some(held) => self.gone(held),
                None => Outcome::NotFound,
            },
            Command::PutStatus {
                app,
                id,
                status,
                last_dirty_ms,
            } => {
                let Some(mut held) = self.renewed(&(app.clone(), id.clone())) else {
                    return Outcome::NotFound;
                };
                if held.record.status != *status {
                    held.overridden = Some(*status);
                    if *status == InstanceStatus::Up && held.record.service_up_ms == 0 {
                        held.record.service_up_ms = held.renewed.wall_ms;
                    }
                    self.modified(held, *status, *last_dirty_ms);
                }
                Outcome::Done
            }
            Command::DeleteStatus {
                app,
                id,
                status,
                last_dirty_ms,
            } => {
                let Some(mut held) = self.renewed(&(app.clone(), id.clone())) else {
                    return Outcome::NotFound;
                };
                if held.overridden.take().is_some() {
                    self.modified(held, *status, *last_dirty_ms);
                }
                Outcome::Done
            }
            Command::PutMetadata { app, id, entries } => {
                self.put_metadata(&(app.clone(), id.clone()), entries)
            }
            Command::Evict { max } => self.evict(*max),
            Command::Settings(settings) => {
                self.settings = settings.clone();
                Outcome::Done
            }
        }
    }

    fn renew_by_place(&mut self, slot: u32, generation: u32) -> Outcome {
        let is_meant =
            |held: &&mut Held| (held.record.slot, held.record.generation) == (slot, generation);
        match self.held.values_mut().find(is_meant) {
            Some(held) if held.record.status != InstanceStatus::Unknown => {
                held.touch(self.wall_ms, self.lease_ms);
                Outcome::Done
            }
            _ => Outcome::SlotMiss,
        }
    }

    fn put_metadata(&mut self, key: &Key, entries: &[(Box<str>, Box<str>)]) -> Outcome {
        let Some(mut held) = self.renewed(key) else {
            return Outcome::NotFound;
        };
        let mut changed = Instance::clone(&held.record.instance);
        for (key, value) in entries {
            match changed.metadata.iter().position(|(known, _)| known == key) {
                Some(place) => changed.metadata[place].1 = value.clone(),
                None => changed.metadata.push((key.clone(), value.clone())),
            }
        }
        held.record.instance = Arc::new(changed);
        self.added(held);
        Outcome::Done
    }

    fn register(&mut self, Registration { instance, origin }: &Registration) -> Outcome {
        let key = (instance.app.clone(), instance.id.clone());
        let Some(mut held) = self.held.get(&key).cloned() else {
            return self.register_first(instance);
        };
        held.touch(self.wall_ms, self.lease_ms);
        let now = held.renewed.wall_ms;
        held.record.generation += 1;
        self.generations
            .insert(held.record.slot, held.record.generation);
        held.terms = instance.lease;
        let before = held.record.status;
        let sent = instance.last_dirty_ms.unwrap_or(now);
        if held.record.last_dirty_ms <= sent {
            held.record.instance = Arc::new(instance.clone());
            held.record.last_dirty_ms = sent;
            held.record.status = instance.status;
            if held.overridden.is_none() && instance.overridden != InstanceStatus::Unknown {
                held.overridden = Some(instance.overridden);
            }
        }
        // The chain, as `eureka-api.md` 3.4 words it.
        let up_or_out = [InstanceStatus::Up, InstanceStatus::OutOfService];
        if up_or_out.contains(&held.record.status) {
            if let Some(status) = held.overridden {
                held.record.status = status;
            } else if *origin == Origin::Client && up_or_out.contains(&before) {
                held.record.status = before;
            }
        }
        self.added(held);
        Outcome::Done
    }

    fn register_first(&mut self, instance: &Instance) -> Outcome {
        let applications: Vec<_> = self.held.keys().map(|(app, _)| app).collect();
        let mut distinct = applications.clone();
        distinct.dedup();
        let is_new_application = !applications.contains(&&instance.app);
        if applications.len() as u64 >= self.settings.instances_max
            || (is_new_application && distinct.len() as u64 >= self.settings.applications_max)
        {
            return Outcome::QuotaExceeded;
        }
        let is_held = |slot: &u32| self.held.values().any(|held| held.record.slot == *slot);
        let slot = (0..)
            .find(|slot| !is_held(slot))
            .expect("some slot is free");
        let generation = self.generations.get(&slot).copied().unwrap_or(0) + 1;
        self.generations.insert(slot, generation);
        let told = instance.overridden;
        let overridden = (told != InstanceStatus::Unknown).then_some(told);
        let takes_override = matches!(
            instance.status,
            InstanceStatus::Up | InstanceStatus::OutOfService
        );
        let status = match overridden {
            Some(overridden) if takes_override => overridden,
            _ => instance.status,
        };
        let record = Record {
            instance: Arc::new(instance.clone()),
            status,
            overridden: InstanceStatus::Unknown,
            action: ActionType::Added,
            last_dirty_ms: instance.last_dirty_ms.unwrap_or(self.wall_ms),
            last_updated_ms: 0,
            registered_ms: 0,
            renewed_ms: 0,
            service_up_ms: 0,
            evicted_ms: 0,
            slot,
            generation,
            index: 0,
        };
        self.added(Held {
            record,
            renewed: LogTime {
                wall_ms: self.wall_ms,
                lease_ms: self.lease_ms,
            },
            terms: instance.lease,
            overridden,
        });
        Outcome::Done
    }

    fn renew(
        &mut self,
        key: &Key,
        sent: Option<u64>,
        origin: Origin,
        told: Option<InstanceStatus>,
    ) -> Outcome {
        let unknown = InstanceStatus::Unknown;
        if self
            .held
            .get(key)
            .is_none_or(|held| held.record.status == unknown)
        {
            return Outcome::NotFound;
        }
        let mut held = self.renewed(key).expect("it was just found");
        let ours = held.record.last_dirty_ms;
        match sent {
            Some(sent) if sent > ours => {
                if let (Origin::Replication, Some(told)) = (origin, told)
                    && told != unknown
                    && held.overridden != Some(told)
                {
                    held.overridden = Some(told);
                    let status = match held.record.status {
                        InstanceStatus::Up | InstanceStatus::OutOfService => told,
                        other => other,
                    };
                    self.modified(held, status, None);
                }
                Outcome::NotFound
            }
            Some(sent) if sent < ours && origin == Origin::Replication => Outcome::Conflict,
            _ => Outcome::Done,
        }
    }

    fn evict(&mut self, max: u32) -> Outcome {
        let now = self.lease_ms;
        let leases = self.held.len() as u64;
        let threshold = u64::from(self.settings.protection_threshold_milli);
        let allowed = (leases * (1_000 - threshold) / 1_000).max(1);
        if self.settings.protection_enabled && self.silent(now) > allowed {
            return Outcome::Evicted(0);
        }
        let factor = u64::from(self.settings.lease_factor_milli);
        let expires = |held: &Held| {
            held.renewed.lease_ms + u64::from(held.terms.duration_secs) * 1_000 * factor / 1_000
        };
        let all = self.held.iter();
        let mut due: Vec<_> = all
            .map(|(key, held)| (expires(held), key.clone()))
            .collect();
        due.retain(|(expires, _)| *expires <= now);
        due.sort();
        due.truncate(max as usize);
        for (_, key) in &due {
            let held = self.held.remove(key).expect("it was just found");
            self.gone(held);
        }
        Outcome::Evicted(due.len() as u32)
    }

    /// Renews an instance, and gives it back to be changed further.
    fn renewed(&mut self, key: &Key) -> Option<Held> {
        let held = self.held.get_mut(key)?;
        held.touch(self.wall_ms, self.lease_ms);
        Some(held.clone())
    }

    fn modified(&mut self, mut held: Held, status: InstanceStatus, sent: Option<u64>) {
        held.record.status = status;
        held.record.action = ActionType::Modified;
        held.record.last_dirty_ms = held.record.last_dirty_ms.max(sent.unwrap_or(0));
        self.keep(held);
    }

    fn added(&mut self, mut held: Held) {
        let now = held.renewed.wall_ms;
        held.record.action = ActionType::Added;
        held.record.registered_ms = now;
        if held.record.status == InstanceStatus::Up && held.record.service_up_ms == 0 {
            held.record.service_up_ms = now;
        }
        let Instance { app, id, .. } = &*held.record.instance;
        self.registered.push((now, app.clone(), id.clone()));
        self.keep(held);
    }

    fn keep(&mut self, mut held: Held) {
        held.record.overridden = held.overridden.unwrap_or(InstanceStatus::Unknown);
        held.record.last_updated_ms = held.renewed.wall_ms;
        held.record.renewed_ms = held.renewed.wall_ms;
        held.record.index = self.index;
        self.note(held.record.clone());
        let Instance { app, id, .. } = &*held.record.instance;
        self.held.insert((app.clone(), id.clone()), held);
    }

    fn gone(&mut self, held: Held) -> Outcome {
        let mut record = held.record;
        let now = self.wall_ms.max(held.renewed.wall_ms);
        record.action = ActionType::Deleted;
        record.renewed_ms = held.renewed.wall_ms;
        record.last_updated_ms = now;
        record.evicted_ms = now;
        record.index = self.index;
        let Instance { app, id, .. } = &*record.instance;
        self.cancelled.push((now, app.clone(), id.clone()));
        self.note(record);
        Outcome::Done
    }

    fn note(&mut self, record: Record) {
        let change = Change {
            index: self.index,
            seq: self.next_seq,
            at: LogTime {
                wall_ms: self.wall_ms,
                lease_ms: self.lease_ms,
            },
            action: record.action,
            record: Arc::new(record),
        };
        self.next_seq += 1;
        let same = |a: &Record, b: &Record| {
            (&a.instance.app, &a.instance.id) == (&b.instance.app, &b.instance.id)
        };
        self.window
            .retain(|earlier| !same(&earlier.record, &change.record));
        self.window.push(change.clone());
        self.all.push(change);
    }
}

impl Held {
    fn touch(&mut self, wall_ms: u64, lease_ms: u64) {
        self.renewed.wall_ms = self.renewed.wall_ms.max(wall_ms);
        self.renewed.lease_ms = self.renewed.lease_ms.max(lease_ms);
    }
}
