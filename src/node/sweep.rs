//! What a leader does by the clock: settings, ticks and the eviction pulse.
//!
//! Owns when these are proposed. It may not decide who is evicted: the pulse names nobody, apply does.
//! A node that does not lead does nothing here, and a deposed leader's pulse cannot commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::raft::{Leadership, Raft};
use crate::registry::{Command, Outcome, Settings};

use super::agreement::Agreement;
use super::batcher::{Fate, Refused, WriteQueue};
use super::leader_time::LeaderTime;

/// Leases ended by one pulse, at most.
const EVICTIONS_PER_PULSE: u32 = 1_000;
/// While nothing is written, an entry this often keeps the lease clock and the delta window moving.
const TICK: Duration = Duration::from_secs(1);

/// The leader's duties of one node.
pub(super) struct Sweep {
    pub(super) raft: Raft,
    pub(super) queue: WriteQueue,
    pub(super) time: Arc<LeaderTime>,
    pub(super) settings: Settings,
    pub(super) interval: Duration,
    pub(super) agreement: Arc<Agreement>,
}

/// One line for each change of leader, as operators look for it.
fn note(leadership: &Leadership, me: u64) {
    let term = leadership.term;
    match leadership.leader {
        Some(leader) if leader == me && leadership.ready => tracing::info!(term, "this node leads"),
        Some(leader) if leader == me => {}
        Some(leader) => tracing::info!(term, leader, "another node leads"),
        None => tracing::info!(term, "no leader is known"),
    }
}

impl Sweep {
    /// Leads whenever this node does; returns when Raft is gone.
    pub(super) async fn run(self) {
        let mut leadership = self.raft.leadership();
        loop {
            let now = *leadership.borrow_and_update();
            note(&now, self.raft.me());
            if now.ready {
                tokio::select! {
                    () = self.lead(&now) => {}
                    changed = leadership.changed() => if changed.is_err() { return },
                }
            } else if leadership.changed().await.is_err() {
                return;
            }
        }
    }

    /// One term of duties; never returns by itself.
    async fn lead(&self, leadership: &Leadership) {
        self.time
            .begin(leadership.term, self.raft.state().view().lease_ms());
        let mut applied = self.raft.state().applied_index();
        let mut last_entry = Instant::now();
        let mut next_sweep = Instant::now() + self.interval;
        self.align_settings().await;
        loop {
            tokio::select! {
                changed = applied.changed() => match changed {
                    Ok(()) => last_entry = Instant::now(),
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep_until(next_sweep) => {
                    next_sweep = Instant::now() + self.interval;
                    self.align_settings().await;
                    self.evict().await;
                }
                () = tokio::time::sleep_until(last_entry + TICK) => {
                    self.propose(Vec::new()).await;
                    last_entry = Instant::now();
                }
            }
        }
    }

    /// Puts this node's configured settings into the log if they differ from the replicated ones. Looked
    /// at again at each sweep, should it have failed or a former leader's have come in between.
    async fn align_settings(&self) {
        if *self.raft.state().view().settings() == self.settings {
            return;
        }
        let command = Command::Settings(self.settings.clone());
        if let Some(Fate::Applied { .. }) = self.propose(vec![command]).await {
            tracing::info!("the replicated settings now follow this node's configuration");
        }
    }

    /// Pulses while something may be due and the last pulse was full.
    async fn evict(&self) {
        loop {
            if !self.agreement.may_evict() {
                return;
            }
            let lease_ms = self.time.reading(self.raft.state().view().lease_ms());
            if !self
                .raft
                .state()
                .with_registry(|registry| registry.eviction_may_be_due(lease_ms))
            {
                return;
            }
            match self
                .propose(vec![Command::Evict {
                    max: EVICTIONS_PER_PULSE,
                }])
                .await
            {
                Some(Fate::Applied {
                    outcomes, index, ..
                }) => match outcomes.first() {
                    Some(Outcome::Evicted(0)) | None => return,
                    Some(Outcome::Evicted(count)) => {
                        tracing::info!(count, index, "leases ran out");
                        if *count < EVICTIONS_PER_PULSE {
                            return;
                        }
                    }
                    Some(_) => return,
                },
                _ => return,
            }
        }
    }

    async fn propose(&self, commands: Vec<Command>) -> Option<Fate> {
        let fate: oneshot::Receiver<Fate> = match self.queue.submit_here(commands) {
            Ok(fate) => fate,
            Err(Refused::Overloaded | Refused::Stopping) => return None,
        };
        fate.await.ok()
    }
}
