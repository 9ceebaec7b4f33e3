//! The index a linearizable read must reflect.
//!
//! Owns the rounds in which it is asked for: one under way at a time, for exactly those who waited
//! when it began, so that a thousand reads cost one round. It may not answer from a lease: a restarted
//! follower grants votes that a lease would not know of.

use std::sync::Arc;
use std::time::Duration;

use openraft::ReadPolicy;
use openraft::raft::linearizable_read::LinearizerOption;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::READS_WAITING_MAX;
use super::error::ReadIndexError;
use super::peer::{Answer, Peers, Question};
use super::service::Core;
use super::status::Leadership;
use super::watcher::Members;

/// How long one round may take: longer than a missed heartbeat, shorter than a client's patience.
const ROUND_MAX: Duration = Duration::from_secs(1);

type Waiter = oneshot::Sender<Result<u64, ReadIndexError>>;

/// Where reads queue up; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ReadQueue {
    waiters: mpsc::Sender<Waiter>,
}

impl ReadQueue {
    /// A queue, and its end from which rounds take.
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiter>) {
        let (waiters, queue) = mpsc::channel(READS_WAITING_MAX);
        (Self { waiters }, queue)
    }

    /// Waits for a round that begins after this call.
    pub(super) async fn read_index(&self) -> Result<u64, ReadIndexError> {
        let (waiter, index) = oneshot::channel();
        self.waiters.try_send(waiter).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReadIndexError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ReadIndexError::Stopped,
        })?;
        index.await.unwrap_or(Err(ReadIndexError::Stopped))
    }
}

/// What a round needs.
pub(super) struct Rounds {
    pub(super) core: Core,
    pub(super) me: u64,
    pub(super) peers: Peers,
    pub(super) members: Members,
    pub(super) leadership: watch::Receiver<Leadership>,
    /// Counts rounds.
    pub(super) rounds: Arc<std::sync::atomic::AtomicU64>,
}

impl Rounds {
    /// Runs rounds while there are readers; returns when nobody can ask any more.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Waiter>) {
        let mut waiters = Vec::new();
        while queue.recv_many(&mut waiters, READS_WAITING_MAX).await > 0 {
            self.rounds
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let index = timeout(ROUND_MAX, self.round())
                .await
                .unwrap_or(Err(ReadIndexError::NoLeader));
            for waiter in waiters.drain(..) {
                // Who gave up waiting needs no answer.
                let _ = waiter.send(index);
            }
        }
    }

    async fn round(&self) -> Result<u64, ReadIndexError> {
        let leader = self.leadership.borrow().leader;
        match leader {
            None => Err(ReadIndexError::NoLeader),
            Some(leader) if leader == self.me => self.confirm().await,
            Some(leader) => self.ask(leader).await,
        }
    }

    /// The leader proves to itself, by a quorum's answers, that it still leads.
    async fn confirm(&self) -> Result<u64, ReadIndexError> {
        let option = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(ROUND_MAX);
        let confirmed = self.core.get_read_linearizer(option).await;
        confirmed
            .map(|linearizer| linearizer.read_log_id().index())
            .map_err(|error| match error.fatal() {
                Some(_) => ReadIndexError::Stopped,
                None => ReadIndexError::NoLeader,
            })
    }

    async fn ask(&self, leader: u64) -> Result<u64, ReadIndexError> {
        let member = self.members.get(leader).ok_or(ReadIndexError::NoLeader)?;
        match self
            .peers
            .ask(&member, Question::ReadIndex, ROUND_MAX)
            .await
        {
            Ok(Answer::ReadIndex(index)) => Ok(index),
            _ => Err(ReadIndexError::NoLeader),
        }
    }
}
