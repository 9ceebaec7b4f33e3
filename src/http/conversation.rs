//! One connection's time.
//!
//! Owns how long a client may stay silent: [`Heard`] notes when a request begins, [`Turn`] says when it
//! took too long. It may not read what is said. hyper's own header timeout also runs while a connection
//! idles between two heartbeats, hence this.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, sleep_until};

use crate::net::Connection;

use super::limits::Limits;

/// What a client gets that began a request and did not end its headers.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Whose turn it is, shared between a connection and what answers on it.
#[derive(Debug)]
pub(super) struct Turn {
    opened: Instant,
    /// Milliseconds from `opened` to the start of the turn, times four, plus the turn's kind.
    state: AtomicU64,
}

/// Nobody has begun anything: the idle timeout runs.
const IDLE: u64 = 0;
/// The client has begun a request: the header timeout runs.
const ASKING: u64 = 1;
/// The server answers: other timeouts run.
const ANSWERING: u64 = 2;

impl Turn {
    /// The turn of a connection opened now.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            state: AtomicU64::new(IDLE),
        })
    }

    /// A request has come in whole, up to its body.
    pub(super) fn to_server(&self) {
        self.begin(ANSWERING);
    }

    /// The answer is on its way: the client's turn.
    pub(super) fn to_client(&self) {
        self.begin(IDLE);
    }

    /// Whether the client has begun a request and not ended its headers.
    pub(super) fn is_asking(&self) -> bool {
        self.kind() == ASKING
    }

    /// Completes when the client has been silent for too long. Looks now and then instead of moving a
    /// timer with each request, so a slow request may take half as long again.
    pub(super) async fn overdue(&self, limits: &Limits) {
        loop {
            let look = Instant::now() + limits.header_timeout / 2;
            let deadline = self.deadline(limits);
            sleep_until(deadline.map_or(look, |deadline| deadline.min(look))).await;
            if self
                .deadline(limits)
                .is_some_and(|deadline| deadline <= Instant::now())
            {
                return;
            }
        }
    }

    fn begin(&self, kind: u64) {
        let elapsed_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        // One task drives both sides of a connection: no other order is needed.
        self.state.store(elapsed_ms << 2 | kind, Ordering::Relaxed);
    }

    fn kind(&self) -> u64 {
        self.state.load(Ordering::Relaxed) & 3
    }

    /// When the client's turn ends; `None` while it is not the client's.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = self.state.load(Ordering::Relaxed);
        let patience = match state & 3 {
            IDLE => limits.idle_timeout,
            ASKING => limits.header_timeout,
            _ => return None,
        };
        Some(self.opened + Duration::from_millis(state >> 2) + patience)
    }
}

/// A connection that tells when its client begins a request.
pub(super) struct Heard {
    connection: Connection,
    turn: Arc<Turn>,
}

impl Heard {
    /// Listens on `connection` for `turn`.
    pub(super) fn new(connection: Connection, turn: Arc<Turn>) -> Self {
        Self { connection, turn }
    }

    /// Ends the connection; a client that began a request learns why.
    pub(super) async fn give_up(mut self) {
        if self.turn.is_asking() {
            // Best effort: a client that does not even read gets nothing.
            let _ = self.connection.write_all(TOO_SLOW).await;
            let _ = self.connection.shutdown().await;
        }
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let held = buf.filled().len();
        let polled = Pin::new(&mut self.connection).poll_read(cx, buf);
        if buf.filled().len() > held && self.turn.kind() == IDLE {
            self.turn.begin(ASKING);
        }
        polled
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
