//! What happened lately: single changes for cursors, and the classic delta's window.
//!
//! Owns [`ChangeLog`], replicated state in two parts. *Singles*: every change in log order, up to
//! `delta.retention_changes`, with the floor below which a cursor is refused. *Window*: the last
//! change of each instance changed within `delta.retention` of lease time. It may not decide what
//! is a change. The invariants: every change after the floor is held, and an index is dropped
//! whole or not at all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use imbl::{OrdMap, Vector};
use serde::{Deserialize, Serialize};

use super::instance::{ActionType, Record};
use super::names::{AppName, InstanceId};
use super::settings::Settings;
use super::state_hash::{self, ItemKind, StateSum};
use super::time::LogTime;

/// The window never holds fewer than this for want of room, however small `limits.instances` is.
const WINDOW_ROOM_MIN: u64 = 10_000;

/// One change of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change {
    /// The log index of its entry.
    pub index: u64,
    /// The position of its command in the entry; evictions of one pulse count on from it.
    pub seq: u32,
    /// When.
    pub at: LogTime,
    /// What. Also in `record.action`.
    pub action: ActionType,
    /// The instance as it was after the change; for DELETED, as it last was.
    pub record: Arc<Record>,
}

/// What `?since=` answers when the asked-for history is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryGone {
    /// The smallest cursor still accepted.
    pub oldest: u64,
}

/// Where a change stands in the log: its index, and its `seq` in that entry.
pub(super) type Position = (u64, u32);

impl Change {
    pub(super) fn position(&self) -> Position {
        (self.index, self.seq)
    }
}

/// The half of the change log that readers see. A clone shares everything.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) singles: Vector<Arc<Change>>,
    /// The smallest cursor accepted: every change with a larger index is in `singles`.
    pub(super) floor: u64,
    pub(super) window: OrdMap<Position, Arc<Change>>,
}

impl History {
    /// Every single change after `cursor`, or that some of them are gone.
    pub(super) fn after(&self, cursor: u64) -> Result<Vec<Arc<Change>>, HistoryGone> {
        if cursor < self.floor {
            return Err(HistoryGone { oldest: self.floor });
        }
        let first = self
            .singles
            .binary_search_by(|change| change.position().cmp(&(cursor, u32::MAX)))
            .unwrap_or_else(|first| first);
        Ok(self.singles.skip(first).into_iter().collect())
    }
}

/// The change log.
#[derive(Debug, Default)]
pub(super) struct ChangeLog {
    history: History,
    /// The digest of each single change, in the same order: what leaves need not be hashed again.
    single_digests: VecDeque<u128>,
    /// By instance: its position in the window, and that change's digest.
    latest: BTreeMap<(AppName, InstanceId), (Position, u128)>,
    sum: StateSum,
}

impl ChangeLog {
    /// An empty log that accepts cursors from `floor` on.
    pub(super) fn new(floor: u64) -> Self {
        let mut log = Self::default();
        log.history.floor = floor;
        log
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    pub(super) fn sum(&self) -> StateSum {
        self.sum
    }

    /// Notes a change, which is later in the log than any before, and its record's digest.
    pub(super) fn push(&mut self, change: Change, record_digest: u128) {
        let change = Arc::new(change);
        self.push_single(Arc::clone(&change), record_digest);
        self.push_window(change, record_digest);
    }

    pub(super) fn push_single(&mut self, change: Arc<Change>, record_digest: u128) {
        let digest = state_hash::of_change(&change, record_digest, ItemKind::Single);
        self.sum.add(digest);
        self.single_digests.push_back(digest);
        self.history.singles.push_back(change);
    }

    pub(super) fn push_window(&mut self, change: Arc<Change>, record_digest: u128) {
        let digest = state_hash::of_change(&change, record_digest, ItemKind::Window);
        self.sum.add(digest);
        let position = change.position();
        let earlier = self.latest.insert(key(&change), (position, digest));
        if let Some((earlier, digest)) = earlier {
            self.history.window.remove(&earlier);
            self.sum.remove(digest);
        }
        self.history.window.insert(position, change);
    }

    /// Drops what the settings no longer retain at `lease_ms`.
    pub(super) fn trim(&mut self, lease_ms: u64, settings: &Settings) {
        while self.history.singles.len() as u64 > settings.delta_retention_changes {
            self.drop_oldest_index();
        }
        let room = settings.instances_max.max(WINDOW_ROOM_MIN);
        while let Some((position, oldest)) = self.history.window.get_min() {
            let ends_ms = oldest
                .at
                .lease_ms
                .saturating_add(settings.delta_retention_ms);
            if ends_ms > lease_ms && self.history.window.len() as u64 <= room {
                break;
            }
            let (position, key) = (*position, key(oldest));
            self.history.window.remove(&position);
            let latest = self.latest.remove(&key);
            let (_, digest) = latest.expect("each change in the window is its instance's latest");
            self.sum.remove(digest);
        }
    }

    /// Drops the single changes of the oldest index and raises the floor to it.
    fn drop_oldest_index(&mut self) {
        let Some(index) = self.history.singles.front().map(|oldest| oldest.index) else {
            return;
        };
        while let Some(oldest) = self.history.singles.front()
            && oldest.index == index
        {
            let digest = self.single_digests.pop_front();
            self.sum
                .remove(digest.expect("each single change has its digest"));
            self.history.singles.pop_front();
        }
        self.history.floor = index;
    }
}

/// Whose change it is.
fn key(change: &Change) -> (AppName, InstanceId) {
    let instance = &change.record.instance;
    (instance.app.clone(), instance.id.clone())
}
