//! Another process with this node's data directory, or a copy of it.
//!
//! Owns the look at the address by which the cluster knows this node: whoever answers there as this very
//! incarnation, and is another process, is the member; then this one is the double and ends. Two of them
//! could each give the one vote there is. It may not ask anybody else.

use std::sync::Arc;
use std::time::Duration;

use super::error::Failure;
use super::peer::Peers;
use super::service::RaftService;
use super::watcher::Members;

/// The pause between two looks: by default shorter than a node that has just started waits before it votes
/// (`raft.election_timeout`, its upper end).
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// Looks before this node may stand for election, and from then on.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) service: Arc<RaftService>,
    pub(super) peers: Peers,
    pub(super) members: Members,
}

impl Look {
    /// Looks once: pends for ever if there is a double, which ends the node.
    pub(super) async fn once(&self) {
        let Some(me) = self.members.get(self.service.me) else {
            return;
        };
        if !self.peers.is_served_by_a_double(&me.peer_addr).await {
            return;
        }
        let why = format!(
            "another process answers at {} with this very data directory or a copy of it",
            me.peer_addr
        );
        self.service.failure.fail(Failure::Double(why));
        std::future::pending().await
    }

    /// Goes on looking.
    pub(super) async fn again_and_again(self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            self.once().await;
        }
    }
}
