//! The node and its disk: what it says of it, and what it does about it.
//!
//! Owns the admission of writes while room is short or the disk does not answer, and the numbers shown.
//! It may not touch a file. `speed` and `verdict` judge, `watch` looks and acts.

mod speed;
mod verdict;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::registry::Command;
use crate::store::DiskHealth;
use crate::store::space::SpaceState;

pub use speed::DiskSpeed;
use verdict::{Condition, Growth};
pub(super) use watch::Watch;

/// The `disk` part of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiskPart {
    /// Bytes this node may still use on the volume of its data directory.
    pub free_bytes: u64,
    /// Bytes of that volume.
    pub total_bytes: u64,
    /// Files it may still create there; absent where the file system has no such limit.
    pub free_inodes: Option<u64>,
    /// How that stands to the configured marks.
    pub state: SpaceState,
    /// Whether writes that would grow the registry are refused here for want of room.
    pub growth_refused: bool,
    /// How the disk answers.
    pub speed: DiskSpeed,
    /// Milliseconds within which 99 of 100 syncs ended, in the last second that had one.
    pub sync_p99_ms: u64,
    /// How often the disk stalled since the start.
    pub stalls: u64,
}

impl DiskPart {
    fn condition(&self) -> Condition {
        Condition {
            space: self.state,
            speed: self.speed,
        }
    }
}

/// Why a write is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It would grow the registry, and a majority has no room.
    Full,
    /// The disk does not answer.
    Stalled,
}

/// What the node knows of its disk. Shared by the watch and whoever takes writes.
pub(super) struct DiskDesk {
    health: DiskHealth,
    /// Guards the last judgement; held for a copy.
    judged: Mutex<Judged>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Judged {
    speed: DiskSpeed,
    sync_p99_ms: u64,
    stalls: u64,
    growth_refused: bool,
}

impl DiskDesk {
    pub(super) fn new(health: DiskHealth) -> Arc<Self> {
        Arc::new(Self {
            health,
            judged: Mutex::default(),
        })
    }

    /// As shown and told to the others.
    pub(super) fn part(&self) -> DiskPart {
        let report = self.health.space.report();
        let judged = *self.judged();
        let inodes = report.space.free_inodes;
        DiskPart {
            free_bytes: report.space.free_bytes,
            total_bytes: report.space.total_bytes,
            free_inodes: (inodes != u64::MAX).then_some(inodes),
            state: report.state,
            growth_refused: judged.growth_refused,
            speed: judged.speed,
            sync_p99_ms: judged.sync_p99_ms,
            stalls: judged.stalls,
        }
    }

    /// Whether `commands` may be taken, by what the voters' disks have room for.
    pub(super) fn admit(&self, commands: &[Command]) -> Result<(), Refusal> {
        match self.judged().growth_refused && commands.iter().any(grows) {
            true => Err(Refusal::Full),
            false => Ok(()),
        }
    }

    /// Whether a node that leads, or could, may take a write: not while its disk does not answer.
    pub(super) fn admit_as_leader(&self) -> Result<(), Refusal> {
        match self.judged().speed {
            DiskSpeed::Stalled => Err(Refusal::Stalled),
            DiskSpeed::Ok | DiskSpeed::Slow => Ok(()),
        }
    }

    /// Whether the disk answers.
    pub(super) fn is_stalled(&self) -> bool {
        self.judged().speed == DiskSpeed::Stalled
    }

    fn note_growth(&self, growth: Growth) {
        self.judged().growth_refused = growth == Growth::Refused;
    }

    /// Every change to it is one step: a panic elsewhere leaves it whole.
    fn judged(&self) -> MutexGuard<'_, Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a command makes the registry, and with it every later snapshot, larger.
pub(super) fn grows(command: &Command) -> bool {
    match command {
        Command::Register(_) | Command::PutStatus { .. } | Command::PutMetadata { .. } => true,
        Command::Renew { .. }
        | Command::RenewByName { .. }
        | Command::Cancel { .. }
        | Command::DeleteStatus { .. }
        | Command::Evict { .. }
        | Command::Settings(_) => false,
    }
}
