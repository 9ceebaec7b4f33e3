//! The last registrations and the last cancellations, for people to look at.
//!
//! Owns [`NameRing`]. Netflix keeps the same two lists of 1,000 for its dashboard
//! (`AbstractInstanceRegistry.java`, `recentRegisteredQueue`); ours are replicated, so every node
//! shows the same. It may not hold more than [`RECENT_NAMES_MAX`].

use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::names::{AppName, InstanceId};
use super::state_hash::{self, ItemKind, StateSum};

/// How many names each of the two lists holds.
pub const RECENT_NAMES_MAX: usize = 1_000;

/// Who, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// When, ms since the Unix epoch.
    pub wall_ms: u64,
    /// The application.
    pub app: AppName,
    /// The instance.
    pub id: InstanceId,
}

/// The last names put into it. A clone shares everything.
#[derive(Debug, Clone)]
pub(super) struct NameRing {
    names: Vector<Arc<Named>>,
    /// How many were ever put in: a name's place in history is part of the state hash.
    pushed: u64,
    kind: ItemKind,
    sum: StateSum,
}

impl NameRing {
    /// An empty ring of registrations or of cancellations, into which `pushed` names went before.
    pub(super) fn new(kind: ItemKind, pushed: u64) -> Self {
        Self {
            names: Vector::new(),
            pushed,
            kind,
            sum: StateSum::default(),
        }
    }

    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    pub(super) fn sum(&self) -> StateSum {
        self.sum
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &Arc<Named>> {
        self.names.iter()
    }

    pub(super) fn newest_first(&self) -> Vec<(u64, AppName, InstanceId)> {
        let names = self.oldest_first().rev();
        names
            .map(|named| (named.wall_ms, named.app.clone(), named.id.clone()))
            .collect()
    }

    pub(super) fn push(&mut self, named: Named) {
        if self.names.len() == RECENT_NAMES_MAX {
            let number = self.pushed.wrapping_sub(RECENT_NAMES_MAX as u64);
            let oldest = self.names.pop_front();
            let oldest = oldest.expect("a full ring has an oldest name");
            self.sum
                .remove(state_hash::of_named(number, &oldest, self.kind));
        }
        self.sum
            .add(state_hash::of_named(self.pushed, &named, self.kind));
        self.names.push_back(Arc::new(named));
        // A restored header may say anything; its hash is checked at the end.
        self.pushed = self.pushed.wrapping_add(1);
    }
}
