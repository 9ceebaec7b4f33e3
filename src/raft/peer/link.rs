//! The asking side of the control channel to one peer.
//!
//! Owns one connection, opened when needed, on which many questions are under way at once, each with
//! its own deadline. It may not ask twice. Invariant: while a peer is down it is tried once every
//! [`RETRY_PAUSE`], however many ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::DropGuard;

use super::frame::{FrameSink, ReadHalf, Unsent, read_frame, split};
use super::handshake::{Channel, Expected, HANDSHAKE_MAX, Welcome};
use super::message::{Answer, CONTROL_FRAME_MAX, ControlFrame, Question};
use super::{CallError, Inner, PeerIdentity, Refusal};

/// The pause after a connection could not be made.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// A connection on which a question was asked and nothing at all was heard for this long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// What became of a question.
pub(in crate::raft) type Asked = Result<Answer, CallError>;

/// The control channel to one peer.
pub(super) struct Link {
    peers: Weak<Inner>,
    addr: String,
    expected: Option<Expected>,
    state: watch::Sender<State>,
    /// Ends the connection when nobody holds the link any more.
    stop: DropGuard,
}

#[derive(Clone)]
enum State {
    Idle { retry_at: Instant },
    Connecting,
    Live(Arc<Live>),
}

impl Link {
    pub(super) fn new(peers: &Arc<Inner>, addr: &str, expected: Option<Expected>) -> Arc<Self> {
        let state = State::Idle {
            retry_at: Instant::now(),
        };
        let stop = peers.stop.child_token().drop_guard();
        let (peers, addr) = (Arc::downgrade(peers), addr.to_owned());
        Arc::new(Self {
            stop,
            peers,
            addr,
            expected,
            state: watch::Sender::new(state),
        })
    }

    /// Whether this is the link to that peer at that address.
    pub(super) fn leads_to(&self, addr: &str, expected: Option<Expected>) -> bool {
        self.addr == addr && self.expected == expected
    }

    /// Whether it leads to whoever listens there.
    pub(super) fn is_to_a_stranger(&self) -> bool {
        self.expected.is_none()
    }

    /// Asks, opening the connection if there is none.
    pub(super) async fn ask(
        self: &Arc<Self>,
        question: Question,
        deadline: Instant,
    ) -> Result<(PeerIdentity, Answer), CallError> {
        let live = timeout_at(deadline, self.live())
            .await
            .ok()
            .flatten()
            .ok_or(CallError::NotSent)?;
        let answer = live.ask(question, deadline).await?;
        Ok((live.remote.clone(), answer))
    }

    /// Shakes hands, if that has not been done.
    pub(super) async fn greet(self: &Arc<Self>) {
        // Whether it worked is seen by whoever is told of handshakes.
        let _ = timeout_at(Instant::now() + HANDSHAKE_MAX, self.live()).await;
    }

    /// Who is at the other end, and which process; `None` if nobody answers.
    pub(super) async fn remote(self: &Arc<Self>) -> Option<(PeerIdentity, u64)> {
        let live = timeout_at(Instant::now() + HANDSHAKE_MAX, self.live()).await;
        live.ok()
            .flatten()
            .map(|live| (live.remote.clone(), live.process))
    }

    async fn live(self: &Arc<Self>) -> Option<Arc<Live>> {
        let mut changes = self.state.subscribe();
        loop {
            let state = changes.borrow_and_update().clone();
            match state {
                State::Live(live) if live.is_usable() => return Some(live),
                State::Live(_) => self.connect(),
                State::Connecting => {}
                State::Idle { retry_at } if retry_at > Instant::now() => return None,
                State::Idle { .. } => self.connect(),
            }
            changes.changed().await.ok()?;
        }
    }

    /// Begins to connect unless somebody has. In a task of its own: who asked may give up long before
    /// a slow connection is there.
    fn connect(self: &Arc<Self>) {
        let begun = self.state.send_if_modified(|state| {
            let idle = match state {
                State::Live(live) => !live.is_usable(),
                State::Connecting => false,
                State::Idle { .. } => true,
            };
            if idle {
                *state = State::Connecting;
            }
            idle
        });
        let Some(peers) = self.peers.upgrade().filter(|_| begun) else {
            return;
        };
        let link = Arc::clone(self);
        let tasks = peers.tasks.clone();
        tasks.spawn(async move {
            let connected = peers
                .connect(&link.addr, Channel::Control, link.expected)
                .await;
            let state = match connected {
                Ok((connection, welcome)) => {
                    State::Live(Live::start(&peers, &link, connection, welcome))
                }
                Err(error) => {
                    tracing::debug!(addr = link.addr, %error, "no control connection");
                    State::Idle {
                        retry_at: Instant::now() + RETRY_PAUSE,
                    }
                }
            };
            link.state.send_replace(state);
        });
    }
}

/// An open control connection.
struct Live {
    peers: Weak<Inner>,
    remote: PeerIdentity,
    process: u64,
    sink: FrameSink,
    /// Guards who waits for which answer; held for a map operation.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next_id: u64,
    askers: BTreeMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    closed: bool,
    /// When a question went out after which nothing was heard.
    silent_since: Option<Instant>,
}

impl Live {
    fn start(
        peers: &Arc<Inner>,
        link: &Link,
        connection: crate::net::Connection,
        welcome: Welcome,
    ) -> Arc<Self> {
        let (reader, sink, writing) = split(connection, CONTROL_FRAME_MAX);
        let live = Arc::new(Self {
            peers: Arc::downgrade(peers),
            remote: welcome.me,
            process: welcome.process,
            sink,
            waiting: Mutex::default(),
        });
        let reading = Arc::clone(&live).hear(reader);
        let stop = link.stop.token().clone();
        let ended = Arc::clone(&live);
        peers.tasks.spawn(async move {
            tokio::select! {
                () = reading => {}
                () = writing => {}
                () = stop.cancelled() => {}
                () = ended.went_silent() => {}
            }
            ended.close();
        });
        live
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_usable(&self) -> bool {
        !self.waiting().closed
    }

    async fn ask(self: &Arc<Self>, question: Question, deadline: Instant) -> Asked {
        let (asker, answer) = oneshot::channel();
        let Some(place) = self.register(asker) else {
            return Err(CallError::NotSent);
        };
        let frame = ControlFrame::Ask {
            id: place.id,
            question,
        };
        match timeout_at(deadline, self.sink.send(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(Unsent::Closed | Unsent::TooLong)) | Err(_) => return Err(CallError::NotSent),
        }
        self.waiting().silent_since.get_or_insert_with(Instant::now);
        match timeout_at(deadline, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(refusal))) => {
                tracing::debug!(peer = self.remote.name, %refusal, "a peer refused");
                self.note(refusal);
                Err(CallError::NotSent)
            }
            Ok(Err(_)) | Err(_) => Err(CallError::Unknown),
        }
    }

    fn note(&self, refusal: Refusal) {
        if let (Refusal::Removed(index), Some(peers)) = (refusal, self.peers.upgrade()) {
            peers.was_removed(index);
        }
    }

    fn register(
        self: &Arc<Self>,
        asker: oneshot::Sender<Result<Answer, Refusal>>,
    ) -> Option<Place> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return None;
        }
        let id = waiting.next_id;
        waiting.next_id += 1;
        waiting.askers.insert(id, asker);
        Some(Place {
            live: Arc::clone(self),
            id,
        })
    }

    /// Hands out answers until the connection ends.
    async fn hear(self: Arc<Self>, mut reader: ReadHalf) {
        while let Ok(Some(frame)) = read_frame(&mut reader, CONTROL_FRAME_MAX).await {
            let ControlFrame::Answer { id, answer } = frame else {
                return;
            };
            let asker = {
                let mut waiting = self.waiting();
                waiting.silent_since = None;
                waiting.askers.remove(&id)
            };
            if let Some(peers) = self.peers.upgrade() {
                peers.heard(&self.remote);
            }
            // Whoever gave up waiting is gone from the map.
            let _ = asker.map(|asker| asker.send(answer));
        }
    }

    /// Resolves when a question has gone unanswered in complete silence: a half-open connection.
    async fn went_silent(&self) {
        loop {
            let since = self.waiting().silent_since;
            if since.is_some_and(|since| since.elapsed() >= SILENCE_MAX) {
                return;
            }
            let look_again = since.unwrap_or_else(Instant::now) + SILENCE_MAX;
            tokio::time::sleep_until(look_again).await;
        }
    }

    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.askers.clear();
    }
}

/// A place among those who wait; given up when dropped.
struct Place {
    live: Arc<Live>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.waiting().askers.remove(&self.id);
    }
}
