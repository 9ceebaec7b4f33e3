//! The one door: an entry goes in, outcomes come out.
//!
//! Owns the order of things within an entry and [`Step`], where apply stands. It may not know the
//! rules of any command. The same entries at the same indexes always give the same state.

use std::borrow::Cow;
use std::sync::Arc;

use super::change_log::Change;
use super::command::{Command, Entry, Outcome, Registration};
use super::instance::Record;
use super::lease::Lease;
use super::renewal::NamedRenewal;
use super::settings::Settings;
use super::state::Registry;
use super::state_hash;
use super::status::StatusOrder;
use super::time::LogTime;

/// Where apply stands in the log.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) index: u64,
    /// The `seq` of the next change. A command's position in the entry, as every command makes at
    /// most one change; only after an eviction pulse, which a leader proposes alone, it runs ahead.
    seq: u32,
    /// The entry's time, with a lease clock that did not go back.
    pub(super) at: LogTime,
}

impl Step {
    /// The next change, which leaves the instance as `record`.
    pub(super) fn change(&mut self, record: Arc<Record>) -> Change {
        let seq = self.seq;
        self.seq += 1;
        Change {
            index: self.index,
            seq,
            at: self.at,
            action: record.action,
            record,
        }
    }
}

impl Registry {
    /// Applies one entry at `index`. Outcomes are as many as commands, in order.
    ///
    /// # Panics
    /// If `index` is not greater than any applied before: a replayed entry would be a second
    /// truth, and the process must not go on.
    pub fn apply(&mut self, index: u64, entry: &Entry) -> Vec<Outcome> {
        self.run(index, entry.at, entry.commands.iter().map(Cow::Borrowed))
    }

    /// The same, without copying the entry's registrations.
    ///
    /// # Panics
    /// As [`Registry::apply`].
    pub fn apply_owned(&mut self, index: u64, entry: Entry) -> Vec<Outcome> {
        self.run(index, entry.at, entry.commands.into_iter().map(Cow::Owned))
    }

    /// Notes an entry that is not the registry's (Raft's blank and membership entries).
    ///
    /// # Panics
    /// If `index` is less than one applied before.
    pub fn skip(&mut self, index: u64) {
        assert!(index >= self.index, "the log only goes forward");
        self.index = index;
    }

    fn run<'a>(
        &mut self,
        index: u64,
        at: LogTime,
        commands: impl ExactSizeIterator<Item = Cow<'a, Command>>,
    ) -> Vec<Outcome> {
        assert!(index > self.index, "each entry is applied once, in order");
        let expected = commands.len();
        self.index = index;
        self.lease_ms = self.lease_ms.max(at.lease_ms);
        let mut step = Step {
            index,
            seq: 0,
            at: LogTime {
                wall_ms: at.wall_ms,
                lease_ms: self.lease_ms,
            },
        };
        let mut outcomes = Vec::with_capacity(expected);
        for (position, command) in (0..).zip(commands) {
            step.seq = step.seq.max(position);
            outcomes.push(self.execute(&mut step, command));
        }
        self.changes.trim(self.lease_ms, &self.settings);
        self.leases.sweep(self.lease_ms);
        debug_assert_eq!(outcomes.len(), expected);
        outcomes
    }

    fn execute(&mut self, step: &mut Step, command: Cow<'_, Command>) -> Outcome {
        let command = match command {
            Cow::Owned(Command::Register(registration)) => {
                return self.register(step, *registration);
            }
            other => other,
        };
        match &*command {
            Command::Register(registration) => {
                self.register(step, Registration::clone(registration))
            }
            Command::Renew { slot, generation } => self.renew(step, *slot, *generation),
            Command::RenewByName {
                app,
                id,
                last_dirty_ms,
                origin,
                overridden,
            } => {
                let renewal = NamedRenewal {
                    app,
                    id,
                    last_dirty_ms: *last_dirty_ms,
                    origin: *origin,
                    overridden: *overridden,
                };
                self.renew_by_name(step, &renewal)
            }
            Command::Cancel { app, id } => self.cancel(step, app, id),
            Command::PutStatus {
                app,
                id,
                status,
                last_dirty_ms,
            } => {
                let (status, last_dirty_ms) = (*status, *last_dirty_ms);
                let order = StatusOrder {
                    app,
                    id,
                    status,
                    last_dirty_ms,
                };
                self.put_status(step, &order)
            }
            Command::DeleteStatus {
                app,
                id,
                status,
                last_dirty_ms,
            } => {
                let (status, last_dirty_ms) = (*status, *last_dirty_ms);
                let order = StatusOrder {
                    app,
                    id,
                    status,
                    last_dirty_ms,
                };
                self.delete_status(step, &order)
            }
            Command::PutMetadata { app, id, entries } => {
                self.put_metadata(step, (app, id), entries)
            }
            Command::Evict { max } => self.evict(step, *max),
            Command::Settings(settings) => self.adopt_settings(settings),
        }
    }

    fn adopt_settings(&mut self, settings: &Settings) -> Outcome {
        if settings.lease_factor_milli != self.settings.lease_factor_milli {
            self.leases.set_factor(settings.lease_factor_milli);
        }
        self.settings = settings.clone();
        Outcome::Done
    }

    /// Makes `record` what its instance is from now on, under `lease`.
    pub(super) fn publish(&mut self, step: &mut Step, record: Record, lease: Lease) {
        let digest = state_hash::of_record(&record);
        let record = Arc::new(record);
        self.leases.put(Arc::clone(&record), lease);
        self.catalogue.put(Arc::clone(&record), digest);
        self.changes.push(step.change(record), digest);
    }
}
