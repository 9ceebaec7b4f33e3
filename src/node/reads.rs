//! Reads: how fresh, and how it is known.
//!
//! Owns the three modes and what an answer says of its age. It may not answer from a lease of
//! leadership: a linearizable read waits for a shared ReadIndex round and for the local apply.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::raft::{Raft, ReadIndexError};

use super::api::{Consistency, Read, ReadError, ReadOptions};

/// How long a linearizable read waits for a leader, its confirmation and the local apply.
const CONFIRM_MAX: Duration = Duration::from_secs(3);
/// How long an `available` read tries to be linearizable.
const AVAILABLE_CONFIRM_MAX: Duration = Duration::from_millis(500);
/// How long to wait before asking again when no leader answered.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The reading side of one node.
pub(super) struct Reads {
    raft: Raft,
    default: Consistency,
    clock: SharedClock,
    /// Guards when a ReadIndex last reached this node's applied state, if one has since the start; held
    /// for a copy.
    confirmed: Mutex<Option<Instant>>,
}

impl Reads {
    pub(super) fn new(raft: Raft, default: Consistency, clock: SharedClock) -> Self {
        Self {
            raft,
            default,
            clock,
            confirmed: Mutex::new(None),
        }
    }

    pub(super) async fn read(&self, options: ReadOptions) -> Result<Read, ReadError> {
        match options.consistency.unwrap_or(self.default) {
            Consistency::Linearizable => self.linearizable(options.min_index, CONFIRM_MAX).await,
            Consistency::Available => match self
                .linearizable(options.min_index, AVAILABLE_CONFIRM_MAX)
                .await
            {
                Err(ReadError::NoLeader | ReadError::Behind) => self.local(options.min_index).await,
                other => other,
            },
            Consistency::Local => self.local(options.min_index).await,
        }
    }

    /// Waits until this node has applied `index`; a ReadIndex tells "not yet" from "never".
    pub(super) async fn reach(&self, index: u64) -> Result<(), ReadError> {
        if self.applied() >= index {
            return Ok(());
        }
        let deadline = Instant::now() + CONFIRM_MAX;
        if self.read_index(deadline).await? < index {
            return Err(ReadError::NeverCommitted);
        }
        self.wait_applied(index, deadline).await
    }

    /// Reads until one read is linearizable: a restarted node would otherwise show, for a moment, an
    /// older registry than it did before. Returns early when Raft is gone.
    pub(super) async fn catch_up(&self) {
        loop {
            match self.linearizable(None, CONFIRM_MAX).await {
                Ok(_) | Err(ReadError::Stopping) => return,
                Err(_) => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
    }

    /// Whether this node has, since it started, applied everything a leader knew to be committed.
    pub(super) fn is_caught_up(&self) -> bool {
        self.lock_confirmed().is_some()
    }

    async fn linearizable(
        &self,
        min_index: Option<u64>,
        wait: Duration,
    ) -> Result<Read, ReadError> {
        let asked = Instant::now();
        let deadline = asked + wait;
        let index = self.read_index(deadline).await?;
        if min_index.is_some_and(|wanted| wanted > index) {
            return Err(ReadError::NeverCommitted);
        }
        self.wait_applied(index, deadline).await?;
        self.note_confirmed(asked);
        Ok(Read {
            view: self.raft.state().view(),
            linearizable: true,
            age: Duration::ZERO,
        })
    }

    async fn local(&self, min_index: Option<u64>) -> Result<Read, ReadError> {
        if let Some(index) = min_index {
            self.wait_applied(index, Instant::now() + CONFIRM_MAX)
                .await?;
        }
        Ok(Read {
            view: self.raft.state().view(),
            linearizable: false,
            age: self.age(),
        })
    }

    /// How long ago this node was last known to be current: by a ReadIndex of its own, or by an
    /// entry it applied, of which an idle leader makes one a second. Until a ReadIndex has reached it
    /// after a start, what it applies is old: then the wall clocks have to tell.
    fn age(&self) -> Duration {
        let state = self.raft.state();
        match *self.lock_confirmed() {
            Some(confirmed) => confirmed.max(state.last_applied_at()).elapsed(),
            None => Duration::from_millis(
                self.clock
                    .wall_ms()
                    .saturating_sub(state.last_entry_wall_ms()),
            ),
        }
    }

    fn note_confirmed(&self, asked: Instant) {
        let mut confirmed = self.lock_confirmed();
        *confirmed = Some(confirmed.map_or(asked, |before| before.max(asked)));
    }

    fn lock_confirmed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.confirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The index a linearizable read must reflect; asks until the deadline, as elections take a while.
    async fn read_index(&self, deadline: Instant) -> Result<u64, ReadError> {
        while Instant::now() < deadline {
            match tokio::time::timeout_at(deadline, self.raft.read_index()).await {
                Ok(Ok(index)) => return Ok(index),
                Ok(Err(ReadIndexError::NoLeader)) => tokio::time::sleep(ASK_AGAIN).await,
                Ok(Err(ReadIndexError::Stopped)) => return Err(ReadError::Stopping),
                Ok(Err(ReadIndexError::Overloaded)) | Err(_) => break,
            }
        }
        Err(ReadError::NoLeader)
    }

    async fn wait_applied(&self, index: u64, deadline: Instant) -> Result<(), ReadError> {
        tokio::time::timeout_at(deadline, self.raft.applied(index))
            .await
            .map_err(|_late| ReadError::Behind)
    }

    fn applied(&self) -> u64 {
        *self.raft.state().applied_index().borrow()
    }
}
