//! What this node says of itself.
//!
//! Owns how `/v1/status` is put together from Raft, the registry and the disk. It may not judge any of it.

use crate::raft::Receiving;
use crate::registry::Protection;

use super::api::{ClusterPart, DeltaPart, LogPart, NodePart, NodeStatus, RegistryPart, StatePart};
use super::disk::DiskPart;
use super::{HashesPart, Node, SnapshotReceiving};

impl Node {
    /// This node's own status.
    pub fn own_status(&self) -> NodeStatus {
        let identity = self.first_start.identity();
        let Some(running) = self.running.get() else {
            return NodeStatus::starting(&identity.name, self.disk.part());
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
}

impl NodeStatus {
    /// Of a node that has not opened its log yet.
    pub(super) fn starting(name: &str, disk: DiskPart) -> Self {
        Self {
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
}
