//! The log on top of the newest snapshot.
//!
//! Owns the one pass over the log: what is contiguous, what decodes, and the state it gives. It may
//! not judge.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::raft::{EntryContent, look_at_record};
use crate::registry::Registry;
use crate::store::log::LogRecord;

/// What a pass over the log has found so far.
pub(super) struct Replay {
    /// Entries whose checksum matches.
    pub(super) entries: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    /// The first place where an entry is missing or no entry.
    pub(super) broken: Option<String>,
    /// The newest wall time of an entry, ms since the epoch.
    pub(super) wall_ms: u64,
    /// The state so far; `None` once it cannot go on.
    pub(super) registry: Option<Registry>,
    /// Why the state could not go on.
    pub(super) stopped: Option<String>,
    /// The state hash when the mark was reached.
    pub(super) at_mark: Option<u128>,
    mark: u64,
}

impl Replay {
    pub(super) fn new(registry: Option<Registry>, mark: u64) -> Self {
        Self {
            entries: 0,
            first: None,
            last: None,
            broken: None,
            wall_ms: 0,
            registry,
            stopped: None,
            at_mark: None,
            mark,
        }
    }

    /// Takes in the next record.
    pub(super) fn take(&mut self, record: &LogRecord) {
        let index = record.index;
        if let Some(last) = self.last.filter(|last| last + 1 != index) {
            self.breaks(format!("entry {} is missing", last + 1));
        }
        self.entries += 1;
        self.first = self.first.or(Some(index));
        self.last = Some(index);
        match look_at_record(record) {
            Ok(view) => self.apply(index, view.content),
            Err(error) => self.breaks(format!("entry {index}: {error}")),
        }
    }

    /// Notes damage; the state cannot go on behind it.
    pub(super) fn breaks(&mut self, why: String) {
        self.stop(why.clone());
        self.broken.get_or_insert(why);
    }

    fn stop(&mut self, why: String) {
        if self.registry.take().is_some() {
            self.stopped = Some(why);
        }
    }

    fn apply(&mut self, index: u64, content: EntryContent) {
        let Some(registry) = &mut self.registry else {
            return;
        };
        if index <= registry.index() {
            return;
        }
        if registry.index() + 1 != index && (registry.index(), index) != (0, 0) {
            let held = registry.index();
            return self.stop(format!(
                "the state is of index {held}, the log goes on at {index}"
            ));
        }
        let applied = match content {
            EntryContent::Blank | EntryContent::Membership(_) => {
                registry.skip(index);
                Ok(())
            }
            EntryContent::Commands(Ok(entry)) => {
                self.wall_ms = self.wall_ms.max(entry.at.wall_ms);
                // A bug of ours, if it ever panics: the check says so instead of ending the doctor.
                catch_unwind(AssertUnwindSafe(|| registry.apply_owned(index, entry)))
                    .map(drop)
                    .map_err(|_| format!("entry {index} cannot be applied: a bug, report it"))
            }
            EntryContent::Commands(Err(error)) => Err(format!("entry {index}: {error}")),
        };
        if index == self.mark {
            self.at_mark = Some(registry.view().state_hash());
        }
        if let Err(why) = applied {
            self.breaks(why);
        }
    }
}
