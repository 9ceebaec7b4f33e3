//! What this node answers its peers, above Raft.
//!
//! Owns the way of a request from a peer to the first start, the batcher or the status. It may not
//! forward anything: what it cannot do here it refuses.

use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::codec;
use crate::raft::{PeerHandler, PeerIdentity, Refusal};
use crate::registry::Command;
use crate::store::blocking;

use super::Node;
use super::batcher::{Fate, Refused};
use super::disk;
use super::first_start::FirstStart;
use super::messages::{Answer, ForwardAnswer, Plan, PlanAnswer, Probe, ProbeAnswer, Request};

/// Answers peers from the first connection on, before there is a Raft to speak of.
pub struct PeerDesk {
    first_start: Arc<FirstStart>,
    /// Weak, as the node holds the connections that hold this desk.
    node: OnceLock<Weak<Node>>,
}

impl PeerDesk {
    /// A desk for a node that may still be starting.
    pub fn new(first_start: Arc<FirstStart>) -> Arc<Self> {
        Arc::new(Self {
            first_start,
            node: OnceLock::new(),
        })
    }

    /// From now on batches and status go to `node`.
    pub fn open(&self, node: &Arc<Node>) {
        let fresh = self.node.set(Arc::downgrade(node)).is_ok();
        assert!(fresh, "a desk opens once");
    }

    fn node(&self) -> Option<Arc<Node>> {
        self.node.get()?.upgrade()
    }

    async fn answer(&self, from: &PeerIdentity, request: Request) -> Result<Answer, Refusal> {
        match request {
            Request::Forward(_) if !self.is_of_my_cluster(from) => Err(Refusal::NoCluster),
            Request::Forward(commands) => Ok(Answer::Forward(self.forwarded(commands).await)),
            Request::Probe(probe) => Ok(Answer::Probe(self.probed(&probe))),
            Request::StorePlan(plan) => self.store_plan(plan).await.map(Answer::StorePlan),
            Request::Admin(_) if !self.is_of_my_cluster(from) => Err(Refusal::NoCluster),
            Request::Admin(order) => {
                let node = self.node().ok_or(Refusal::NotReady)?;
                let result = node.operate_here(order).await;
                Ok(Answer::Admin(Box::new(result)))
            }
            Request::Hashes(_) | Request::Diverged(_) if !self.is_of_my_cluster(from) => {
                Err(Refusal::NoCluster)
            }
            Request::Hashes(findings) => {
                let node = self.node().ok_or(Refusal::NotReady)?;
                let agreement = node.agreement().ok_or(Refusal::NotReady)?;
                Ok(Answer::Hashes(agreement.report(from, findings)))
            }
            Request::Diverged(verdict) => {
                let node = self.node().ok_or(Refusal::NotReady)?;
                let agreement = node.agreement().ok_or(Refusal::NotReady)?;
                Ok(Answer::Diverged(agreement.hear(from, verdict).await))
            }
            Request::Join(request) => {
                let node = self.node().ok_or(Refusal::NotReady)?;
                Ok(Answer::Join(node.admit(request).await))
            }
            Request::Status => self
                .node()
                .map(|node| Answer::Status(Box::new(node.own_status())))
                .ok_or(Refusal::NotReady),
        }
    }

    fn probed(&self, probe: &Probe) -> ProbeAnswer {
        let node = self.node();
        let known = node.as_ref().and_then(|node| node.planned_members());
        let answer = self.first_start.probe(probe, known.as_deref());
        let another = answer
            .your_incarnation
            .is_some_and(|bound| bound != probe.incarnation);
        if let (Some(node), true) = (node, another) {
            node.met_an_impostor_of(&probe.name);
        }
        answer
    }

    async fn forwarded(&self, commands: Vec<Command>) -> ForwardAnswer {
        let node = self.node();
        match node
            .as_ref()
            .map(|node| node.disk().admit_forwarded(&commands))
        {
            Some(Err(disk::Refusal::Full)) => return ForwardAnswer::DiskFull,
            Some(Err(disk::Refusal::Stalled)) => return ForwardAnswer::NotExecuted,
            Some(Ok(())) | None => {}
        }
        if node.as_ref().is_some_and(|node| node.refuses().is_some()) {
            return ForwardAnswer::NotExecuted;
        }
        let queue = node.and_then(|node| node.write_queue().cloned());
        let fate = match queue.map(|queue| queue.submit_here(commands)) {
            Some(Ok(fate)) => fate,
            Some(Err(Refused::Overloaded)) => return ForwardAnswer::Overloaded,
            Some(Err(Refused::Stopping)) | None => return ForwardAnswer::NotExecuted,
        };
        match fate.await {
            Ok(Fate::Applied {
                index,
                first_seq,
                outcomes,
            }) => ForwardAnswer::Applied {
                index,
                first_seq,
                outcomes,
            },
            Ok(Fate::NotExecuted) => ForwardAnswer::NotExecuted,
            Ok(Fate::Overloaded) => ForwardAnswer::Overloaded,
            Ok(Fate::DiskFull) => ForwardAnswer::DiskFull,
            // The batcher went away with the batch in its hands.
            Ok(Fate::Unknown) | Err(_) => ForwardAnswer::Unknown,
        }
    }

    fn is_of_my_cluster(&self, from: &PeerIdentity) -> bool {
        from.cluster_id.is_some() && from.cluster_id == self.first_start.identity().cluster_id
    }

    async fn store_plan(&self, plan: Plan) -> Result<PlanAnswer, Refusal> {
        let first_start = Arc::clone(&self.first_start);
        blocking(move || first_start.store_plan(&plan))
            .await
            .map_err(|error| {
                tracing::error!(%error, "the first-start plan could not be stored");
                Refusal::NotReady
            })
    }
}

impl PeerHandler for PeerDesk {
    fn handle(&self, from: PeerIdentity, request: Bytes) -> BoxFuture<'_, Result<Bytes, Refusal>> {
        Box::pin(async move {
            let request = codec::decode(&request, codec::FRAME_MAX)
                .map_err(|_malformed| Refusal::Malformed)?;
            let answer = self.answer(&from, request).await?;
            Ok(Bytes::from(codec::encode(&answer)))
        })
    }
}
