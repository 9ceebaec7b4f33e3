//! Follows openraft's metrics.
//!
//! Owns who leads, who the members are and whether openraft still lives, as the rest of the node sees
//! them. It may not hold openraft's lock on its metrics over an await: that stops its core.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;
use openraft::vote::RaftLeaderId;
use openraft::{RaftMetrics, ServerState};
use tokio::sync::watch;

use super::error::Failure;
use super::failure::FailureCell;
use super::peer::Peers;
use super::removed::RemovedMembers;
use super::service::Core;
use super::status::{Leadership, MemberView, RaftStatus, Role};
use super::types::{LogId, Member, Membership, TypeConfig};

pub(super) type Metrics = RaftMetrics<TypeConfig>;

/// The members, by id. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    /// Guards the map; held for a copy.
    by_id: Arc<Mutex<Arc<BTreeMap<u64, Member>>>>,
}

impl Members {
    pub(super) fn get(&self, id: u64) -> Option<Member> {
        self.all().get(&id).cloned()
    }

    pub(super) fn all(&self) -> Arc<BTreeMap<u64, Member>> {
        Arc::clone(&self.by_id.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over a membership; whether it was new.
    pub(super) fn update(&self, membership: &Membership) -> bool {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let new = !membership.nodes().eq(by_id.iter());
        if new {
            *by_id = Arc::new(
                membership
                    .nodes()
                    .map(|(id, member)| (*id, member.clone()))
                    .collect(),
            );
        }
        new
    }
}

/// Who leads, by the metrics of node `me`.
pub(super) fn leadership(metrics: &Metrics, me: u64) -> Leadership {
    let leads = metrics.state == ServerState::Leader && metrics.current_leader == Some(me);
    let applied_in_term = metrics.last_applied.is_some_and(|applied| {
        let leader = applied.committed_leader_id();
        leader.term() == metrics.current_term && *leader.node_id() == me
    });
    // openraft names a leader that the others may have left for as long as nobody says otherwise, and
    // itself only while it leads.
    let leader = metrics
        .current_leader
        .filter(|leader| *leader != me || leads);
    Leadership {
        term: metrics.current_term,
        leader,
        ready: leads && applied_in_term,
    }
}

/// What to run beside openraft.
pub(super) struct Watcher {
    pub(super) core: Core,
    pub(super) me: u64,
    pub(super) members: Members,
    /// Dropped when Raft has ended: that is how everybody hears of it.
    pub(super) leadership: watch::Sender<Leadership>,
    pub(super) failure: FailureCell,
    pub(super) removed: RemovedMembers,
    pub(super) peers: Peers,
    /// This node's data directory.
    pub(super) incarnation: u128,
    /// Whether the end of Raft is wanted.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Watcher {
    /// Follows the metrics until openraft has ended.
    pub(super) async fn run(self) {
        let mut metrics = self.core.metrics();
        loop {
            let ended = {
                let now = metrics.borrow_and_update();
                if self.members.update(now.membership_config.membership()) {
                    self.peers.keep_links_to(&self.members.all());
                }
                self.look_for_removal(&now);
                let leadership = leadership(&now, self.me);
                self.leadership
                    .send_if_modified(|known| std::mem::replace(known, leadership) != leadership);
                now.running_state.clone().err()
            };
            if let Some(fatal) = ended {
                return self.ended(&fatal);
            }
            if metrics.changed().await.is_err() {
                return self.ended(&Fatal::Stopped);
            }
        }
    }

    /// A removed leader goes on until another leads: only then nobody waits for it.
    fn look_for_removal(&self, now: &Metrics) {
        let member = now.membership_config.membership().get_node(&self.me);
        if member.is_some() || now.state == ServerState::Leader {
            return;
        }
        if let Some(index) = self.removed.index_of(self.incarnation) {
            self.failure.fail(Failure::Removed(index));
        }
    }

    fn ended(&self, fatal: &Fatal<TypeConfig>) {
        let failure = match fatal {
            Fatal::StorageError(error) => Failure::Storage(error.to_string()),
            Fatal::Panicked => Failure::Internal("openraft panicked".to_owned()),
            Fatal::Stopped if *self.stopping.borrow() => return,
            Fatal::Stopped => Failure::Internal("openraft ended by itself".to_owned()),
        };
        self.failure.fail(failure);
    }
}

/// The status by `metrics`; `heard_ms_ago` knows the other nodes.
pub(super) fn status(
    metrics: &Metrics,
    me: u64,
    heard_ms_ago: impl Fn(u64) -> Option<u64>,
) -> RaftStatus {
    let leadership = leadership(metrics, me);
    let index = |id: &Option<LogId>| id.as_ref().map_or(0, LogId::index);
    let membership = metrics.membership_config.membership();
    let voters: Vec<u64> = membership.voter_ids().collect();
    let matched = |id: u64| {
        metrics
            .replication
            .as_ref()?
            .get(&id)?
            .as_ref()
            .map(LogId::index)
    };
    let members = membership.nodes().map(|(id, member)| MemberView {
        member: member.clone(),
        voter: voters.contains(id),
        matched: matched(*id),
        heard_ms_ago: if *id == me {
            Some(0)
        } else {
            heard_ms_ago(*id)
        },
    });
    RaftStatus {
        role: role(metrics.state),
        term: leadership.term,
        leader: leadership.leader,
        last: metrics.last_log_index.unwrap_or(0),
        committed: index(&metrics.local_committed).max(index(&metrics.last_applied)),
        applied: index(&metrics.last_applied),
        snapshot: index(&metrics.snapshot),
        purged: index(&metrics.purged),
        receiving: None,
        snapshots_refused: 0,
        members: members.collect(),
        members_at: index(metrics.membership_config.log_id()),
        joint: membership.get_joint_config().len() > 1,
    }
}

fn role(state: ServerState) -> Role {
    match state {
        ServerState::Leader => Role::Leader,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Learner => Role::Learner,
        ServerState::Shutdown => Role::Stopped,
    }
}
