//! What a node may not do yet because it has just started.
//!
//! Owns two waits. A node whose disk lost something might vote twice, or leave what it acknowledged:
//! so it neither votes nor acknowledges before it has shaken hands with a quorum, any of whom would
//! know better. And a node that restarts has forgotten that it lately followed a leader: so it gives
//! no vote for as long as that leader may count on it. It may not be closed again.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The start of one node.
#[derive(Debug)]
pub(super) struct StartGate {
    me: u64,
    /// Guards who was met since the start; held for an insertion.
    met: Mutex<BTreeSet<u64>>,
    met_quorum: watch::Sender<bool>,
    votes_from: Instant,
}

impl StartGate {
    /// A gate for a node that starts now. `quorums` are the sets of voters it knows of, each of which
    /// must be met by half; none means that this is a first start.
    pub(super) fn new(me: u64, quorums: &[BTreeSet<u64>], election_timeout_max: Duration) -> Self {
        let alone = quorums
            .iter()
            .all(|voters| voters.iter().all(|voter| *voter == me));
        let wait = if alone {
            Duration::ZERO
        } else {
            election_timeout_max
        };
        let gate = Self {
            me,
            met: Mutex::default(),
            met_quorum: watch::Sender::new(false),
            votes_from: Instant::now() + wait,
        };
        gate.look(quorums);
        gate
    }

    /// Notes that `node` was met and said nothing against this one.
    pub(super) fn met(&self, node: u64, quorums: &[BTreeSet<u64>]) {
        if *self.met_quorum.borrow() {
            return;
        }
        self.met
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(node);
        self.look(quorums);
    }

    fn look(&self, quorums: &[BTreeSet<u64>]) {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quorum = |voters: &BTreeSet<u64>| {
            let counted = voters
                .iter()
                .filter(|voter| **voter == self.me || met.contains(voter))
                .count();
            counted > voters.len() / 2
        };
        if quorums.iter().all(is_quorum) {
            self.met_quorum.send_replace(true);
        }
    }

    /// Whether entries may be acknowledged.
    pub(super) fn may_acknowledge(&self) -> bool {
        *self.met_quorum.borrow()
    }

    /// Whether votes may be given.
    pub(super) fn may_vote(&self) -> bool {
        self.may_acknowledge() && Instant::now() >= self.votes_from
    }

    /// Whether a vote may be given to whom the leader asked to take over: no leader counts on anybody then.
    pub(super) fn may_vote_for_successor(&self) -> bool {
        self.may_acknowledge()
    }

    /// Resolves when a quorum has been met.
    pub(super) async fn quorum_met(&self) {
        // The sender lives in `self`.
        let _ = self.met_quorum.subscribe().wait_for(|met| *met).await;
    }

    /// Resolves when votes may be given.
    pub(super) async fn opened(&self) {
        self.quorum_met().await;
        tokio::time::sleep_until(self.votes_from).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_first_start_and_a_single_node_wait_for_nobody() {
        assert!(StartGate::new(1, &[], WAIT).may_vote());
        assert!(StartGate::new(1, &[BTreeSet::from([1])], WAIT).may_vote());
    }

    #[tokio::test]
    async fn a_restarted_voter_waits_for_a_quorum_and_for_the_old_leaders_lease() {
        let quorums = [BTreeSet::from([1, 2, 3])];
        let gate = StartGate::new(1, &quorums, WAIT);
        assert!(!gate.may_acknowledge());
        gate.met(2, &quorums);
        assert!(gate.may_acknowledge() && !gate.may_vote());
        gate.opened().await;
        assert!(gate.may_vote());
    }

    #[tokio::test]
    async fn both_sets_of_voters_count_while_one_replaces_the_other() {
        let quorums = [BTreeSet::from([1, 2, 3]), BTreeSet::from([1, 4, 5])];
        let gate = StartGate::new(1, &quorums, WAIT);
        gate.met(2, &quorums);
        assert!(!gate.may_acknowledge());
        gate.met(5, &quorums);
        assert!(gate.may_acknowledge());
    }
}
