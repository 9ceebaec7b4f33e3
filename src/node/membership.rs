//! What this node knows of the other members.
//!
//! Owns the table of members for the page and for `status`: Raft's membership, joined with what each
//! member last said of itself. It may not change the membership. The table is refreshed once a second
//! by one small question to each peer, so that showing it costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::codec;
use crate::raft::{Goal, MemberView, Raft, RaftStatus};

use super::api::{MemberStatus, NodeStatus};
use super::disk::DiskPart;
use super::messages::{Answer, Request};

/// How often each peer is asked.
const POLL: Duration = Duration::from_secs(1);
/// How long a peer may take to answer.
const POLL_MAX: Duration = Duration::from_millis(800);

/// What the members last said.
#[derive(Default)]
pub(super) struct Members {
    /// Guards the last answers, by node id, `None` from who gave none; held for a copy. A member that is not in it
    /// was not asked yet.
    said: Mutex<BTreeMap<u64, Option<NodeStatus>>>,
}

impl Members {
    /// Asks the others once a second; returns when Raft is gone.
    pub(super) async fn poll(&self, raft: &Raft) {
        let mut leadership = raft.leadership();
        loop {
            self.refresh(raft).await;
            if tokio::time::timeout(POLL, closed(&mut leadership))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// Asks the others once, now.
    pub(super) async fn refresh(&self, raft: &Raft) {
        let others = raft
            .status()
            .members
            .into_iter()
            .filter(|member| member.member.id != raft.me());
        let asked = others.map(|member| async move {
            (member.member.id, ask_status(raft, member.member.id).await)
        });
        let answers = futures_util::future::join_all(asked).await;
        self.note(answers);
    }

    /// Who answered when they were last asked.
    pub(super) fn alive(&self) -> BTreeSet<u64> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = said.iter().filter(|(_, answer)| answer.is_some());
        answered.map(|(id, _)| *id).collect()
    }

    /// The index and the hash of the state a member last had, by its own word.
    pub(super) fn state_of(&self, id: u64) -> Option<(u64, u128)> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &said.get(&id)?.as_ref()?.state;
        Some((state.index, u128::from_str_radix(&state.hash, 16).ok()?))
    }

    /// What the others last said of their disks, by node id; without those who did not answer.
    pub(super) fn disks(&self) -> BTreeMap<u64, DiskPart> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let disk = |(id, answer): (&u64, &Option<NodeStatus>)| Some((*id, answer.as_ref()?.disk));
        said.iter().filter_map(disk).collect()
    }

    /// The table, `own` being this node's status.
    pub(super) fn table(&self, raft: &Raft, own: &NodeStatus) -> Vec<MemberStatus> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let status = raft.status();
        status
            .members
            .iter()
            .map(|member| {
                let own = (member.member.id == raft.me()).then_some(own);
                let asked = said.get(&member.member.id).map(Option::as_ref);
                row(member, &status, own.map(Some).or(asked))
            })
            .collect()
    }

    fn note(&self, answers: Vec<(u64, Option<NodeStatus>)>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        *said = answers.into_iter().collect();
    }
}

/// Pends while there is a Raft.
pub(super) async fn closed(leadership: &mut tokio::sync::watch::Receiver<crate::raft::Leadership>) {
    while leadership.changed().await.is_ok() {}
}

async fn ask_status(raft: &Raft, id: u64) -> Option<NodeStatus> {
    let answer = raft
        .call(id, Bytes::from(codec::encode(&Request::Status)), POLL_MAX)
        .await
        .ok()?;
    match codec::decode(&answer, codec::CONTROL_MAX) {
        Ok(Answer::Status(status)) => Some(*status),
        _ => None,
    }
}

/// Silence is only what was asked for: otherwise a node that runs could be replaced through one that has just
/// started.
fn is_reachable(last: Option<Option<&NodeStatus>>) -> bool {
    !matches!(last, Some(None))
}

/// `last` is what the member answered when it was last asked, if it ever was.
fn row(
    member: &MemberView,
    status: &RaftStatus,
    last: Option<Option<&NodeStatus>>,
) -> MemberStatus {
    let said = last.flatten();
    let role = match (Some(member.member.id) == status.leader, member.voter) {
        (true, _) => "leader",
        (false, true) => "voter",
        (false, false) => "learner",
    };
    let seat = match (member.voter, member.member.goal) {
        (false, Goal::Stay) => "learner",
        _ => "voter",
    };
    let replaces = match member.member.goal {
        Goal::Replace(old) if !member.voter => name_of(status, old),
        _ => None,
    };
    MemberStatus {
        id: member.member.id,
        name: member.member.name.clone(),
        role: role.to_owned(),
        seat: seat.to_owned(),
        replaces,
        lag: said.map(|said| status.committed.saturating_sub(said.log.applied)),
        peer: member.member.peer_addr.clone(),
        http: member.member.http_addr.clone(),
        reachable: is_reachable(last),
        matched: member
            .matched
            .or_else(|| said.map(|status| status.log.last)),
        applied: said.map(|status| status.log.applied),
        term: said.map(|status| status.cluster.term),
        state: said.map(|status| status.state.clone()),
        snapshot_receiving: said.and_then(|status| status.log.snapshot_receiving),
    }
}

fn name_of(status: &RaftStatus, id: u64) -> Option<String> {
    let view = status.members.iter().find(|view| view.member.id == id)?;
    Some(view.member.name.clone())
}

#[cfg(test)]
mod tests {
    use super::is_reachable;

    #[test]
    fn only_a_member_that_was_asked_can_be_silent() {
        assert!(is_reachable(None), "not asked yet");
        assert!(!is_reachable(Some(None)), "asked, without an answer");
    }
}
