//! The connections between nodes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::net::{Listener, SharedNetwork};

use super::error::CallError;

/// Who a node says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerIdentity {
    /// The operator's name for it.
    pub name: String,
    /// The incarnation of its data directory.
    pub incarnation: u128,
    /// The cluster, once it knows it.
    pub cluster_id: Option<u128>,
    /// Its id in it, once it knows it.
    pub node_id: Option<u64>,
}

/// Why a peer does not do what it is asked; certainly nothing was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Not (yet) in a state to answer.
    #[error("not ready")]
    NotReady,
    /// The request makes no sense.
    #[error("malformed")]
    Malformed,
    /// Too many requests of this connection are being answered.
    #[error("overloaded")]
    Overloaded,
    /// The cluster of one of the two is not known yet, and this needs it.
    #[error("not before the cluster is known")]
    NoCluster,
}

/// Answers what peers ask on the application's channel.
pub trait PeerHandler: Send + Sync + 'static {
    /// Answers `request`, which `from` sent.
    fn handle(&self, from: PeerIdentity, request: Bytes) -> BoxFuture<'_, Result<Bytes, Refusal>>;
}

/// The connections of one node; cheap to clone.
#[derive(Clone)]
pub struct Peers;

impl Peers {
    /// Serves `listener` from now on.
    pub fn start(
        network: SharedNetwork,
        listener: Box<dyn Listener>,
        identity: PeerIdentity,
        handler: Arc<dyn PeerHandler>,
    ) -> Self {
        let _ = (network, listener, identity, handler);
        todo!()
    }

    /// From now on new connections say this.
    pub fn set_identity(&self, identity: PeerIdentity) {
        let _ = identity;
        todo!()
    }

    /// Asks whoever listens at `addr`, on the application's channel.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_addr(
        &self,
        addr: &str,
        request: Bytes,
        deadline: Duration,
    ) -> Result<(PeerIdentity, Bytes), CallError> {
        let _ = (addr, request, deadline);
        todo!()
    }

    /// Stops listening and closes every connection.
    pub async fn shutdown(&self) {
        todo!()
    }
}
