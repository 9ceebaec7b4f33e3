//! One connection of the generator.
//!
//! Owns sending requests in order, pipelined up to a depth, and pairing answers with them. It may
//! not decide what is due: it takes that from its [`Feed`]. A request is never sent twice.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::document::Requests;
use super::response;
use super::schedule::Schedule;
use super::tally::Tally;

/// After a connection broke or could not be made.
const RECONNECT_WAIT: Duration = Duration::from_millis(100);

/// The room for answers read at once.
const READ_BYTES: usize = 16 << 10;

/// What the connections of a phase share. One thread: no locks.
pub(super) struct Feed {
    pub(super) requests: Requests,
    pub(super) schedule: Schedule,
    pub(super) started: Instant,
    /// How many requests are due; the pacer raises it.
    pub(super) due: Cell<u64>,
    /// The number of the next request nobody has taken.
    pub(super) next: Cell<u64>,
    /// Wakes connections that have room, one for each request that became due.
    pub(super) work: Notify,
    /// When the last 2xx answer came, or the phase began.
    pub(super) succeeded_at: Cell<Instant>,
    /// Told when everything due was answered.
    pub(super) tally: RefCell<Tally>,
}

impl Feed {
    /// Takes the next request that is due, if there is one: its number and intended time.
    fn take(&self) -> Option<(u64, Instant)> {
        let number = self.next.get();
        if number >= self.due.get() {
            return None;
        }
        self.next.set(number + 1);
        Some((number, self.started + self.schedule.intended(number)))
    }
}

/// Serves `feed` over a connection to `server` (`host:port`) until it is dropped.
pub(super) async fn serve(feed: Rc<Feed>, server: Rc<str>, pipelining: usize) {
    loop {
        if let Ok(stream) = connect(&server).await {
            let mut conversation = Conversation {
                feed: &feed,
                server: &server,
                in_flight: VecDeque::with_capacity(pipelining),
                out: Vec::with_capacity(READ_BYTES),
                inbox: Vec::with_capacity(READ_BYTES),
            };
            let ended = conversation.run(stream, pipelining).await;
            let lost = u64::try_from(conversation.in_flight.len()).unwrap_or(u64::MAX);
            feed.tally.borrow_mut().lost(lost);
            if ended.is_ok() {
                continue;
            }
        }
        sleep(RECONNECT_WAIT).await;
    }
}

async fn connect(server: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct Conversation<'a> {
    feed: &'a Feed,
    server: &'a str,
    /// The intended times of the requests that wait for an answer, oldest first.
    in_flight: VecDeque<Instant>,
    out: Vec<u8>,
    inbox: Vec<u8>,
}

impl Conversation<'_> {
    /// Sends and reads until the server closes in order (`Ok`) or the connection breaks.
    async fn run(&mut self, mut stream: TcpStream, pipelining: usize) -> io::Result<()> {
        loop {
            self.send_due(&mut stream, pipelining).await?;
            if self.in_flight.is_empty() {
                self.feed.work.notified().await;
                continue;
            }
            let has_room = self.in_flight.len() < pipelining;
            let read = tokio::select! {
                biased;
                read = stream.read_buf(&mut self.inbox) => read?,
                () = self.feed.work.notified(), if has_room => continue,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.read_answers()? {
                return Ok(());
            }
        }
    }

    /// Writes what is due, as far as there is room, in one go.
    async fn send_due(&mut self, stream: &mut TcpStream, pipelining: usize) -> io::Result<()> {
        let waiting = self.in_flight.len();
        while self.in_flight.len() < pipelining
            && let Some((number, intended)) = self.feed.take()
        {
            self.feed.requests.write(number, self.server, &mut self.out);
            self.in_flight.push_back(intended);
        }
        if self.out.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        for intended in self.in_flight.range(waiting..) {
            let late = now.saturating_duration_since(*intended);
            self.feed.tally.borrow_mut().sent(late);
        }
        stream.write_all(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    /// Pairs the whole answers in the inbox with their requests; true after the last one.
    fn read_answers(&mut self) -> io::Result<bool> {
        let now = Instant::now();
        let mut read = 0;
        let mut last = false;
        while !last
            && let Some(answer) = response::parse(&self.inbox[read..])
                .map_err(|response::Broken| io::Error::from(io::ErrorKind::InvalidData))?
        {
            let intended = self
                .in_flight
                .pop_front()
                .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            let latency = now.saturating_duration_since(intended);
            let mut tally = self.feed.tally.borrow_mut();
            tally.answered(answer.status, latency);
            if (200..300).contains(&answer.status) {
                let before = self.feed.succeeded_at.replace(now);
                tally.silent(now.saturating_duration_since(before));
            }
            drop(tally);
            read += answer.len;
            last = answer.last;
        }
        self.inbox.drain(..read);
        Ok(last)
    }
}
