//! The applied state of this node, for everybody to read.
//!
//! Owns the registry behind a lock that is held only for a step of apply or a question, and the view
//! that readers take without any lock. It may not decide what is applied. Invariant: a published view
//! and the applied index never go back, and the index is announced after the view.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::registry::{Registry, View};

use super::hash_points::{HashPoint, HashRing};
use super::state_hashes::StateHashes;

/// One node's applied state.
pub struct StateCell {
    /// Guards the state machine; held for one entry at a time.
    registry: Mutex<Registry>,
    view: ArcSwap<View>,
    applied: watch::Sender<u64>,
    /// Of the last catalogue change: renewals, which are most entries, wake nobody who waits for one.
    catalogue: watch::Sender<u64>,
    hashes: StateHashes,
    /// Guards the newest state hashes that nodes are compared by; held for a copy.
    points: Mutex<HashRing>,
    /// Guards one instant; held for a copy.
    applied_at: Mutex<Instant>,
    /// The leader's wall clock in the last entry applied, ms since the epoch.
    last_entry_wall_ms: AtomicU64,
}

impl StateCell {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            view: ArcSwap::from_pointee(registry.view()),
            applied: watch::Sender::new(registry.index()),
            catalogue: watch::Sender::new(registry.view().catalogue_index()),
            hashes: StateHashes::default(),
            registry: Mutex::new(registry),
            points: Mutex::default(),
            applied_at: Mutex::new(Instant::now()),
            last_entry_wall_ms: AtomicU64::new(0),
        }
    }

    /// The registry as of the last applied entry. Takes no lock.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Asks the state machine itself; `question` must be short, apply waits for it.
    pub fn with_registry<T>(&self, question: impl FnOnce(&Registry) -> T) -> T {
        question(&self.registry())
    }

    /// The last applied index, as it moves.
    pub fn applied_index(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// The log index of the last catalogue change applied, as it moves.
    pub fn catalogue_index(&self) -> watch::Receiver<u64> {
        self.catalogue.subscribe()
    }

    /// The newest state hashes at the points that all nodes share, oldest first.
    pub fn hash_points(&self) -> Vec<HashPoint> {
        self.points().points()
    }

    pub(super) fn note_point(&self, point: HashPoint) {
        self.points().push(point);
    }

    fn points(&self) -> MutexGuard<'_, HashRing> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state hash right after entry `index`, if that was among the last some thousand applied here.
    pub fn hash_at(&self, index: u64) -> Option<u128> {
        self.hashes.at(index)
    }

    /// When an entry was last applied, or this node started.
    pub fn last_applied_at(&self) -> Instant {
        *self
            .applied_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// When its leader made the last entry applied here, ms since the epoch; 0 if none was since the start.
    /// For people: an age that is told, never a decision.
    pub fn last_entry_wall_ms(&self) -> u64 {
        self.last_entry_wall_ms.load(Ordering::Relaxed)
    }

    pub(super) fn note_entry_wall_ms(&self, wall_ms: u64) {
        self.last_entry_wall_ms.store(wall_ms, Ordering::Relaxed);
    }

    /// Remembers the state hash after the entry just applied.
    pub(super) fn note_hash(&self) {
        let (index, hash) =
            self.with_registry(|registry| (registry.index(), registry.state_hash()));
        self.hashes.note(index, hash);
    }

    /// A panic inside apply ends the process, so a poisoned lock is only ever seen on the way out.
    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what has been applied so far, up to the log's `index`.
    pub(super) fn publish(&self, index: u64) {
        let view = self.registry().view();
        let catalogue_index = view.catalogue_index();
        self.view.store(Arc::new(view));
        *self
            .applied_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.applied.send_replace(index);
        self.catalogue.send_if_modified(|shown| {
            let moved = *shown != catalogue_index;
            *shown = catalogue_index;
            moved
        });
    }

    /// Replaces everything by an installed snapshot's state, and hands back what was there: taking a large
    /// registry apart takes long, and is for a thread on which nobody waits.
    pub(super) fn replace(&self, registry: Registry, index: u64) -> Registry {
        let old = std::mem::replace(&mut *self.registry(), registry);
        self.note_hash();
        self.points().clear();
        self.publish(index);
        old
    }
}

impl std::fmt::Debug for StateCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateCell")
            .field("applied", &*self.applied.borrow())
            .finish_non_exhaustive()
    }
}
