//! The log channel: entries to a follower, many requests under way, answers in order.
//!
//! Owns both ends. It may not connect before there is something to send: openraft waits between
//! attempts only inside the stream of requests, so a connection made first would be made in a spin
//! while the peer is down. Invariant: an answer that does not come is an error within
//! [`ANSWER_MAX`], never a wait for ever.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use openraft::raft::AppendEntriesRequest;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::net::Connection;

use super::super::service::RaftService;
use super::super::types::{Member, TypeConfig};
use super::Peers;
use super::frame::{FrameSink, ReadHalf, next_frame, read_frame, split};
use super::handshake::{Channel, ConnectError};
use super::message::{AppendResult, LOG_FRAME_MAX, LogFrame};

/// How long a follower may take to store what it was sent.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Requests handed to openraft ahead of its answers, in one session. Each is at most about 1 MiB.
const REQUESTS_QUEUED: usize = 8;

type Request = AppendEntriesRequest<TypeConfig>;

/// Why a stream of requests ended early.
#[derive(Debug, thiserror::Error)]
pub(in crate::raft) enum LogError {
    #[error("{0}")]
    Connect(String),
    #[error("the connection was closed")]
    Closed,
    #[error("no answer in {} s", ANSWER_MAX.as_secs())]
    Silent,
}

impl From<ConnectError> for LogError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error.to_string())
    }
}

/// The leader's end to one follower.
pub(in crate::raft) struct LogConnection {
    peers: Peers,
    open: Option<Open>,
    session: u64,
}

/// An open connection.
struct Open {
    sink: FrameSink,
    answers: mpsc::UnboundedReceiver<(u64, AppendResult)>,
    /// Reading and writing; ends with this value.
    _io: JoinSet<()>,
}

impl LogConnection {
    pub(in crate::raft) fn new(peers: Peers) -> Self {
        Self {
            peers,
            open: None,
            session: 0,
        }
    }

    /// Sends `requests` to `member` as they come and gives out the answers, in order, until the first error.
    pub(in crate::raft) async fn stream<S>(
        &mut self,
        member: &Member,
        mut requests: S,
    ) -> Result<BoxStream<'_, Result<AppendResult, LogError>>, LogError>
    where
        S: Stream<Item = Request> + Send + Unpin + 'static,
    {
        let Some(first) = requests.next().await else {
            return Ok(stream::empty().boxed());
        };
        self.session += 1;
        let sink = self.open(member).await?.sink.clone();
        let sent = Arc::new(Sent::default());
        let requests = stream::once(std::future::ready(first))
            .chain(requests)
            .boxed();
        let session = Session {
            number: self.session,
            pump: pump(self.session, requests, sink, Arc::clone(&sent)).boxed(),
            pumping: true,
            sent,
            connection: self,
            ended: false,
        };
        Ok(stream::unfold(session, |mut session| async move {
            let next = session.next().await?;
            Some((next, session))
        })
        .boxed())
    }

    async fn open(&mut self, member: &Member) -> Result<&Open, LogError> {
        if self.open.is_none() {
            let connection = self.peers.connect(member, Channel::Log).await?;
            self.open = Some(Open::new(connection));
        }
        self.open.as_ref().ok_or(LogError::Closed)
    }
}

impl Open {
    fn new(connection: Connection) -> Self {
        let (reader, sink, writing) = split(connection, LOG_FRAME_MAX);
        // Unbounded, and bounded by what was sent: there is one answer a request.
        let (found, answers) = mpsc::unbounded_channel();
        let mut io = JoinSet::new();
        io.spawn(async move {
            tokio::select! {
                () = hear(reader, found) => {}
                () = writing => {}
            }
        });
        Self {
            sink,
            answers,
            _io: io,
        }
    }
}

async fn hear(mut reader: ReadHalf, found: mpsc::UnboundedSender<(u64, AppendResult)>) {
    while let Ok(Some(LogFrame::Appended { session, appended })) =
        read_frame(&mut reader, LOG_FRAME_MAX).await
    {
        if found.send((session, appended.into())).is_err() {
            return;
        }
    }
}

/// When each unanswered request was sent, oldest first.
#[derive(Default)]
struct Sent {
    /// Guards the instants; held for a push or a pop.
    at: Mutex<VecDeque<Instant>>,
    first: Notify,
}

impl Sent {
    fn push(&self) {
        self.at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(Instant::now());
        self.first.notify_one();
    }

    fn pop(&self) {
        self.at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
    }

    fn oldest(&self) -> Option<Instant> {
        self.at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .front()
            .copied()
    }
}

async fn pump(
    session: u64,
    mut requests: BoxStream<'static, Request>,
    sink: FrameSink,
    sent: Arc<Sent>,
) {
    while let Some(request) = requests.next().await {
        sent.push();
        let frame = LogFrame::Append {
            session,
            append: request.into(),
        };
        if sink.send(&frame).await.is_err() {
            return;
        }
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One stream of requests on the connection.
struct Session<'a> {
    number: u64,
    /// Sends. Polled here and not in a task: when openraft drops the session it expects that nobody
    /// takes another request from the stream, which it shares with the next session.
    pump: BoxFuture<'static, ()>,
    pumping: bool,
    sent: Arc<Sent>,
    connection: &'a mut LogConnection,
    ended: bool,
}

impl Session<'_> {
    async fn next(&mut self) -> Option<Result<AppendResult, LogError>> {
        if self.ended {
            return None;
        }
        let next = self.next_answer().await;
        match &next {
            // The connection is of no use any more; the next session opens another.
            Some(Err(_)) => {
                self.connection.open = None;
                self.ended = true;
            }
            Some(Ok(Err(_))) => self.ended = true,
            _ => {}
        }
        next
    }

    async fn next_answer(&mut self) -> Option<Result<AppendResult, LogError>> {
        let Some(open) = &mut self.connection.open else {
            return Some(Err(LogError::Closed));
        };
        loop {
            let oldest = self.sent.oldest();
            if oldest.is_none() && !self.pumping {
                return None;
            }
            let overdue = oldest.unwrap_or_else(Instant::now) + ANSWER_MAX;
            tokio::select! {
                biased;
                answer = open.answers.recv() => match answer {
                    // A late answer to an earlier session.
                    Some((session, _)) if session != self.number => {}
                    Some((_, result)) => {
                        self.sent.pop();
                        return Some(Ok(result));
                    }
                    None => return Some(Err(LogError::Closed)),
                },
                () = &mut self.pump, if self.pumping => self.pumping = false,
                () = tokio::time::sleep_until(overdue), if oldest.is_some() => {
                    return Some(Err(LogError::Silent));
                }
                () = self.sent.first.notified(), if oldest.is_none() => {}
            }
        }
    }
}

/// The follower's end.
pub(super) async fn serve(service: &Arc<RaftService>, connection: Connection) {
    let (mut reader, sink, writing) = split(connection, LOG_FRAME_MAX);
    let reading = async {
        let mut current: Option<Incoming> = None;
        while let Ok(Some(LogFrame::Append { session, append })) =
            next_frame(&mut reader, LOG_FRAME_MAX).await
        {
            let Ok(request) = Request::try_from(append) else {
                return;
            };
            if !service.may_append() {
                return;
            }
            if current
                .as_ref()
                .is_none_or(|incoming| incoming.session != session)
            {
                // The old session's forwarder goes first, so that its answers do not mix in.
                drop(current.take());
                current = Some(Incoming::start(service, session, sink.clone()));
            }
            let Some(incoming) = &current else { return };
            // After an error in a session openraft takes no more of it, and the leader knows.
            let _ = incoming.requests.send(request).await;
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

/// A session at the follower.
struct Incoming {
    session: u64,
    requests: mpsc::Sender<Request>,
    _forwarder: AbortOnDrop,
}

impl Incoming {
    fn start(service: &RaftService, session: u64, sink: FrameSink) -> Self {
        let (requests, queue) = mpsc::channel(REQUESTS_QUEUED);
        let queue = stream::unfold(queue, |mut queue| async move {
            Some((queue.recv().await?, queue))
        });
        let answers = service.append_stream(queue.boxed());
        let forwarder = tokio::spawn(async move {
            let mut answers = std::pin::pin!(answers);
            while let Some(result) = answers.next().await {
                let frame = LogFrame::Appended {
                    session,
                    appended: result.into(),
                };
                if sink.send(&frame).await.is_err() {
                    return;
                }
            }
        });
        Self {
            session,
            requests,
            _forwarder: AbortOnDrop(forwarder),
        }
    }
}
