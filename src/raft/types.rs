//! What openraft is told our types are.
//!
//! Owns [`TypeConfig`], [`Member`] and the opaque [`Blob`] in which an entry travels. It may not
//! look into a blob: it is encoded once, by the proposer, and decoded once a node, by apply.

use std::fmt;

use bytes::Bytes;
use openraft::alias;
use openraft::impls::{BoxedErrorSource, InlineBatch, OneshotResponder, leader_id_adv};
use openraft::{EntryPayload, OptionalSend, RaftTypeConfig};
use openraft_rt_tokio::TokioRuntime;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::registry::Outcome;

/// The types of our Raft.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TypeConfig;

impl RaftTypeConfig for TypeConfig {
    type D = Blob;
    type R = Outcomes;
    type NodeId = u64;
    type Node = Member;
    type Term = u64;
    // Totally ordered, so that two candidates of one term never split the votes of three nodes.
    type LeaderId = leader_id_adv::LeaderId<u64, u64>;
    type Vote = openraft::impls::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Blob, u64, Member>;
    type Entry = openraft::impls::Entry<Self::LeaderId, Self::Payload>;
    type AsyncRuntime = TokioRuntime;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

pub(super) type LeaderId = alias::LeaderIdOf<TypeConfig>;
pub(super) type LogId = alias::LogIdOf<TypeConfig>;
pub(super) type Vote = alias::VoteOf<TypeConfig>;
pub(super) type LogEntry = alias::EntryOf<TypeConfig>;
pub(super) type Payload = alias::PayloadOf<TypeConfig>;
pub(super) type Membership = openraft::Membership<u64, Member>;
pub(super) type StoredMembership = alias::StoredMembershipOf<TypeConfig>;
pub(super) type RaftMeta = alias::SnapshotMetaOf<TypeConfig>;

/// A member of the cluster, as the log knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number; never reused.
    pub id: u64,
    /// The operator's name for it.
    pub name: String,
    /// The incarnation of its data directory: another directory under the same name is refused.
    pub incarnation: u128,
    /// Where peers reach it, `host:port`.
    pub peer_addr: String,
    /// Where clients reach it: a base URL.
    pub http_addr: String,
    /// What a learner is on its way to. Means nothing once it is reached.
    pub goal: Goal,
}

/// What is to become of a learner, by itself: kept in the membership, so that any leader goes on with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// It stays what it is until an operator says otherwise.
    #[default]
    Stay,
    /// It votes as soon as it is caught up and its state was compared.
    Vote,
    /// Then it takes the place of this voter, in one change.
    Replace(u64),
}

/// Bytes that Raft carries and does not look into. Cloning is a reference count.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Blob(pub(super) Bytes);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl Visitor<'_> for BytesVisitor {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(bytes)))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(Bytes::from(bytes)))
            }
        }

        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

/// What became of each command of an entry; empty for Raft's own entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcomes(pub(super) Vec<Outcome>);
