//! The node and its disk: what it says of it, and what it does about it.
//!
//! Owns the admission of writes while room is short or the disk does not answer, and the numbers shown.
//! It may not touch a file. `speed`, `sync_watch` and `verdict` judge, `watch`
//! looks and acts.

mod speed;
mod sync_watch;
mod verdict;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::raft::Raft;
use crate::registry::Command;
use crate::store::DiskHealth;
use crate::store::space::SpaceState;

use super::api::WriteError;

pub use speed::DiskSpeed;
use sync_watch::SyncWatch;
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

/// Why a forwarded batch is not taken.
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

    /// Whether this node's client may have `command` done: not if too many disks have no room for it, and
    /// not if it would wait for a disk that does not answer. A follower's own disk does not matter to what
    /// it forwards.
    pub(super) fn admit(&self, raft: &Raft, command: &Command) -> Result<(), WriteError> {
        let leader = raft.leadership().borrow().leader;
        let forwards = leader.is_some_and(|leader| leader != raft.me());
        let judged = *self.judged();
        if judged.growth_refused && grows(command) {
            return Err(WriteError::DiskFull);
        }
        match judged.speed == DiskSpeed::Stalled && !forwards {
            true => Err(WriteError::DiskStalled),
            false => Ok(()),
        }
    }

    /// Whether a batch that another node forwarded may be proposed here.
    pub(super) fn admit_forwarded(&self, commands: &[Command]) -> Result<(), Refusal> {
        let judged = *self.judged();
        if judged.growth_refused && commands.iter().any(grows) {
            return Err(Refusal::Full);
        }
        match judged.speed {
            DiskSpeed::Stalled => Err(Refusal::Stalled),
            DiskSpeed::Ok | DiskSpeed::Slow => Ok(()),
        }
    }

    /// Whether the disk answers.
    pub(super) fn is_stalled(&self) -> bool {
        self.judged().speed == DiskSpeed::Stalled
    }

    /// Looks at the syncs once.
    fn tick(&self, syncs: &mut SyncWatch) -> Judged {
        let mut judged = self.judged();
        syncs.tick(&mut judged);
        *judged
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

#[cfg(test)]
mod tests {
    use crate::registry::{AppName, InstanceId, InstanceStatus, Origin, Registration, Settings};
    use crate::store::MemFiles;
    use crate::store::space::SpaceLimits;
    use crate::wire::{Format, decode_registration};

    use super::*;

    /// One of each kind, with whether it grows the registry.
    fn commands() -> [(Command, bool); 9] {
        let (app, id) = (AppName::new("APP"), InstanceId::new("i1"));
        let (status, last_dirty_ms) = (InstanceStatus::Down, None);
        let named = || (app.clone(), id.clone());
        let put_status = |(app, id)| Command::PutStatus {
            app,
            id,
            status,
            last_dirty_ms,
        };
        let delete_status = |(app, id)| Command::DeleteStatus {
            app,
            id,
            status,
            last_dirty_ms,
        };
        let put_metadata = |(app, id)| Command::PutMetadata {
            app,
            id,
            entries: Vec::new(),
        };
        let renew_by_name = |(app, id)| Command::RenewByName {
            app,
            id,
            last_dirty_ms,
            origin: Origin::Client,
            overridden: None,
        };
        let renew = Command::Renew {
            slot: 0,
            generation: 0,
        };
        [
            (register(), true),
            (put_status(named()), true),
            (put_metadata(named()), true),
            (renew, false),
            (renew_by_name(named()), false),
            (Command::Cancel { app, id }, false),
            (
                delete_status((AppName::new("APP"), InstanceId::new("i1"))),
                false,
            ),
            (Command::Evict { max: 1 }, false),
            (Command::Settings(Settings::default()), false),
        ]
    }

    fn register() -> Command {
        let body =
            br#"{"instance":{"instanceId":"i1","hostName":"h","app":"APP","ipAddr":"10.0.0.1",
            "status":"UP","dataCenterInfo":{"@class":"c","name":"MyOwn"}}}"#;
        let instance = decode_registration(Format::Json, body, "APP").unwrap();
        Command::Register(Box::new(Registration {
            instance,
            origin: Origin::Client,
        }))
    }

    fn desk() -> Arc<DiskDesk> {
        let files = Arc::new(MemFiles::new());
        DiskDesk::new(DiskHealth::open(files, &SpaceLimits::default()).unwrap())
    }

    #[test]
    fn without_room_what_grows_is_refused_and_nothing_else_is() {
        let desk = desk();
        desk.note_growth(Growth::Refused);
        for (command, grows) in commands() {
            let admitted = desk.admit_forwarded(std::slice::from_ref(&command));
            let expected = if grows { Err(Refusal::Full) } else { Ok(()) };
            assert_eq!(admitted, expected, "{command:?}");
        }
        desk.note_growth(Growth::Taken);
        for (command, _) in commands() {
            assert_eq!(desk.admit_forwarded(&[command]), Ok(()));
        }
    }

    #[test]
    fn a_batch_is_refused_for_the_one_command_that_grows() {
        let desk = desk();
        desk.note_growth(Growth::Refused);
        let batch = commands().map(|(command, _)| command);
        assert_eq!(desk.admit_forwarded(&batch), Err(Refusal::Full));
    }

    #[test]
    fn a_leader_whose_disk_does_not_answer_takes_nothing() {
        let desk = desk();
        desk.judged().speed = DiskSpeed::Stalled;
        for (command, _) in commands() {
            assert_eq!(desk.admit_forwarded(&[command]), Err(Refusal::Stalled));
        }
        desk.judged().speed = DiskSpeed::Slow;
        assert_eq!(desk.admit_forwarded(&[register()]), Ok(()));
    }
}
