//! Looks at the disk, and acts on what the voters' disks are like.
//!
//! Owns two loops: one looks at the volume, which may block and so is done on a blocking thread; the
//! other looks at the syncs and decides, and touches no disk, so that a disk that hangs cannot stop
//! the one that has to notice. It may not touch the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::raft::{Leadership, Raft, RaftStatus};
use crate::store::blocking;
use crate::store::space::{SpaceKeeper, SpaceReport, SpaceState};

use super::super::alarms::{AlarmBoard, AlarmKind};
use super::super::membership::Members;
use super::speed::{DiskSpeed, STALLED_AFTER};
use super::sync_watch::{SyncWatch, TICK};
use super::verdict::{self, HandOver, Leads, Other};
use super::{DiskDesk, Judged};

/// How often the volume is looked at while there is room.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is while room is short: what fills a disk is fast.
const LOOK_SHORT: Duration = Duration::from_millis(200);
/// How long after an attempt to hand leadership over the next one may be made.
const HAND_OVER_PAUSE: Duration = Duration::from_secs(10);
/// While room is short, a snapshot is built once the log has grown by this share of what one takes.
const COMPACT_SHARE: u64 = 4;
/// Less growth than this is never worth one, 128 KiB.
const COMPACT_MIN: u64 = 128 << 10;

/// What the watch needs.
#[derive(Clone)]
pub(in super::super) struct Watch {
    pub(in super::super) name: String,
    pub(in super::super) raft: Raft,
    pub(in super::super) desk: Arc<DiskDesk>,
    pub(in super::super) members: Arc<Members>,
    pub(in super::super) alarms: Arc<AlarmBoard>,
}

impl Watch {
    /// Watches until Raft is gone.
    pub(in super::super) async fn run(self) {
        let mut leadership = self.raft.leadership();
        let ended = async { while leadership.changed().await.is_ok() {} };
        tokio::select! {
            () = ended => {}
            () = self.watch_space() => {}
            () = self.watch_syncs() => {}
        }
    }

    /// Looks at the volume; has the log compacted while room is short.
    async fn watch_space(&self) {
        let mut compacting = JoinSet::new();
        loop {
            let space = Arc::clone(&self.desk.health.space);
            let report = match blocking(move || space.look()).await {
                Ok(report) => report,
                Err(error) => {
                    tracing::warn!(%error, "the volume of the data directory cannot be looked at");
                    self.desk.health.space.report()
                }
            };
            self.show_space(&report);
            while compacting.try_join_next().is_some() {}
            if compacting.is_empty() && self.compaction_is_due(&report) {
                compacting.spawn(compact(
                    self.raft.clone(),
                    Arc::clone(&self.desk.health.space),
                ));
            }
            sleep(if report.state == SpaceState::Ok {
                LOOK
            } else {
                LOOK_SHORT
            })
            .await;
        }
    }

    fn show_space(&self, report: &SpaceReport) {
        let alarm = |kind, state, hint| match report.state == state {
            true => self.alarms.raise(kind, &self.name, room(report), hint),
            false => self.alarms.clear(kind, &self.name),
        };
        alarm(
            AlarmKind::DiskLow,
            SpaceState::Low,
            "make room on the volume of node.data_dir, or enlarge it",
        );
        alarm(
            AlarmKind::DiskFull,
            SpaceState::Full,
            "make room on the volume of node.data_dir: the node recovers by itself",
        );
    }

    /// Whether the log has grown enough since the last snapshot, and a new one fits.
    fn compaction_is_due(&self, report: &SpaceReport) -> bool {
        let next = self.raft.snapshot_bytes_next();
        report.state != SpaceState::Ok
            && self.raft.bytes_since_snapshot() >= (next / COMPACT_SHARE).max(COMPACT_MIN)
            && self.desk.health.space.has_room_for(next)
    }

    /// Looks at the syncs ten times a second.
    async fn watch_syncs(&self) {
        let mut syncs = SyncWatch::new(&self.desk.health);
        let mut followed = Followed::new(self.raft.leadership());
        let mut handing_over = JoinSet::new();
        let mut next_hand_over = Instant::now();
        loop {
            sleep(TICK).await;
            let judged = self.desk.tick(&mut syncs);
            self.show_speed(&judged);
            let verdict = self.judge(&mut followed);
            self.desk.note_growth(verdict.growth);
            self.raft.set_candidacy(verdict.candidacy);
            while handing_over.try_join_next().is_some() {}
            if let HandOver::To(to) = verdict.hand_over
                && handing_over.is_empty()
                && Instant::now() >= next_hand_over
            {
                next_hand_over = Instant::now() + HAND_OVER_PAUSE;
                handing_over.spawn(hand_over(self.raft.clone(), to));
            }
        }
    }

    fn show_speed(&self, judged: &Judged) {
        let message = match judged.speed {
            DiskSpeed::Ok => return self.alarms.clear(AlarmKind::SlowDisk, &self.name),
            DiskSpeed::Slow => format!("99 of 100 syncs end within {} ms only", judged.sync_p99_ms),
            DiskSpeed::Stalled => {
                format!("a sync has not ended for {} s", STALLED_AFTER.as_secs())
            }
        };
        let hint = "look at the disk under node.data_dir, and at what else writes to it";
        self.alarms
            .raise(AlarmKind::SlowDisk, &self.name, message, hint);
    }

    fn judge(&self, followed: &mut Followed) -> verdict::Verdict {
        let status = self.raft.status();
        let leads = followed.leads(&status, self.raft.me());
        let others = self.others(&status);
        verdict::judge(self.desk.part().condition(), leads, &others)
    }

    fn others(&self, status: &RaftStatus) -> Vec<Other> {
        let disks = self.members.disks();
        let voters = status.members.iter().filter(|view| view.voter);
        let others = voters.filter(|view| view.member.id != self.raft.me());
        others
            .map(|view| Other {
                id: view.member.id,
                disk: disks.get(&view.member.id).map(super::DiskPart::condition),
                matched: view.matched.unwrap_or(0),
            })
            .collect()
    }
}

/// Who led when.
struct Followed {
    leadership: watch::Receiver<Leadership>,
    led_last: Instant,
}

impl Followed {
    fn new(leadership: watch::Receiver<Leadership>) -> Self {
        Self {
            leadership,
            led_last: Instant::now(),
        }
    }

    fn leads(&mut self, status: &RaftStatus, me: u64) -> Leads {
        let leader = self.leadership.borrow_and_update().leader;
        // Raft remembers a leader that it no longer hears.
        let heard = |leader: u64| {
            let view = status.members.iter().find(|view| view.member.id == leader);
            view.and_then(|view| view.heard_ms_ago)
                .is_some_and(|ago| ago <= LEADER_HEARD_MS_MAX)
        };
        match leader {
            Some(leader) if leader == me => {
                self.led_last = Instant::now();
                Leads::Me
            }
            Some(leader) if heard(leader) => {
                self.led_last = Instant::now();
                Leads::Another
            }
            _ => Leads::Nobody(self.led_last.elapsed()),
        }
    }
}

/// A leader not heard of for longer leads nobody.
const LEADER_HEARD_MS_MAX: u64 = 2_000;

async fn compact(raft: Raft, space: Arc<SpaceKeeper>) {
    let bytes = raft.snapshot_bytes_next();
    match blocking(move || space.make_room(bytes)).await {
        Ok(()) => raft.compact().await,
        Err(error) => tracing::warn!(%error, "no room could be made for a snapshot"),
    }
}

async fn hand_over(raft: Raft, to: Option<u64>) {
    tracing::warn!(
        to,
        "this leader's disk is full, slow or stalled: it steps aside"
    );
    if let Err(error) = raft.step_aside(to).await {
        tracing::warn!(%error, "leadership was not handed over");
    }
}

fn room(report: &SpaceReport) -> String {
    const MIB: u64 = 1 << 20;
    let space = &report.space;
    let inodes = match space.free_inodes {
        u64::MAX => String::new(),
        free => format!(" and {free} inodes"),
    };
    format!(
        "{} of {} MiB{inodes} are free; the marks are {} and {} MiB",
        space.free_bytes / MIB,
        space.total_bytes / MIB,
        report.marks.soft_bytes / MIB,
        report.marks.hard_bytes / MIB,
    )
}
