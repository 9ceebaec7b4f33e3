//! The watchdog over the log's syncs.
//!
//! Owns what is concluded from the gauge, tick by tick, the end of the process included when a sync does
//! not return. It may not touch the disk, wait, or read a clock: that is how it notices a disk that hangs.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{DiskHealth, FirstError, SyncGauge};

use super::Judged;
use super::speed::{DiskSpeed, GIVEN_UP_AFTER, STALLED_AFTER, Slowness, Stall};

/// How often the syncs are looked at.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Ticks in a second.
const TICKS: u32 = 10;

/// The watchdog of one disk.
pub(super) struct SyncWatch {
    syncs: Arc<SyncGauge>,
    failure: FirstError,
    stall: Stall,
    slowness: Slowness,
    ticks: u32,
}

impl SyncWatch {
    pub(super) fn new(health: &DiskHealth) -> Self {
        Self {
            syncs: Arc::clone(&health.syncs),
            failure: health.failure.clone(),
            stall: Stall::default(),
            slowness: Slowness::default(),
            ticks: 0,
        }
    }

    /// Looks once; to be called every [`TICK`]. Notes in `judged` how the disk answers. Time goes by ticks:
    /// a process that was stopped meanwhile has not seen its disk hang.
    pub(super) fn tick(&mut self, judged: &mut Judged) {
        let under_way = self.syncs.under_way().map(|(step, _)| step);
        let waited = self.stall.note(under_way, TICK);
        if waited >= GIVEN_UP_AFTER {
            let secs = GIVEN_UP_AFTER.as_secs();
            self.failure.set(&format!(
                "the disk hangs: a write or fdatasync of log/db or META has not returned for {secs} s"
            ));
        }
        self.ticks += 1;
        if self.ticks.is_multiple_of(TICKS) {
            self.slowness.note_second(self.syncs.take_ended(), waited);
        }
        let before = judged.speed;
        judged.speed = match (waited >= STALLED_AFTER, self.slowness.is_slow()) {
            (true, _) => DiskSpeed::Stalled,
            (false, true) => DiskSpeed::Slow,
            (false, false) => DiskSpeed::Ok,
        };
        let stalls = before != DiskSpeed::Stalled && judged.speed == DiskSpeed::Stalled;
        judged.stalls += u64::from(stalls);
        judged.sync_p99_ms = u64::try_from(self.slowness.p99().as_millis()).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use crate::store::MemFiles;
    use crate::store::space::SpaceLimits;

    use super::*;

    fn watched() -> (DiskHealth, SyncWatch) {
        let files = Arc::new(MemFiles::new());
        let health = DiskHealth::open(files, &SpaceLimits::default()).unwrap();
        let watch = SyncWatch::new(&health);
        (health, watch)
    }

    /// How the disk is judged after so many ticks.
    fn ticked(watch: &mut SyncWatch, judged: &mut Judged, ticks: u32) -> DiskSpeed {
        for _ in 0..ticks {
            watch.tick(judged);
        }
        judged.speed
    }

    #[tokio::test(start_paused = true)]
    async fn a_sync_that_does_not_return_stalls_the_disk_after_2_s_and_ends_the_process_after_10() {
        let (health, mut watch) = watched();
        let mut judged = Judged::default();
        let hangs = health.syncs.begin();
        assert_eq!(ticked(&mut watch, &mut judged, 20), DiskSpeed::Ok);
        assert_eq!(ticked(&mut watch, &mut judged, 1), DiskSpeed::Stalled);
        ticked(&mut watch, &mut judged, 79);
        assert_eq!(health.failure.get(), None);
        ticked(&mut watch, &mut judged, 1);
        let why = health.failure.get().unwrap();
        assert!(
            why.contains("the disk hangs") && why.contains("log/db"),
            "{why}"
        );
        assert_eq!(judged.stalls, 1);
        drop(hangs);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sync_that_returns_in_time_ends_the_stall() {
        let (health, mut watch) = watched();
        let mut judged = Judged::default();
        for stalls in 1..=2 {
            let hangs = health.syncs.begin_other();
            assert_eq!(ticked(&mut watch, &mut judged, 30), DiskSpeed::Stalled);
            drop(hangs);
            assert_eq!(ticked(&mut watch, &mut judged, 1), DiskSpeed::Ok);
            assert_eq!(judged.stalls, stalls);
        }
        assert_eq!(health.failure.get(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_in_which_the_process_was_stopped_is_not_the_disks() {
        let (health, mut watch) = watched();
        let mut judged = Judged::default();
        let _under_way = health.syncs.begin();
        ticked(&mut watch, &mut judged, 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(ticked(&mut watch, &mut judged, 2), DiskSpeed::Ok);
        assert_eq!(health.failure.get(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_seconds_of_slow_syncs_make_the_disk_slow() {
        let (health, mut watch) = watched();
        let mut judged = Judged::default();
        for _ in 0..10 {
            assert_eq!(judged.speed, DiskSpeed::Ok);
            let slow = health.syncs.begin();
            tokio::time::advance(Duration::from_millis(300)).await;
            drop(slow);
            ticked(&mut watch, &mut judged, 10);
        }
        assert_eq!((judged.speed, judged.sync_p99_ms), (DiskSpeed::Slow, 300));
    }
}
