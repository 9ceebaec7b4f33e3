//! That all nodes have one state.
//!
//! Owns the comparison of state hashes, always on: whoever leads collects them every few seconds, tells
//! the odd one out, and tells everybody what was found. It may not repair a state. Invariant: a node
//! whose state differs from the majority's answers nothing any more from the moment it knows, and a
//! comparison that could not be made is never counted as passed.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::codec;
use crate::raft::{Divergence, Failure, HashPoint, MemberView, PeerIdentity, Raft};

use super::alarms::{AlarmBoard, AlarmKind};
use super::membership::closed;
use super::messages::{Answer, Request};
use judge::{Judgement, Odd, Reported, judge};

/// How often a leader compares.
const COMPARE_EVERY: Duration = Duration::from_secs(3);
/// How long a member may take to report, or to hear that it is odd.
const REPORT_MAX: Duration = Duration::from_secs(1);
/// Nobody is evicted for so long after writes were refused: heartbeats were refused with them.
const EVICT_AGAIN_AFTER: Duration = Duration::from_secs(90);
/// Whom [`AlarmKind::HashesSplit`] is about.
const EVERYBODY: &str = "cluster";

/// One node's hash where the nodes were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedHash {
    /// The node's name.
    pub node: String,
    /// The log index.
    pub index: u64,
    /// Its state hash there, 32 hex digits.
    pub hash: String,
}

/// What the leader found in its last round; told to every member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// By node id: the newest index at which its state was that of a majority of the voters.
    agreed: BTreeMap<u64, u64>,
    /// Whether no majority of the voters agrees.
    split: bool,
    /// What was compared.
    compared: Vec<ComparedHash>,
}

/// Tells a member that its state is not the majority's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Where it was seen.
    index: u64,
    /// The majority's hash there.
    hash: u128,
}

/// The `hashes` part of a status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HashesPart {
    /// The newest index at which this node's state is known to be the majority's; 0 if none is.
    pub checked_index: u64,
    /// Whether no majority agrees: writes are refused then.
    pub split: bool,
    /// What the leader last compared.
    pub compared: Vec<ComparedHash>,
}

/// One node's part in it.
pub(super) struct Agreement {
    raft: Raft,
    name: String,
    alarms: Arc<AlarmBoard>,
    diverged: AtomicBool,
    /// Guards what was last found; held for a copy.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    checked_index: u64,
    findings: Findings,
    /// When a split was last known.
    split_until: Option<Instant>,
    /// About whom this node, as leader, has raised an alarm.
    accused: BTreeSet<String>,
}

impl Agreement {
    pub(super) fn new(raft: Raft, name: String, alarms: Arc<AlarmBoard>) -> Arc<Self> {
        Arc::new(Self {
            raft,
            name,
            alarms,
            diverged: AtomicBool::new(false),
            known: Mutex::default(),
        })
    }

    /// Whether this node knows that its state is not the majority's.
    pub(super) fn is_diverged(&self) -> bool {
        self.diverged.load(Ordering::Relaxed)
    }

    /// Whether no majority agrees, as far as this node has heard.
    pub(super) fn is_split(&self) -> bool {
        self.known().findings.split
    }

    /// Whether leases may be ended: not while heartbeats are refused, nor before they had time again.
    pub(super) fn may_evict(&self) -> bool {
        let known = self.known();
        let rested = |until: Instant| until.elapsed() >= EVICT_AGAIN_AFTER;
        !known.findings.split && known.split_until.is_none_or(rested)
    }

    /// For the status.
    pub(super) fn part(&self) -> HashesPart {
        let known = self.known();
        HashesPart {
            checked_index: known.checked_index,
            split: known.findings.split,
            compared: known.findings.compared.clone(),
        }
    }

    /// Compares whenever this node leads; returns when Raft is gone.
    pub(super) async fn run(self: Arc<Self>) {
        let mut leadership = self.raft.leadership();
        loop {
            let leads = leadership.borrow_and_update().ready;
            if leads && !self.is_diverged() {
                self.compare().await;
            } else if !leads {
                self.clear_accusations(|_name| true);
            }
            if tokio::time::timeout(COMPARE_EVERY, closed(&mut leadership))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// Answers a leader's question with this node's points, and takes what it found.
    pub(super) fn report(&self, from: &PeerIdentity, findings: Findings) -> Vec<HashPoint> {
        if self.is_led_by(from) {
            self.take(findings);
        }
        self.raft.state().hash_points()
    }

    /// Hears a verdict: it stands if it is the leader's and this node's own hash there is another.
    pub(super) async fn hear(&self, from: &PeerIdentity, verdict: Verdict) -> bool {
        let points = self.raft.state().hash_points();
        let own = points.iter().find(|point| point.index == verdict.index);
        match own.filter(|point| point.hash != verdict.hash) {
            Some(point) if self.is_led_by(from) => {
                self.stop(Odd {
                    id: self.raft.me(),
                    index: point.index,
                    its: point.hash,
                    theirs: verdict.hash,
                })
                .await;
                true
            }
            _ => false,
        }
    }

    fn is_led_by(&self, from: &PeerIdentity) -> bool {
        let leader = self.raft.leadership().borrow().leader;
        leader.is_some() && leader == from.node_id
    }

    /// One round: collect, judge, tell.
    async fn compare(&self) {
        let members = self.raft.status().members;
        let findings = self.known().findings.clone();
        let reports: Vec<Reported> = join_all(
            members
                .iter()
                .map(|member| self.ask(member, findings.clone())),
        )
        .await;
        let voters = members.iter().filter(|member| member.voter).count();
        let judgement = judge(&reports, voters);
        self.take(self.findings(&judgement, &reports, &members));
        let agreed = |name: &str| {
            let id = members.iter().find(|view| view.member.name == name);
            // A member that was removed is nobody's concern any more.
            id.is_none_or(|view| judgement.agreed.contains_key(&view.member.id))
        };
        self.clear_accusations(agreed);
        for odd in judgement.odd {
            let name = name_of(&members, odd.id);
            self.accuse(&name, odd);
            if odd.id == self.raft.me() {
                self.stop(odd).await;
            } else {
                self.tell(odd).await;
            }
        }
    }

    async fn ask(&self, view: &MemberView, findings: Findings) -> Reported {
        let id = view.member.id;
        let points = if id == self.raft.me() {
            self.raft.state().hash_points()
        } else {
            match self.call(id, &Request::Hashes(findings)).await {
                Some(Answer::Hashes(points)) => points,
                _ => Vec::new(),
            }
        };
        Reported::new(id, view.voter, &points)
    }

    async fn tell(&self, odd: Odd) {
        let verdict = Verdict {
            index: odd.index,
            hash: odd.theirs,
        };
        // Not heard, it is told again in the next round.
        let _ = self.call(odd.id, &Request::Diverged(verdict)).await;
    }

    async fn call(&self, id: u64, request: &Request) -> Option<Answer> {
        let request = Bytes::from(codec::encode(request));
        let answer = self.raft.call(id, request, REPORT_MAX).await.ok()?;
        codec::decode(&answer, codec::CONTROL_MAX).ok()
    }

    fn findings(
        &self,
        judgement: &Judgement,
        reports: &[Reported],
        members: &[MemberView],
    ) -> Findings {
        let newest = judgement.agreed.values().max().copied();
        let odd = judgement.odd.first().map(|odd| odd.index);
        let shown = judgement.split_at.or(odd).or(newest).unwrap_or(0);
        let compared = reports.iter().filter_map(|report| {
            Some(ComparedHash {
                node: name_of(members, report.id),
                index: shown,
                hash: format!("{:032x}", report.at(shown)?),
            })
        });
        Findings {
            agreed: judgement.agreed.clone(),
            split: judgement.split_at.is_some(),
            compared: compared.collect(),
        }
    }

    /// Notes what was found, here or by the leader.
    fn take(&self, findings: Findings) {
        let mut known = self.known();
        if let Some(index) = findings.agreed.get(&self.raft.me()) {
            known.checked_index = known.checked_index.max(*index);
        }
        if known.findings.split || findings.split {
            known.split_until = Some(Instant::now());
        }
        let hashes = findings.compared.iter();
        let hashes: Vec<String> = hashes
            .map(|compared| format!("{} {}", compared.node, compared.hash))
            .collect();
        if findings.split {
            let index = findings.compared.first().map_or(0, |first| first.index);
            self.alarms.raise(
                AlarmKind::HashesSplit,
                EVERYBODY,
                format!("no majority at index {index}: {}", hashes.join(", ")),
                "writes are refused; eureka-raft status shows the hashes, then recover replace-disk on the wrong nodes",
            );
        } else {
            self.alarms.clear(AlarmKind::HashesSplit, EVERYBODY);
        }
        known.findings = findings;
    }

    fn accuse(&self, name: &str, odd: Odd) {
        let message = format!(
            "{name} has state hash {:032x} at index {}, the majority {:032x}",
            odd.its, odd.index, odd.theirs
        );
        let hint = "it ends with exit 74; if it differs again after a restart: eureka-raft recover replace-disk";
        self.alarms.raise(AlarmKind::Diverged, name, message, hint);
        self.known().accused.insert(name.to_owned());
    }

    fn clear_accusations(&self, over: impl Fn(&str) -> bool) {
        let mut known = self.known();
        known.accused.retain(|name| {
            let cleared = over(name);
            if cleared {
                self.alarms.clear(AlarmKind::Diverged, name);
            }
            !cleared
        });
    }

    /// The end of a node whose state is not the majority's: it answers nothing more, leaves leadership to
    /// one whose state is right, and has its process end.
    async fn stop(&self, odd: Odd) {
        if self.diverged.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(
            node = self.name,
            index = odd.index,
            "this node's state differs"
        );
        // Without a taker the others elect one when this process has ended.
        let _ = self.raft.transfer_leadership(None).await;
        let status = self.raft.status();
        self.raft.give_up(Failure::Diverged(Divergence {
            index: odd.index,
            ours: odd.its,
            theirs: odd.theirs,
            last: status.last,
            committed: status.committed,
            applied: status.applied,
            snapshot: status.snapshot,
            purged: status.purged,
        }));
    }

    /// Every change to it is one step: a panic elsewhere leaves it whole.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name_of(members: &[MemberView], id: u64) -> String {
    let found = members.iter().find(|view| view.member.id == id);
    found.map_or_else(|| id.to_string(), |view| view.member.name.clone())
}
