//! One batch on its way: proposed here by the leader, or forwarded to it, once.
//!
//! Owns what happens to a batch between the queue and its answers. It may not retry: a batch that was
//! certainly not executed goes back to the queue, one of unknown fate is answered so. Only here is an
//! entry stamped with time.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::codec;
use crate::raft::{CallError, Leadership, ProposeError, Raft};
use crate::registry::{Command, Entry, Outcome};

use super::batcher::{Fate, OUTCOME_WAIT_MAX, Submission};
use super::leader_time::LeaderTime;
use super::messages::{Answer, ForwardAnswer, Request};

/// Where a batch goes.
pub(super) enum Flight {
    /// This node leads `term`.
    Here {
        raft: Raft,
        time: Arc<LeaderTime>,
        term: u64,
    },
    /// Another node leads.
    There { raft: Raft, leader: u64 },
}

/// A batch that came back.
pub(super) struct Landing {
    batch: Vec<Submission>,
    /// How many commands each submission had.
    sizes: Vec<usize>,
    result: BatchResult,
}

/// What became of a whole batch.
enum BatchResult {
    Overloaded,
    DiskFull,
    Applied {
        index: u64,
        first_seq: u32,
        outcomes: Vec<Outcome>,
    },
    NotExecuted,
    Unknown,
}

impl Flight {
    /// Where a batch would go now; `None` while nobody is known to lead.
    pub(super) fn plan(
        raft: &Raft,
        time: &Arc<LeaderTime>,
        leadership: &Leadership,
    ) -> Option<Self> {
        let raft = raft.clone();
        match leadership.leader {
            Some(leader) if leader != raft.me() => Some(Self::There { raft, leader }),
            Some(_) if leadership.ready => Some(Self::Here {
                raft,
                time: Arc::clone(time),
                term: leadership.term,
            }),
            _ => None,
        }
    }

    /// Carries `batch` to the log and waits for what becomes of it.
    pub(super) async fn fly(self, mut batch: Vec<Submission>) -> Landing {
        let deadline = batch
            .first()
            .map_or_else(Instant::now, |oldest| oldest.submitted)
            + OUTCOME_WAIT_MAX;
        let sizes: Vec<usize> = batch
            .iter()
            .map(|submission| submission.commands.len())
            .collect();
        let mut commands: Vec<Command> = batch
            .iter_mut()
            .flat_map(|submission| std::mem::take(&mut submission.commands))
            .collect();
        let result = match self {
            Self::Here { raft, time, term } => {
                let at = time.stamp(term, raft.state().view().lease_ms());
                let entry = Entry { at, commands };
                let result = propose(&raft, term, &entry, deadline).await;
                commands = entry.commands;
                result
            }
            // Leadership moved between queue and flight; forwarding again could go in circles.
            Self::There { .. } if batch.iter().any(|submission| submission.here_only) => {
                BatchResult::NotExecuted
            }
            Self::There { raft, leader } => {
                let request = Request::Forward(commands);
                let result = forward(&raft, leader, &request, deadline).await;
                commands = match request {
                    Request::Forward(commands) => commands,
                    _ => Vec::new(),
                };
                result
            }
        };
        if matches!(result, BatchResult::NotExecuted | BatchResult::DiskFull) {
            give_back(&mut batch, commands, &sizes);
        }
        Landing {
            batch,
            sizes,
            result,
        }
    }
}

/// Returns each submission its own commands, in case it has to fly again.
fn give_back(batch: &mut [Submission], commands: Vec<Command>, sizes: &[usize]) {
    let mut commands = commands.into_iter();
    for (submission, size) in batch.iter_mut().zip(sizes) {
        submission.commands = commands.by_ref().take(*size).collect();
    }
}

async fn propose(raft: &Raft, term: u64, entry: &Entry, deadline: Instant) -> BatchResult {
    match tokio::time::timeout_at(deadline, raft.propose(term, entry)).await {
        Ok(Ok(proposed)) => BatchResult::Applied {
            index: proposed.index,
            first_seq: 0,
            outcomes: proposed.outcomes,
        },
        Ok(Err(ProposeError::NotExecuted)) => BatchResult::NotExecuted,
        Ok(Err(ProposeError::Unknown | ProposeError::Stopped)) | Err(_) => BatchResult::Unknown,
    }
}

async fn forward(raft: &Raft, leader: u64, request: &Request, deadline: Instant) -> BatchResult {
    let wait = deadline.saturating_duration_since(Instant::now());
    let asked = raft
        .call(leader, Bytes::from(codec::encode(request)), wait)
        .await;
    let answer = match asked {
        Ok(answer) => codec::decode(&answer, codec::FRAME_MAX),
        Err(CallError::NotSent) => return BatchResult::NotExecuted,
        Err(CallError::Unknown) => return BatchResult::Unknown,
    };
    let Ok(Answer::Forward(answer)) = answer else {
        return BatchResult::Unknown;
    };
    match answer {
        ForwardAnswer::Applied {
            index,
            first_seq,
            outcomes,
        } => {
            // Read your writes: this node answers only after it has applied the entry itself.
            let applied = tokio::time::timeout_at(deadline, raft.applied(index)).await;
            let whole = outcomes.len() == commands_of(request).len();
            match (applied, whole) {
                (Ok(()), true) => BatchResult::Applied {
                    index,
                    first_seq,
                    outcomes,
                },
                _ => BatchResult::Unknown,
            }
        }
        ForwardAnswer::NotExecuted => BatchResult::NotExecuted,
        ForwardAnswer::Overloaded => BatchResult::Overloaded,
        ForwardAnswer::DiskFull => BatchResult::DiskFull,
        ForwardAnswer::Unknown => BatchResult::Unknown,
    }
}

fn commands_of(request: &Request) -> &[Command] {
    match request {
        Request::Forward(commands) => commands,
        _ => &[],
    }
}

impl Landing {
    /// Answers every submission whose fate is decided; returns those to be proposed again.
    pub(super) fn answer(self) -> Vec<Submission> {
        let Self {
            batch,
            sizes,
            result,
        } = self;
        match result {
            BatchResult::NotExecuted => {
                let (refused, again): (Vec<_>, Vec<_>) = batch
                    .into_iter()
                    .partition(|submission| submission.here_only);
                answer_all(refused, &Fate::NotExecuted);
                return again;
            }
            // What only shared a batch with something that grows flies again.
            BatchResult::DiskFull => {
                let (refused, again): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(Submission::grows);
                answer_all(refused, &Fate::DiskFull);
                return again;
            }
            BatchResult::Overloaded => answer_all(batch, &Fate::Overloaded),
            BatchResult::Unknown => answer_all(batch, &Fate::Unknown),
            BatchResult::Applied {
                index,
                first_seq,
                outcomes,
            } => {
                answer_applied(batch.into_iter().zip(sizes), index, first_seq, outcomes);
            }
        }
        Vec::new()
    }
}

fn answer_all(batch: Vec<Submission>, fate: &Fate) {
    batch
        .into_iter()
        .for_each(|submission| submission.answer(fate.clone()));
}

/// Deals the outcomes out, in order; the batch's are as many as its commands.
fn answer_applied(
    batch: impl Iterator<Item = (Submission, usize)>,
    index: u64,
    first_seq: u32,
    outcomes: Vec<Outcome>,
) {
    let mut seq = first_seq;
    let mut outcomes = outcomes.into_iter();
    for (submission, size) in batch {
        let own: Vec<Outcome> = outcomes.by_ref().take(size).collect();
        assert_eq!(own.len(), size, "apply gives one outcome a command");
        let first_seq = seq;
        seq = seq.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        submission.answer(Fate::Applied {
            index,
            first_seq,
            outcomes: own,
        });
    }
}
