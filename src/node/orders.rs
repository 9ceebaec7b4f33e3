//! The way of an operator's order to whoever carries it out.
//!
//! Owns finding the leader and forwarding an order to it, once. It may not judge an order. Invariant: an
//! order that came from a peer is never forwarded again.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::codec;
use crate::raft::{CallError, Raft};

use super::Node;
use super::messages::{Answer, JoinAnswer, JoinRequest, Request};
use super::operator::{AdminRefusal, Operator, Order, Report};

/// How long the leader may take to answer an order: longer than it gives itself.
const FORWARD_MAX: Duration = Duration::from_millis(4_500);

impl Operator for Node {
    fn operate(&self, order: Order) -> BoxFuture<'_, Result<Report, AdminRefusal>> {
        Box::pin(async move {
            if self.is_stopping() {
                return Err(AdminRefusal::Stopping);
            }
            let running = self.running.get().ok_or(AdminRefusal::NoLeader)?;
            let leader = running.raft.leadership().borrow().leader;
            match leader {
                Some(leader) if leader == running.raft.me() => self.operate_here(order).await,
                Some(leader) => forward(&running.raft, leader, order).await,
                None => Err(AdminRefusal::NoLeader),
            }
        })
    }
}

impl Node {
    /// Carries `order` out if this node leads.
    pub(super) async fn operate_here(&self, order: Order) -> Result<Report, AdminRefusal> {
        let running = self.running.get().ok_or(AdminRefusal::NoLeader)?;
        running.council.carry_out(order).await
    }
}

impl Node {
    /// Answers an empty node that wants to be a member.
    pub(super) async fn admit(&self, request: JoinRequest) -> JoinAnswer {
        match self.running.get() {
            Some(running) if !self.is_stopping() => running.council.admit(request).await,
            _ => JoinAnswer::Later("this node is no member itself".to_owned()),
        }
    }
}

async fn forward(raft: &Raft, leader: u64, order: Order) -> Result<Report, AdminRefusal> {
    let request = Bytes::from(codec::encode(&Request::Admin(order)));
    let answer = raft
        .call(leader, request, FORWARD_MAX)
        .await
        .map_err(|error| match error {
            CallError::NotSent => AdminRefusal::NoLeader,
            CallError::Unknown => AdminRefusal::UnknownOutcome,
        })?;
    match codec::decode(&answer, codec::FRAME_MAX) {
        Ok(Answer::Admin(result)) => *result,
        _ => Err(AdminRefusal::UnknownOutcome),
    }
}
