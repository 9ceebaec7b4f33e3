//! The connections between nodes.
//!
//! Owns who connects to whom, what each connection is for, and the application's calls. It may not
//! decide anything for Raft: it hands Raft's messages to `service`. Usable before a cluster exists.
//!
//! Three connections lead from each node to each of its peers: control (votes, heartbeats, the read
//! index, the application's calls), log and snapshot, so that neither a long snapshot nor a slow
//! append keeps a heartbeat waiting.

mod frame;
#[cfg(test)]
mod frozen;
mod handshake;
mod link;
mod log_channel;
mod message;
mod serve;
mod snapshot_channel;
#[cfg(test)]
mod snapshot_stream_tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::net::{Connection, Listener, SharedNetwork};
use crate::store::peer_memory::Memory;

use super::error::{CallError, MeetError};
use super::service::RaftService;
use super::types::{Blob, Member};
use frame::write_frame;
use handshake::{
    Admission, Channel, ConnectError, Expected, HANDSHAKE_MAX, Hello, Welcome, say_hello,
};
use link::Link;

pub use handshake::HandshakeRefusal;
pub(super) use handshake::Past;
pub(super) use log_channel::{LogConnection, LogError};
pub(super) use message::{
    Answer, Append, AppendResult, Appended, Ballot, Candidacy, Question, TakeOver, take_over,
};
pub(super) use snapshot_channel::{SendError, send_snapshot};

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
    /// There is no room for it on the disk.
    #[error("no room on the disk")]
    NoRoom,
    /// Answered, but the answer does not fit a frame.
    #[error("the answer is too long")]
    TooLong,
    /// The asker was a member and was removed, in this entry.
    #[error("you were removed from the cluster at index {0}")]
    Removed(u64),
}

/// Answers what peers ask on the application's channel.
pub trait PeerHandler: Send + Sync + 'static {
    /// Answers `request`, which `from` sent.
    fn handle(&self, from: PeerIdentity, request: Bytes) -> BoxFuture<'_, Result<Bytes, Refusal>>;
}

/// The connections of one node; cheap to clone.
#[derive(Clone)]
pub struct Peers {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    network: SharedNetwork,
    handler: Arc<dyn PeerHandler>,
    /// Set once, when Raft runs.
    service: OnceLock<Arc<RaftService>>,
    /// Guards who this node is; held for a copy.
    identity: Mutex<PeerIdentity>,
    /// Guards the cluster that ended for this one to begin, if one did; held for a copy.
    ended: Mutex<Option<u128>>,
    /// Guards the control links by address; held for a map operation. As many as addresses were ever
    /// asked: those of `initial_members` and of the members.
    links: Mutex<BTreeMap<String, Arc<Link>>>,
    /// Guards when each node was last heard; held for a map operation.
    heard_at: Mutex<BTreeMap<u64, Instant>>,
    /// Guards which refusals were logged, by peer, so that each is logged once; held for a comparison.
    logged: Mutex<BTreeMap<String, HandshakeRefusal>>,
    connects: AtomicU64,
    /// Which process this is, of all that ever served this data directory.
    process: AtomicU64,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Links kept; when there are more, those to strangers go, whom nobody may ever ask again.
const LINKS_MAX: usize = 256;
/// Refusals remembered for the log.
const LOGGED_MAX: usize = 64;

impl Peers {
    /// Serves `listener` from now on.
    pub fn start(
        network: SharedNetwork,
        listener: Box<dyn Listener>,
        identity: PeerIdentity,
        handler: Arc<dyn PeerHandler>,
    ) -> Self {
        let inner = Arc::new(Inner {
            network,
            handler,
            service: OnceLock::new(),
            identity: Mutex::new(identity),
            ended: Mutex::default(),
            links: Mutex::default(),
            heard_at: Mutex::default(),
            logged: Mutex::default(),
            connects: AtomicU64::new(0),
            process: AtomicU64::new(0),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner
            .tasks
            .spawn(serve::accept(Arc::clone(&inner), listener));
        Self { inner }
    }

    /// From now on new connections say this.
    pub fn set_identity(&self, identity: PeerIdentity) {
        *lock(&self.inner.identity) = identity;
        // Connections made before said something else.
        lock(&self.inner.links).clear();
    }

    /// From now on `process`, a number nobody else has, tells this process from others with a copy of its data.
    pub fn set_process(&self, process: u64) {
        self.inner.process.store(process, Ordering::Relaxed);
    }

    /// From now on members of `cluster`, which ended for this node's to begin, are told so, and end too.
    pub fn set_ended_cluster(&self, cluster: Option<u128>) {
        *lock(&self.inner.ended) = cluster;
    }

    /// Asks whoever listens at `addr` (`host:port`), on the application's channel.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::NotSent`] also when the request is over the frame's cap.
    pub async fn call_addr(
        &self,
        addr: &str,
        request: Bytes,
        deadline: Duration,
    ) -> Result<(PeerIdentity, Bytes), CallError> {
        let asked = self.inner.ask(
            addr,
            None,
            Question::App(Blob(request)),
            Instant::now() + deadline,
        );
        match asked.await? {
            (from, Answer::App(Blob(bytes))) => Ok((from, bytes)),
            _ => Err(CallError::Unknown),
        }
    }

    /// Who listens at `addr` (`host:port`), by a handshake of its own.
    ///
    /// # Errors
    /// [`MeetError`].
    pub async fn meet(&self, addr: &str) -> Result<PeerIdentity, MeetError> {
        let met = self.inner.connect(addr, Channel::Control, None).await;
        met.map(|(_connection, welcome)| welcome.me)
            .map_err(|error| match error {
                ConnectError::Refused(HandshakeRefusal::ForeignCluster(cluster)) => {
                    MeetError::ForeignCluster(cluster)
                }
                ConnectError::Refused(_) => MeetError::Refused,
                _ => MeetError::Nobody,
            })
    }

    /// Connections opened so far, tried ones included.
    pub fn connects(&self) -> u64 {
        self.inner.connects.load(Ordering::Relaxed)
    }

    /// Stops listening and closes every connection.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        lock(&self.inner.links).clear();
    }

    /// From now on Raft's messages go to `service`. Once.
    pub(super) fn open(&self, service: Arc<RaftService>) -> bool {
        self.inner.service.set(service).is_ok()
    }

    /// Asks a member.
    pub(super) async fn ask(
        &self,
        member: &Member,
        question: Question,
        deadline: Duration,
    ) -> Result<Answer, CallError> {
        let asked = self.inner.ask(
            &member.peer_addr,
            Some(member),
            question,
            Instant::now() + deadline,
        );
        asked.await.map(|(_from, answer)| answer)
    }

    /// Makes sure that there is a control connection to `member`, or that one is being tried.
    pub(super) async fn greet(&self, member: &Member) {
        self.inner
            .link(&member.peer_addr, Some(expected(member)))
            .greet()
            .await;
    }

    /// Whether another process answers at `addr` as this node.
    pub(super) async fn is_served_by_a_double(&self, addr: &str) -> bool {
        let found = self.inner.link(addr, None).remote().await;
        found.is_some_and(|(remote, process)| {
            remote.incarnation == self.inner.identity().incarnation
                && process != self.inner.process.load(Ordering::Relaxed)
        })
    }

    /// Drops the links to who is no member at that address any more; links to strangers stay.
    pub(super) fn keep_links_to(&self, members: &BTreeMap<u64, Member>) {
        lock(&self.inner.links).retain(|_, link| {
            link.is_to_a_stranger()
                || members
                    .values()
                    .any(|member| link.leads_to(&member.peer_addr, Some(expected(member))))
        });
    }

    /// How long ago `node` was last heard, if ever.
    pub(super) fn heard_ago(&self, node: u64) -> Option<Duration> {
        lock(&self.inner.heard_at).get(&node).map(Instant::elapsed)
    }

    /// A connection of its own to a member.
    async fn connect(&self, member: &Member, channel: Channel) -> Result<Connection, ConnectError> {
        let connected = self
            .inner
            .connect(&member.peer_addr, channel, Some(expected(member)));
        connected.await.map(|(connection, _welcome)| connection)
    }
}

fn expected(member: &Member) -> Expected {
    Expected {
        node_id: member.id,
        incarnation: member.incarnation,
    }
}

impl Inner {
    fn identity(&self) -> PeerIdentity {
        lock(&self.identity).clone()
    }

    async fn ask(
        self: &Arc<Self>,
        addr: &str,
        member: Option<&Member>,
        question: Question,
        deadline: Instant,
    ) -> Result<(PeerIdentity, Answer), CallError> {
        if self.stop.is_cancelled() {
            return Err(CallError::NotSent);
        }
        self.link(addr, member.map(expected))
            .ask(question, deadline)
            .await
    }

    /// The link to `addr`; a member's and a stranger's link to one address are two.
    fn link(self: &Arc<Self>, addr: &str, expected: Option<Expected>) -> Arc<Link> {
        let key = format!("{addr} {}", expected.map_or(0, |expected| expected.node_id));
        let mut links = lock(&self.links);
        if let Some(link) = links.get(&key).filter(|link| link.leads_to(addr, expected)) {
            return Arc::clone(link);
        }
        if links.len() >= LINKS_MAX {
            links.retain(|_, link| !link.is_to_a_stranger());
        }
        let link = Link::new(self, addr, expected);
        links.insert(key, Arc::clone(&link));
        link
    }

    /// Opens a connection and shakes hands on it.
    async fn connect(
        &self,
        addr: &str,
        channel: Channel,
        expected: Option<Expected>,
    ) -> Result<(Connection, Welcome), ConnectError> {
        self.connects.fetch_add(1, Ordering::Relaxed);
        let hello = self.hello(channel, expected);
        let shaken = async {
            let mut connection = self.network.connect(addr).await?;
            let welcome = match say_hello(&mut connection, &hello).await {
                Err(ConnectError::Refused(HandshakeRefusal::YouWentBack(memory))) => {
                    return Err(self.went_back(&mut connection, memory).await);
                }
                said => said?,
            };
            self.check_welcome(&welcome, expected)
                .map_err(ConnectError::Refused)?;
            Ok((connection, welcome))
        };
        let shaken = timeout(HANDSHAKE_MAX, shaken)
            .await
            .unwrap_or(Err(ConnectError::TimedOut));
        match &shaken {
            Ok((_, welcome)) => {
                lock(&self.logged).remove(addr);
                self.shook_hands(&welcome.me, welcome.past.as_ref());
            }
            Err(ConnectError::Refused(refusal)) => self.was_refused(addr, *refusal, expected),
            Err(_) => {}
        }
        shaken
    }

    fn hello(&self, channel: Channel, expected: Option<Expected>) -> Hello {
        let mut hello = Hello::new(channel, self.identity());
        if let Some(service) = self.service.get() {
            hello.past = Some(service.past());
            hello.expected = expected;
            hello.remembered = expected
                .map(|peer| service.remembered(peer.node_id, peer.incarnation))
                .unwrap_or_default();
        }
        hello
    }

    /// The listener has judged this node; this is the other half.
    fn check_welcome(
        &self,
        welcome: &Welcome,
        expected: Option<Expected>,
    ) -> Result<(), HandshakeRefusal> {
        match (self.service.get(), expected) {
            // Its welcome may be older than what was heard since: that it went back is for it to say.
            (Some(service), Some(_)) => service.admit(&welcome.me, welcome.past.as_ref()),
            _ => Ok(()),
        }
    }

    /// Notes that `peer` lives and what it says of its past.
    fn shook_hands(&self, peer: &PeerIdentity, past: Option<&Past>) {
        // A node that looks for a double meets itself.
        if peer.incarnation == self.identity().incarnation {
            return;
        }
        self.heard(peer);
        if let (Some(service), Some(past)) = (self.service.get(), past) {
            service.shook_hands(peer, past);
        }
    }

    /// A peer says that this node's directory went back. A hello that lay with a paused peer is older than
    /// what that peer has heard since: only what this node does not hold now has been lost.
    async fn went_back(&self, connection: &mut Connection, memory: Memory) -> ConnectError {
        let past = self.service.get().map(|service| service.past());
        if let Some(past) = past.filter(|past| memory.contradicts(past)) {
            // If the peer does not hear it, this node ends all the same.
            let _ = write_frame(connection, &Admission { past }).await;
        }
        ConnectError::Refused(HandshakeRefusal::YouWentBack(memory))
    }

    fn was_refused(&self, addr: &str, refusal: HandshakeRefusal, expected: Option<Expected>) {
        match refusal {
            // Part of every first start: the others learn their cluster one after the other.
            HandshakeRefusal::NoCluster => {
                tracing::debug!(addr, "a peer does not know its cluster yet")
            }
            HandshakeRefusal::Removed(index) => self.was_removed(index),
            _ if self.is_news(addr, refusal) => {
                tracing::warn!(addr, %refusal, "a peer refused the connection");
            }
            _ => {}
        }
        let Some(service) = self.service.get() else {
            return;
        };
        match refusal {
            HandshakeRefusal::Ended(successor) => service.is_said_to_have_ended(addr, successor),
            // A hello that lay with a paused peer is older than what that peer has heard since: only
            // what this node does not hold now has been lost.
            HandshakeRefusal::YouWentBack(memory) if memory.contradicts(&service.past()) => {
                service.is_said_to_have_gone_back(addr);
            }
            HandshakeRefusal::IWentBack => {
                service.accuse(expected.map(|peer| peer.node_id), &refusal);
            }
            _ => {}
        }
    }

    /// A peer says that the cluster goes on without this node.
    fn was_removed(&self, index: u64) {
        if let Some(service) = self.service.get() {
            service.is_said_to_be_removed(index);
        }
    }

    /// Whether this refusal differs from the last one with that peer.
    fn is_news(&self, peer: &str, refusal: HandshakeRefusal) -> bool {
        let mut logged = lock(&self.logged);
        if logged.len() >= LOGGED_MAX && !logged.contains_key(peer) {
            logged.clear();
        }
        logged.insert(peer.to_owned(), refusal) != Some(refusal)
    }

    fn heard(&self, peer: &PeerIdentity) {
        if let Some(node) = peer.node_id {
            lock(&self.heard_at).insert(node, Instant::now());
        }
    }
}

/// None of these locks is held over a step that can panic half-way.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
