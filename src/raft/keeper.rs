//! Keeps what nodes remember of each other fresh and on disk.
//!
//! Owns one round a second: what a leader knows of its followers is remembered, every peer is told what
//! this node's disk holds, and what has changed is written. It may not hold anything up: a peer or a disk
//! that does not answer costs freshness, not a write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use tokio::time::{MissedTickBehavior, interval};

use crate::store::blocking;
use crate::store::peer_memory::MemoryFile;

use super::peer::{Past, Peers, Question};
use super::service::RaftService;
use super::watcher::Members;

/// The pause between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// How long telling one peer may take.
const TELL_MAX: Duration = Duration::from_millis(500);

/// Keeps one node's memory.
pub(super) struct Keeper {
    service: Arc<RaftService>,
    peers: Peers,
    members: Members,
    /// One writer at a time: a round's, or the last before the end. Held over a write, on its thread.
    file: Arc<Mutex<MemoryFile>>,
}

impl Keeper {
    pub(super) fn new(
        service: &Arc<RaftService>,
        peers: &Peers,
        members: &Members,
        file: MemoryFile,
    ) -> Arc<Self> {
        Arc::new(Self {
            service: Arc::clone(service),
            peers: peers.clone(),
            members: members.clone(),
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Goes round until it is aborted.
    pub(super) async fn run(self: Arc<Self>) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = BTreeMap::new();
        loop {
            rounds.tick().await;
            self.forget_who_left();
            self.round(&mut told).await;
        }
    }

    /// The last round of a node that stops: an older copy of its directory is found out from then on.
    pub(super) async fn finish(&self) {
        self.round(&mut BTreeMap::new()).await;
    }

    async fn round(&self, told: &mut BTreeMap<u64, Past>) {
        self.note_followers();
        self.tell_peers(told).await;
        self.write().await;
    }

    /// A leader knows what its followers have stored: openraft forgets it with the leadership.
    fn note_followers(&self) {
        let followers: Vec<(u64, u128)> = {
            let metrics = self.service.core.metrics();
            let now = metrics.borrow_watched();
            let Some(replication) = now.replication.as_ref() else {
                return;
            };
            let membership = now.membership_config.membership();
            let bound = replication.keys().filter_map(|id| {
                let member = membership.get_node(id)?;
                Some((*id, member.incarnation))
            });
            bound.filter(|(id, _)| *id != self.service.me).collect()
        };
        for (id, incarnation) in followers {
            self.service.keep_in_mind(id, incarnation);
        }
    }

    fn forget_who_left(&self) {
        let members = self.members.all();
        self.service
            .suspects
            .retain(|name| members.values().any(|member| member.name == name));
    }

    /// Says what this node's disk holds to everybody who has not heard it yet.
    async fn tell_peers(&self, told: &mut BTreeMap<u64, Past>) {
        let past = self.service.past();
        let members = self.members.all();
        told.retain(|id, _| members.contains_key(id));
        let others = members
            .values()
            .filter(|member| member.id != self.service.me)
            .filter(|member| told.get(&member.id) != Some(&past));
        let telling = others.map(|member| async {
            let told = self.peers.ask(member, Question::Remember(past), TELL_MAX);
            (member.id, told.await.is_ok())
        });
        for (id, heard) in futures_util::future::join_all(telling).await {
            if heard {
                told.insert(id, past);
            }
        }
    }

    /// Writes what has changed. A disk that fails here fails for the log, too, which ends the node: this
    /// file alone never does.
    async fn write(&self) {
        let Some(rows) = self.service.memories.take_changed() else {
            return;
        };
        let file = Arc::clone(&self.file);
        let write = move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write(&rows)
        };
        if let Err(error) = blocking(write).await {
            tracing::warn!(%error, "what is remembered of the peers could not be written");
            self.service.memories.not_written();
        }
    }
}
