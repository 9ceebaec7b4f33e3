//! Joining a cluster that runs: the side of the empty node.
//!
//! Owns how an empty node asks to be a member until it is one. It may not found a cluster. Invariant:
//! cluster and id are on disk before this node takes part in anything.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use crate::raft::Peers;
use crate::store::blocking;
use crate::store::identity::{JoinMark, PlannedMember};

use super::first_start::{FirstStart, FirstStartError, ask};
use super::messages::{Answer, JoinAnswer, JoinRequest, Plan, Request};
use super::operator::AdminRefusal;

/// How long an answer may take: the leader looks whether it reaches this node, and asks the log.
const ASK_MAX: Duration = Duration::from_secs(4);
/// The pause between two rounds of asking.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Addresses asked in one round, those included that others name: two members that take each other for
/// the leader must not keep a round going.
const ROUND_MAX: usize = 16;

impl FirstStart {
    /// Asks until the cluster has made this node a member, and stores that.
    ///
    /// # Errors
    /// [`FirstStartError`] when it never will.
    pub(super) async fn be_admitted(
        &self,
        peers: &Peers,
        mark: &JoinMark,
    ) -> Result<Plan, FirstStartError> {
        while self.is_joining() {
            match self.ask_round(peers, mark).await? {
                Some((cluster_id, id)) => self.bind(cluster_id, id).await?,
                None => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
        Ok(self.plan())
    }

    /// Asks every address once, and whom they name.
    async fn ask_round(
        &self,
        peers: &Peers,
        mark: &JoinMark,
    ) -> Result<Option<(u128, u64)>, FirstStartError> {
        let mut left: VecDeque<String> = mark.via.iter().cloned().collect();
        let mut obstacle = format!("no member answers at {}", mark.via.join(", "));
        for _ in 0..ROUND_MAX {
            let Some(addr) = left.pop_front() else { break };
            match self.ask_one(peers, &addr, mark).await {
                Some(JoinAnswer::Admitted { cluster_id, id }) => return Ok(Some((cluster_id, id))),
                Some(JoinAnswer::Ask(leader)) if leader != addr => left.push_front(leader),
                Some(JoinAnswer::Ask(_)) | None => {}
                Some(JoinAnswer::Later(reason)) => obstacle = format!("{addr} says: {reason}"),
                Some(JoinAnswer::Refused(cluster, refusal)) => {
                    return Err(self.never(cluster, refusal));
                }
            }
        }
        self.set_obstacle(obstacle);
        Ok(None)
    }

    async fn ask_one(&self, peers: &Peers, addr: &str, mark: &JoinMark) -> Option<JoinAnswer> {
        let request = Request::Join(JoinRequest {
            member: self.me.clone(),
            replaces: mark.replaces,
        });
        match ask(peers, addr, &request, ASK_MAX).await {
            Some(Answer::Join(answer)) => Some(answer),
            _ => None,
        }
    }

    fn never(&self, cluster: u128, refusal: AdminRefusal) -> FirstStartError {
        match refusal {
            AdminRefusal::NameTaken { .. } => self.bound_to_another(cluster),
            AdminRefusal::Removed(index) => FirstStartError::Removed(index),
            other => FirstStartError::Refused(other),
        }
    }

    async fn bind(&self, cluster_id: u128, id: u64) -> Result<(), FirstStartError> {
        let own = PlannedMember {
            id,
            ..self.me.clone()
        };
        let file = self.file.clone();
        let stored = blocking(move || {
            file.update(|identity| {
                identity.cluster_id = Some(cluster_id);
                identity.node_id = Some(id);
                identity.plan = vec![own];
                identity.join = None;
            })
        });
        stored.await?;
        tracing::info!(
            cluster = format!("{cluster_id:032x}"),
            id,
            "admitted to a cluster"
        );
        Ok(())
    }

    fn set_obstacle(&self, obstacle: String) {
        let mut shown = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != obstacle {
            tracing::info!(obstacle, "waiting to join a cluster");
        }
        *shown = obstacle;
    }
}
