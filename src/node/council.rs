//! Changes of the members and of the leader, on the leader.
//!
//! Owns the order in which a change is checked and made. It may not forward an order. Invariant: one
//! change at a time, and none that leaves fewer living voters than a quorum.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::raft::{Raft, TransferError};

use super::lineup::Roster;
use super::operator::{AdminRefusal, Change, Mode, Order, Report};

/// Who changes the members.
pub(super) struct Council {
    raft: Raft,
    /// Held for one change; a second one is refused, not queued.
    turn: Arc<Mutex<()>>,
}

impl Council {
    pub(super) fn new(raft: Raft) -> Self {
        Self {
            raft,
            turn: Arc::default(),
        }
    }

    /// Checks `order`, and carries it out unless it is a dry run.
    ///
    /// # Errors
    /// [`AdminRefusal`]; [`AdminRefusal::NoLeader`] if this node does not lead.
    pub(super) async fn carry_out(&self, order: Order) -> Result<Report, AdminRefusal> {
        let Order { change, mode } = order;
        match change {
            Change::Transfer { to } => self.transfer(to, mode).await,
            _ => Err(AdminRefusal::Malformed("not in this build".to_owned())),
        }
    }

    async fn transfer(&self, to: Option<String>, mode: Mode) -> Result<Report, AdminRefusal> {
        let _turn = self.turn()?;
        let roster = Roster::of(&self.raft.status());
        let target = roster.successor(to.as_deref())?;
        let lineup = roster.lineup();
        let mut report = Report {
            done: false,
            steps: vec![format!("hand leadership to {}", target.name)],
            after: lineup.clone(),
            before: lineup,
            message: format!("{} would lead", target.name),
            leader: None,
            gap_ms: None,
        };
        if mode == Mode::DryRun {
            return Ok(report);
        }
        let begun = Instant::now();
        let leader = self.raft.transfer_leadership(Some(target.id)).await;
        let leader = roster.name_of(leader.map_err(refused)?);
        report.done = true;
        report.message = format!("{leader} leads");
        report.leader = Some(leader);
        report.gap_ms = u64::try_from(begun.elapsed().as_millis()).ok();
        Ok(report)
    }

    fn turn(&self) -> Result<tokio::sync::OwnedMutexGuard<()>, AdminRefusal> {
        Arc::clone(&self.turn)
            .try_lock_owned()
            .map_err(|_held| AdminRefusal::ChangeInProgress)
    }
}

fn refused(error: TransferError) -> AdminRefusal {
    match error {
        TransferError::NotLeader => AdminRefusal::NoLeader,
        TransferError::NoTarget => AdminRefusal::NoTarget,
        TransferError::TimedOut => AdminRefusal::TransferTimedOut,
        TransferError::Stopped => AdminRefusal::Stopping,
    }
}
