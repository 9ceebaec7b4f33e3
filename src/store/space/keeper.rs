//! Keeps an eye on the volume, and the ballast in step with it.
//!
//! Owns the last look, the state derived from it, and when ballast is given up or made again. It may
//! not touch a file of the log: its writer asks here before it writes.
//!
//! Ballast is given up by who is about to write, just before, and no more of it than that takes: what
//! is given up earlier is taken by whatever fills the disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::error::OpenError;
use super::super::files::SharedFiles;
use super::ballast::Ballast;
use super::marks::{Marks, SpaceLimits};
use super::{Space, SpaceState};

/// What has to stay free beside what is about to be written, 1 MiB: two segments of sled, which moves
/// pages in the background.
pub const ROOM_MIN: u64 = 1 << 20;
/// Fewer free inodes than this give up ballast too: a snapshot takes one, sled at its opening another.
const INODES_MIN: u64 = 2;

/// What was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceReport {
    /// The volume.
    pub space: Space,
    /// How it stands to the marks.
    pub state: SpaceState,
    /// The marks.
    pub marks: Marks,
    /// Bytes of ballast that were given up and not made again yet.
    pub ballast_missing: u64,
}

/// The volume under one data directory.
pub struct SpaceKeeper {
    files: SharedFiles,
    /// Set while the volume is low or full: only then does the writer ask before it writes.
    short: AtomicBool,
    /// Guards the last look and the ballast; held over a `statvfs` and a removal.
    kept: Mutex<Kept>,
}

struct Kept {
    report: SpaceReport,
    ballast: Ballast,
}

impl SpaceKeeper {
    /// Looks for the first time; on a full volume gives up as much ballast as a start needs. Blocks.
    ///
    /// # Errors
    /// [`OpenError::Io`] if the volume cannot be looked at, or the ballast not be listed.
    pub fn open(files: SharedFiles, limits: &SpaceLimits) -> Result<Self, OpenError> {
        let space = files
            .space()
            .map_err(OpenError::io("look at the volume's free space"))?;
        let marks = Marks::of(limits, &space);
        let ballast = Ballast::open(files.clone(), marks.ballast_bytes)
            .map_err(OpenError::io("look at the ballast"))?;
        let report = SpaceReport {
            space,
            state: SpaceState::Ok,
            marks,
            ballast_missing: ballast.missing_bytes(),
        };
        let keeper = Self {
            files,
            short: AtomicBool::new(false),
            kept: Mutex::new(Kept { report, ballast }),
        };
        let mut kept = keeper.kept();
        // The first judgement knows no state before: ballast that was never made is not missing room.
        kept.report.state = marks.judge(SpaceState::Ok, &space);
        keeper.note_short(&kept);
        let given = keeper.give_up_ballast(&mut kept, 0);
        drop(kept);
        given.map_err(OpenError::io("give up ballast"))?;
        Ok(keeper)
    }

    /// What was seen last. Does not block on the disk.
    pub fn report(&self) -> SpaceReport {
        self.kept().report
    }

    /// Looks again, and makes one missing piece of ballast again if there is room for all. Blocks.
    ///
    /// # Errors
    /// The operating system's; what was known before stays.
    pub fn look(&self) -> io::Result<SpaceReport> {
        let space = self.files.space()?;
        let mut kept = self.kept();
        kept.report.space = space;
        self.judge(&mut kept);
        let report = kept.report;
        let piece = (report.state < SpaceState::Full)
            .then(|| kept.ballast.next_piece())
            .flatten();
        drop(kept);
        let Some(piece) = piece else {
            return Ok(report);
        };
        match piece.make() {
            Ok(()) => {
                let mut kept = self.kept();
                kept.ballast.adopt(&piece);
                self.judge(&mut kept);
                Ok(kept.report)
            }
            // Somebody else was faster: the next look knows.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(report),
            Err(error) => Err(error),
        }
    }

    /// Sees to it, as far as there is ballast, that `bytes` can be written. Costs nothing while there is
    /// room; else one `statvfs`. Blocks.
    ///
    /// # Errors
    /// The operating system's.
    pub fn make_room(&self, bytes: u64) -> io::Result<()> {
        if !self.short.load(Ordering::Relaxed) {
            return Ok(());
        }
        let space = self.files.space()?;
        let mut kept = self.kept();
        kept.report.space = space;
        self.give_up_ballast(&mut kept, bytes)
    }

    /// Whether `bytes` can be written with what the ballast could still give. Does not block on the disk.
    pub fn has_room_for(&self, bytes: u64) -> bool {
        let kept = self.kept();
        let free = kept.report.space.free_bytes;
        let left = free.saturating_add(kept.ballast.held_bytes());
        left >= bytes.saturating_add(ROOM_MIN / 4)
    }

    fn give_up_ballast(&self, kept: &mut Kept, bytes: u64) -> io::Result<()> {
        let wanted = ROOM_MIN.saturating_add(bytes);
        while kept.report.space.free_bytes < wanted || kept.report.space.free_inodes < INODES_MIN {
            if !kept.ballast.release_one()? {
                break;
            }
            kept.report.space = self.files.space()?;
            self.judge(kept);
            tracing::warn!(
                free_bytes = kept.report.space.free_bytes,
                ballast_missing = kept.report.ballast_missing,
                "the disk is full: ballast was given up"
            );
        }
        Ok(())
    }

    /// Derives the state. Ballast that is to be made again is not free.
    fn judge(&self, kept: &mut Kept) {
        kept.report.ballast_missing = kept.ballast.missing_bytes();
        let mut spare = kept.report.space;
        spare.free_bytes = spare.free_bytes.saturating_sub(kept.report.ballast_missing);
        spare.free_inodes = spare.free_inodes.saturating_sub(kept.ballast.missing());
        kept.report.state = kept.report.marks.judge(kept.report.state, &spare);
        self.note_short(kept);
    }

    fn note_short(&self, kept: &Kept) {
        let short = kept.report.state != SpaceState::Ok;
        self.short.store(short, Ordering::Relaxed);
    }

    /// Every change to it is whole before anything can fail.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SpaceKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpaceKeeper")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}
