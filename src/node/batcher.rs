//! The one door for writes: what waits becomes a batch, and a batch becomes one log entry.
//!
//! Owns the queue of waiting writes, what goes into a batch, how many batches are in flight and how
//! long anything waits. It may not know what a command does. Invariant: a submission is answered once,
//! and one whose fate is unknown is never proposed again.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::raft::{Leadership, Raft};
use crate::registry::{Command, Outcome};

use super::admission::{Admission, Ticket, WaitingLimits};
use super::disk::grows;
use super::flight::{Flight, Landing};
use super::leader_time::LeaderTime;

/// Batches proposed and not yet answered, at most: back-pressure is what makes batches.
const BATCHES_IN_FLIGHT_MAX: usize = 2;
/// How long after its submission a proposed write is waited for before its fate counts as unknown:
/// below the five to eight seconds that Eureka clients wait.
pub(super) const OUTCOME_WAIT_MAX: Duration = Duration::from_millis(4_500);
/// How long renewals alone wait for company while traffic is heavy: it makes 1,400 entries a second 150.
const LINGER: Duration = Duration::from_millis(4);
/// A batch at least this big says that traffic is heavy.
const LINGER_FROM: usize = 8;
/// Renewals enough to go without waiting for more.
const LINGER_UNTIL: usize = 512;
/// How long to wait after a batch came back unexecuted, so that a stale leader is not asked in a spin.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// What bounds the writes of one node; from its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteLimits {
    /// What may wait at once, proposed or not.
    pub waiting: WaitingLimits,
    /// How long a write waits, unproposed, for a leader: longer than an election.
    pub leader_wait: Duration,
    /// Commands in one entry.
    pub batch_commands: usize,
    /// Bytes of commands in one entry; one larger command goes alone. Well below the peer frame's cap.
    pub batch_bytes: usize,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Committed and applied here.
    Applied {
        index: u64,
        first_seq: u32,
        outcomes: Vec<Outcome>,
    },
    /// Never proposed, or certainly rejected.
    NotExecuted,
    /// Refused by a leader on which too many writes wait. Not executed.
    Overloaded,
    /// Refused by a leader that knows of too many full disks. Not executed.
    DiskFull,
    /// Proposed; nobody here knows what became of it.
    Unknown,
}

/// Some commands that go into one entry together, and who waits for them.
pub(super) struct Submission {
    pub(super) commands: Vec<Command>,
    pub(super) submitted: Instant,
    /// For this node as leader only: a batch forwarded to it, or its own duty as leader.
    pub(super) here_only: bool,
    pub(super) reply: oneshot::Sender<Fate>,
    ticket: Ticket,
}

/// The sending side of the queue; cheap to clone.
#[derive(Clone)]
pub(super) struct WriteQueue {
    // Unbounded as a channel: `admission` bounds what is in it, in commands and bytes.
    sender: mpsc::UnboundedSender<Submission>,
    admission: Arc<Admission>,
}

/// Why a submission was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Overloaded,
    Stopping,
}

impl WriteQueue {
    /// Queues `commands` as one unit; the receiver gets its fate.
    pub(super) fn submit(
        &self,
        commands: Vec<Command>,
    ) -> Result<oneshot::Receiver<Fate>, Refused> {
        self.enqueue(commands, false)
    }

    /// Queues what only a leader may propose, a batch another node forwarded or a duty of its own: it is
    /// proposed here or refused, never forwarded.
    pub(super) fn submit_here(
        &self,
        commands: Vec<Command>,
    ) -> Result<oneshot::Receiver<Fate>, Refused> {
        self.enqueue(commands, true)
    }

    fn enqueue(
        &self,
        commands: Vec<Command>,
        here_only: bool,
    ) -> Result<oneshot::Receiver<Fate>, Refused> {
        let ticket = self.admission.admit(&commands).ok_or(Refused::Overloaded)?;
        let (reply, fate) = oneshot::channel();
        let submitted = Instant::now();
        let submission = Submission {
            commands,
            submitted,
            here_only,
            reply,
            ticket,
        };
        self.sender
            .send(submission)
            .map_err(|_closed| Refused::Stopping)?;
        Ok(fate)
    }
}

/// Whether a newcomer should wake the batcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listen {
    Now,
    Later,
}

/// The batcher of one node: a task that owns the queue's receiving side.
pub(super) struct Batcher {
    raft: Raft,
    time: Arc<LeaderTime>,
    incoming: mpsc::UnboundedReceiver<Submission>,
    leadership: watch::Receiver<Leadership>,
    limits: WriteLimits,
    waiting: VecDeque<Submission>,
    flights: FuturesUnordered<Pin<Box<dyn Future<Output = Landing> + Send>>>,
    last_batch: usize,
    paused_until: Instant,
}

impl Batcher {
    /// A batcher and the queue that feeds it. Runs until every queue is dropped.
    pub(super) fn new(
        raft: Raft,
        time: Arc<LeaderTime>,
        limits: WriteLimits,
    ) -> (Self, WriteQueue) {
        let (sender, incoming) = mpsc::unbounded_channel();
        let leadership = raft.leadership();
        let batcher = Self {
            raft,
            time,
            incoming,
            leadership,
            limits,
            waiting: VecDeque::new(),
            flights: FuturesUnordered::new(),
            last_batch: 0,
            paused_until: Instant::now(),
        };
        (
            batcher,
            WriteQueue {
                sender,
                admission: Admission::new(limits.waiting),
            },
        )
    }

    /// Batches until the queue is closed and everything in it is answered.
    pub(super) async fn run(mut self) {
        let mut open = true;
        while open || !self.waiting.is_empty() || !self.flights.is_empty() {
            self.refuse_overdue();
            let (wake, listen) = self.take_off();
            tokio::select! {
                biased;
                Some(landing) = self.flights.next(), if !self.flights.is_empty() => self.land(landing),
                changed = self.leadership.changed(), if open => open &= changed.is_ok(),
                submission = self.incoming.recv(), if open && listen == Listen::Now => match submission {
                    Some(submission) => self.waiting.push_back(submission),
                    None => open = false,
                },
                () = tokio::time::sleep_until(wake) => {}
            }
            if self.leadership.has_changed().is_err() {
                // Raft is gone: nothing can be proposed any more.
                while let Ok(submission) = self.incoming.try_recv() {
                    self.waiting.push_back(submission);
                }
                self.waiting
                    .drain(..)
                    .for_each(|submission| submission.answer(Fate::NotExecuted));
                open = false;
            }
        }
    }

    /// Starts as many batches as may fly; returns when to look again, and whether a newcomer is a
    /// reason to. It is none while a batch is being waited for or with: the queue holds it meanwhile.
    fn take_off(&mut self) -> (Instant, Listen) {
        while let Ok(submission) = self.incoming.try_recv() {
            self.waiting.push_back(submission);
        }
        let now = Instant::now();
        loop {
            let Some(front) = self.waiting.front() else {
                return (now + self.limits.leader_wait, Listen::Now);
            };
            let overdue = front.submitted + self.limits.leader_wait;
            if self.flights.len() >= BATCHES_IN_FLIGHT_MAX {
                return (overdue, Listen::Later);
            }
            if self.paused_until > now {
                return (self.paused_until.min(overdue), Listen::Later);
            }
            if let Some(until) = self.linger(front.submitted).filter(|until| *until > now) {
                return (until, Listen::Later);
            }
            let leadership = *self.leadership.borrow_and_update();
            let Some(flight) = Flight::plan(&self.raft, &self.time, &leadership) else {
                self.refuse_here_only();
                return (overdue, Listen::Now);
            };
            let batch = self.next_batch();
            self.last_batch = batch
                .iter()
                .map(|submission| submission.commands.len())
                .sum();
            if !batch.is_empty() {
                self.flights.push(Box::pin(flight.fly(batch)));
            }
        }
    }

    /// Until when the waiting renewals should wait for more, if they should.
    fn linger(&self, oldest: Instant) -> Option<Instant> {
        let heavy = self.last_batch >= LINGER_FROM && self.waiting.len() < LINGER_UNTIL;
        let renewals_only = || self.waiting.iter().all(Submission::is_renewal);
        (heavy && renewals_only()).then(|| oldest + LINGER)
    }

    /// The longest front of the queue that may share an entry. A pulse goes alone.
    fn next_batch(&mut self) -> Vec<Submission> {
        let mut batch = Vec::new();
        let (mut commands, mut bytes) = (0, 0);
        while let Some(next) = self.waiting.front() {
            if next.reply.is_closed() {
                // Nobody waits for it any more, and it was never proposed: it need not happen.
                self.waiting.pop_front();
                continue;
            }
            commands += next.commands.len();
            bytes += next.ticket.bytes();
            let full = commands > self.limits.batch_commands || bytes > self.limits.batch_bytes;
            let alone = next.is_alone() || batch.first().is_some_and(Submission::is_alone);
            if !batch.is_empty() && (full || alone) {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        batch
    }

    /// Answers what landed, or puts back what was certainly not executed.
    fn land(&mut self, landing: Landing) {
        let rejected = landing.answer();
        if !rejected.is_empty() {
            self.paused_until = Instant::now() + RETRY_PAUSE;
        }
        for submission in rejected.into_iter().rev() {
            self.waiting.push_front(submission);
        }
    }

    /// What only a leader may propose does not wait for an election here.
    fn refuse_here_only(&mut self) {
        let (refused, own): (VecDeque<_>, VecDeque<_>) = self
            .waiting
            .drain(..)
            .partition(|submission| submission.here_only);
        self.waiting = own;
        refused
            .into_iter()
            .for_each(|submission| submission.answer(Fate::NotExecuted));
    }

    /// Refuses what has waited, unproposed, for longer than [`WriteLimits::leader_wait`].
    fn refuse_overdue(&mut self) {
        let now = Instant::now();
        while let Some(front) = self.waiting.front() {
            if front.submitted + self.limits.leader_wait > now {
                break;
            }
            if let Some(overdue) = self.waiting.pop_front() {
                overdue.answer(Fate::NotExecuted);
            }
        }
    }
}

impl Submission {
    /// Tells who waits, if anybody still does.
    pub(super) fn answer(self, fate: Fate) {
        // A client that hung up is no error: its write has happened or not all the same.
        let _ = self.reply.send(fate);
    }

    pub(super) fn grows(&self) -> bool {
        self.commands.iter().any(grows)
    }

    fn is_renewal(&self) -> bool {
        matches!(
            self.commands.as_slice(),
            [Command::Renew { .. } | Command::RenewByName { .. }]
        )
    }

    fn is_alone(&self) -> bool {
        matches!(self.commands.as_slice(), [] | [Command::Evict { .. }])
    }
}
