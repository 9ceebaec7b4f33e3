//! The listening side of the peers' connections.
//!
//! Owns accepting, the handshake's other half, and answering the control channel. It may not keep one
//! peer waiting for another: every connection has a task and bounds of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::net::{Connection, Listener};

use super::super::types::Blob;
use super::frame::{FrameSink, ReadHalf, Unsent, next_frame, split, write_frame};
use super::handshake::{
    Channel, HandshakeRefusal, Hello, Reply, Welcome, answer_to_newer, common_protocol,
    hear_admission, hear_hello, same_cluster,
};
use super::message::{Answer, CONTROL_FRAME_MAX, ControlFrame, Question};
use super::{Inner, PeerIdentity, Refusal, lock, log_channel, snapshot_channel};

/// Connections served at once; more are closed as they come.
const CONNECTIONS_MAX: usize = 256;
/// Calls of the application answered at once, for one connection; more are refused.
const CALLS_MAX: usize = 1_024;
/// Raft's questions answered at once, for one connection; more are refused.
const QUESTIONS_MAX: usize = 256;
/// The pause after the system could not accept: it has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the node stops.
pub(super) async fn accept(peers: Arc<Inner>, mut listener: Box<dyn Listener>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = peers.stop.cancelled() => return,
        };
        match accepted {
            Ok((connection, from)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(place) => {
                    let serving = serve(Arc::clone(&peers), connection, place);
                    peers.tasks.spawn(serving);
                }
                Err(_full) => tracing::warn!(%from, "too many peer connections: closed"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept peer connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(peers: Arc<Inner>, connection: Connection, _place: OwnedSemaphorePermit) {
    let stop = peers.stop.clone();
    tokio::select! {
        () = shake_and_serve(&peers, connection) => {}
        () = stop.cancelled() => {}
    }
}

async fn shake_and_serve(peers: &Arc<Inner>, mut connection: Connection) {
    let hello = match hear_hello(&mut connection).await {
        Ok(hello) => hello,
        Err(error) => {
            match answer_to_newer(&error) {
                Some(reply) => {
                    tracing::warn!(%error, "refused the hello of a newer release");
                    // It closes, whether it understands this or not.
                    let _ = write_frame(&mut connection, &reply).await;
                }
                None => tracing::debug!(%error, "a connection without a handshake"),
            }
            return;
        }
    };
    let reply = peers.judge(&hello);
    if write_frame(&mut connection, &reply).await.is_err() {
        return;
    }
    match reply {
        Reply::Refused(refusal) => {
            let starting = refusal == HandshakeRefusal::NoCluster;
            if !starting && peers.is_news(&hello.me.name, refusal) {
                tracing::warn!(peer = hello.me.name, %refusal, "refused a peer's connection");
            }
            hold_against(peers, &hello, refusal, connection).await;
        }
        Reply::Welcome(_) => {
            peers.shook_hands(&hello.me, hello.past.as_ref());
            serve_channel(peers, hello, connection).await;
        }
    }
}

/// A refusal that says something of the peer's data directory is noted for the operator, once it is sure.
async fn hold_against(
    peers: &Arc<Inner>,
    hello: &Hello,
    refusal: HandshakeRefusal,
    mut connection: Connection,
) {
    let Some(service) = peers.service.get() else {
        return;
    };
    match refusal {
        HandshakeRefusal::ForeignIncarnation => service.accuse(hello.me.node_id, &refusal),
        HandshakeRefusal::YouWentBack(memory) => {
            let admitted = hear_admission(&mut connection).await;
            if admitted.is_some_and(|admitted| memory.contradicts(&admitted.past)) {
                service.accuse(hello.me.node_id, &HandshakeRefusal::IWentBack);
            }
        }
        _ => {}
    }
}

async fn serve_channel(peers: &Arc<Inner>, hello: Hello, connection: Connection) {
    match (hello.channel, peers.service.get()) {
        (Channel::Control, _) => serve_control(peers, hello, connection).await,
        (Channel::Log, Some(service)) => log_channel::serve(service, connection).await,
        (Channel::Snapshot, Some(service)) => {
            snapshot_channel::serve(service, &hello.me, connection).await;
        }
        // The handshake admits none without a service.
        (Channel::Log | Channel::Snapshot, None) => {}
    }
}

impl Inner {
    fn judge(&self, hello: &Hello) -> Reply {
        match self.admit(hello) {
            Ok(welcome) => Reply::Welcome(welcome),
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    fn admit(&self, hello: &Hello) -> Result<Welcome, HandshakeRefusal> {
        let protocol = common_protocol(hello.protocols)?;
        let me = self.identity();
        if hello.me.cluster_id.is_some() && hello.me.cluster_id == *lock(&self.ended) {
            return Err(HandshakeRefusal::Ended(me.cluster_id.unwrap_or_default()));
        }
        same_cluster(hello.channel, me.cluster_id, hello.me.cluster_id)?;
        let service = self.service.get();
        if let Some(index) = service.and_then(|service| service.refuse_removed(&hello.me)) {
            return Err(HandshakeRefusal::Removed(index));
        }
        if let Some(expected) = hello.expected {
            let service = service.ok_or(HandshakeRefusal::NoCluster)?;
            if me.node_id != Some(expected.node_id) || me.incarnation != expected.incarnation {
                return Err(HandshakeRefusal::NotExpected);
            }
            service
                .admit(&hello.me, hello.past.as_ref())
                .map_err(|refusal| match refusal {
                    HandshakeRefusal::IWentBack => {
                        let id = hello.me.node_id.unwrap_or_default();
                        HandshakeRefusal::YouWentBack(service.remembered(id, hello.me.incarnation))
                    }
                    other => other,
                })?;
            if hello.remembered.contradicts(&service.past()) {
                service.is_said_to_have_gone_back(&hello.me.name);
                return Err(HandshakeRefusal::IWentBack);
            }
        } else if hello.channel != Channel::Control {
            return Err(HandshakeRefusal::NotExpected);
        }
        Ok(Welcome {
            protocol,
            me,
            past: service.map(|service| service.past()),
            process: self.process.load(Ordering::Relaxed),
        })
    }
}

/// What answering one control connection needs.
struct ControlDesk {
    peers: Arc<Inner>,
    from: PeerIdentity,
    /// Whether Raft's questions are answered: the peer said whom it expects, and was admitted.
    admitted: bool,
    calls: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    sink: FrameSink,
}

async fn serve_control(peers: &Arc<Inner>, hello: Hello, connection: Connection) {
    let (reader, sink, writing) = split(connection, CONTROL_FRAME_MAX);
    let desk = ControlDesk {
        peers: Arc::clone(peers),
        admitted: hello.expected.is_some(),
        from: hello.me,
        calls: Arc::new(Semaphore::new(CALLS_MAX)),
        questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        sink,
    };
    tokio::select! {
        () = desk.read(reader) => {}
        () = writing => {}
    }
}

impl ControlDesk {
    async fn read(&self, mut reader: ReadHalf) {
        loop {
            match next_frame(&mut reader, CONTROL_FRAME_MAX).await {
                Ok(Some(ControlFrame::Ask { id, question })) => {
                    self.peers.heard(&self.from);
                    self.take(id, question).await;
                }
                Ok(Some(ControlFrame::Answer { .. })) | Ok(None) => return,
                Err(error) => {
                    tracing::warn!(peer = self.from.name, %error, "closing a peer's connection");
                    return;
                }
            }
        }
    }

    async fn take(&self, id: u64, question: Question) {
        let bound = match question {
            Question::App(_) => &self.calls,
            _ => &self.questions,
        };
        let refusal = match Arc::clone(bound).try_acquire_owned() {
            Ok(permit) => {
                self.spawn_answer(id, question, permit);
                return;
            }
            Err(_full) => Refusal::Overloaded,
        };
        // The connection's end is seen by the reader.
        let _ = self
            .sink
            .send(&ControlFrame::Answer {
                id,
                answer: Err(refusal),
            })
            .await;
    }

    fn spawn_answer(&self, id: u64, question: Question, permit: OwnedSemaphorePermit) {
        let (peers, from, sink) = (
            Arc::clone(&self.peers),
            self.from.clone(),
            self.sink.clone(),
        );
        let admitted = self.admitted;
        self.peers.tasks.spawn(async move {
            let _permit = permit;
            let answer = tokio::select! {
                answer = peers.answer(from, admitted, question) => answer,
                // Nobody would hear it.
                () = sink.closed() => return,
                () = peers.stop.cancelled() => return,
            };
            let frame = ControlFrame::Answer { id, answer };
            if sink.send(&frame).await == Err(Unsent::TooLong) {
                let answer = Err(Refusal::TooLong);
                let _ = sink.send(&ControlFrame::Answer { id, answer }).await;
            }
        });
    }
}

impl Inner {
    async fn answer(
        &self,
        from: PeerIdentity,
        admitted: bool,
        question: Question,
    ) -> Result<Answer, Refusal> {
        // A connection may be older than the removal.
        if let Some(index) = self
            .service
            .get()
            .and_then(|service| service.refuse_removed(&from))
        {
            return Err(Refusal::Removed(index));
        }
        if let Question::App(Blob(request)) = question {
            let answer = self.handler.handle(from, request).await?;
            return Ok(Answer::App(Blob(answer)));
        }
        match (self.service.get(), question) {
            (Some(service), Question::Remember(past)) if admitted => {
                service.shook_hands(&from, &past);
                Ok(Answer::Remembered)
            }
            (Some(service), question) if admitted => service.answer(question).await,
            (Some(_), _) => Err(Refusal::NoCluster),
            (None, _) => Err(Refusal::NotReady),
        }
    }
}
