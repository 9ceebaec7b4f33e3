//! What a node says of itself, and whether it may serve.
//!
//! Owns the status document and the reasons against serving. It may not change anything, nor ask another
//! node: what it says is what is known here.

use crate::raft::{Goal, MemberView, RaftStatus, Receiving, Role};
use crate::registry::Protection;

use super::Node;
use super::agreement::HashesPart;
use super::api::{
    ClusterPart, DeltaPart, LogPart, NodePart, NodeStatus, RegistryPart, SnapshotReceiving,
    StatePart,
};
use super::disk::DiskPart;

impl Node {
    /// This node's own status.
    pub fn own_status(&self) -> NodeStatus {
        let identity = self.first_start.identity();
        let Some(running) = self.running.get() else {
            return starting_status(&identity.name, self.disk.part());
        };
        let raft = running.raft.status();
        let view = running.raft.state().view();
        let protection = running
            .raft
            .state()
            .with_registry(|registry| registry.protection(registry.lease_ms()));
        let name_of = |id: u64| {
            raft.members
                .iter()
                .find(|view| view.member.id == id)
                .map(|view| view.member.name.clone())
        };
        let voters = raft.members.iter().filter(|view| view.voter).count();
        NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: NodePart {
                name: identity.name,
                id: identity.node_id.unwrap_or(0),
                role: raft.role.as_str().to_owned(),
            },
            cluster: ClusterPart {
                id: identity
                    .cluster_id
                    .map_or_else(String::new, |id| format!("{id:032x}")),
                leader: raft.leader.filter(|_| self.is_led(&raft)).and_then(name_of),
                term: raft.term,
                voters: u64::try_from(voters).unwrap_or(u64::MAX),
                learners: u64::try_from(raft.members.len() - voters).unwrap_or(u64::MAX),
                settings_differ: *view.settings() != self.options.settings,
            },
            log: LogPart {
                last: raft.last,
                committed: raft.committed,
                applied: raft.applied,
                snapshot: raft.snapshot,
                purged: raft.purged,
                snapshot_receiving: raft
                    .receiving
                    .map(|Receiving { bytes, size }| SnapshotReceiving { bytes, size }),
                snapshots_refused: raft.snapshots_refused,
            },
            state: StatePart {
                index: view.index(),
                hash: format!("{:032x}", view.state_hash()),
            },
            registry: RegistryPart {
                applications: view.application_count(),
                instances: view.instance_count(),
            },
            protection,
            delta: DeltaPart {
                oldest_index: view.oldest_cursor(),
            },
            disk: self.disk.part(),
            hashes: running.agreement.part(),
            alarms: self.alarms.active(),
        }
    }

    /// Whether somebody leads, as far as this node can tell by whom it has heard of lately: a leader by a
    /// quorum of voters, everybody else by the leader. Raft itself remembers a leader it no longer hears.
    fn is_led(&self, status: &RaftStatus) -> bool {
        let heard = |view: &&MemberView| {
            view.heard_ms_ago
                .is_some_and(|ago| u128::from(ago) <= self.options.silence_max.as_millis())
        };
        let voters: Vec<&MemberView> = status.members.iter().filter(|view| view.voter).collect();
        match status.role {
            Role::Leader => voters.iter().copied().filter(heard).count() > voters.len() / 2,
            _ => status
                .members
                .iter()
                .filter(heard)
                .any(|view| Some(view.member.id) == status.leader),
        }
    }

    pub(super) fn why_not_ready(&self) -> Vec<String> {
        if self.is_stopping() {
            return vec!["stopping".to_owned()];
        }
        let Some(running) = self.running.get() else {
            return vec![self.first_start.waits_for()];
        };
        if running.agreement.is_diverged() {
            return vec!["its state differs from the majority's".to_owned()];
        }
        let status = running.raft.status();
        let mut reasons = Vec::new();
        if !self.is_led(&status) {
            reasons.push("no leader that reaches a quorum is known".to_owned());
        }
        match status
            .members
            .iter()
            .find(|view| view.member.id == running.raft.me())
        {
            None => reasons.push("not a member yet".to_owned()),
            Some(own) if !own.voter && own.member.goal != Goal::Stay => {
                reasons.push("not a voter yet".to_owned());
            }
            // A learner that stays one serves reads and forwards writes.
            Some(_) => {}
        }
        if self.disk.is_stalled() {
            reasons.push("the disk does not answer".to_owned());
        }
        if !running.reads.is_caught_up() {
            reasons.push("what was committed before the start is not all applied yet".to_owned());
        }
        if status.committed > status.applied + READY_LAG_MAX {
            let lag = status.committed - status.applied;
            reasons.push(format!("{lag} committed entries are not applied yet"));
        }
        reasons
    }
}

/// A node this many entries behind what it knows to be committed is not ready.
const READY_LAG_MAX: u64 = 100;

fn starting_status(name: &str, disk: DiskPart) -> NodeStatus {
    NodeStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: NodePart {
            name: name.to_owned(),
            id: 0,
            role: "starting".to_owned(),
        },
        cluster: ClusterPart {
            id: String::new(),
            leader: None,
            term: 0,
            voters: 0,
            learners: 0,
            settings_differ: false,
        },
        log: LogPart::default(),
        state: StatePart {
            index: 0,
            hash: format!("{:032x}", 0),
        },
        registry: RegistryPart::default(),
        protection: Protection {
            enabled: false,
            active: false,
            leases: 0,
            silent: 0,
            allowed_silent: 0,
        },
        delta: DeltaPart::default(),
        disk,
        hashes: HashesPart::default(),
        alarms: Vec::new(),
    }
}
