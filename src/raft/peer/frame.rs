//! Frames: one envelope of the codec each.
//!
//! Owns how envelopes are cut out of a stream and put into one. It may not know what they say.
//! Invariant: a length is checked against the channel's cap before anything is allocated for it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::codec::{self, CodecError, ENVELOPE_BYTES, Stored};
use crate::net::Connection;

/// Frames that wait to be written to one connection.
const FRAMES_QUEUED: usize = 64;
/// Bytes gathered before they are handed to the network, or read from it at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Why no frame could be read. The connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(in crate::raft) enum FrameError {
    /// The network's error, or the end in the middle of a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a frame, or over the cap.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The reading half of a connection, so that a small frame costs no system call of its own.
pub(super) type ReadHalf = BufReader<tokio::io::ReadHalf<Connection>>;
type WriteHalf = tokio::io::WriteHalf<Connection>;

/// How long the serving end of a connection waits for a frame. Members talk every second: one that is
/// silent for this long has vanished without closing.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(60);

/// Reads one frame of a connection that is being served; `None` also when it has been idle too long.
pub(super) async fn next_frame<T: Stored>(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<T>, FrameError> {
    timeout(IDLE_MAX, read_frame(reader, limit))
        .await
        .unwrap_or(Ok(None))
}

/// Splits a connection into its halves; the future writes, and must be polled for anything to go out.
pub(super) fn split(
    connection: Connection,
    frame_max: usize,
) -> (ReadHalf, FrameSink, impl Future<Output = ()> + Send) {
    let (reader, writer) = tokio::io::split(connection);
    let (queue, frames) = mpsc::channel(FRAMES_QUEUED);
    let sink = FrameSink { queue, frame_max };
    (
        BufReader::with_capacity(BUFFER_BYTES, reader),
        sink,
        write_out(writer, frames),
    )
}

/// Reads one frame of at most `limit` payload bytes; `None` when the peer has closed.
pub(super) async fn read_frame<T: Stored>(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<T>, FrameError> {
    let mut bytes = vec![0; ENVELOPE_BYTES];
    if reader.read(&mut bytes[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut bytes[1..]).await?;
    let header = codec::envelope_header(&bytes, limit)?;
    bytes.resize(ENVELOPE_BYTES + header.len, 0);
    reader.read_exact(&mut bytes[ENVELOPE_BYTES..]).await?;
    Ok(Some(codec::decode(&bytes, limit)?))
}

/// Writes one frame at once: for the handshake.
pub(super) async fn write_frame<T: Stored>(
    writer: &mut (impl AsyncWrite + Unpin),
    frame: &T,
) -> io::Result<()> {
    writer.write_all(&codec::encode(frame)).await?;
    writer.flush().await
}

/// The sending side of a connection: whole frames, in order.
#[derive(Debug, Clone)]
pub(super) struct FrameSink {
    queue: mpsc::Sender<Vec<u8>>,
    frame_max: usize,
}

/// Why a frame was not queued. Nothing of it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The connection is closed.
    Closed,
    /// The frame is over the channel's cap: the other end would close the connection.
    TooLong,
}

impl FrameSink {
    /// Queues a frame, waiting for room. Dropped before it resolves, nothing was queued.
    pub(super) async fn send<T: Stored>(&self, frame: &T) -> Result<(), Unsent> {
        let bytes = codec::encode(frame);
        if bytes.len() - ENVELOPE_BYTES > self.frame_max {
            return Err(Unsent::TooLong);
        }
        let place = self
            .queue
            .reserve()
            .await
            .map_err(|_closed| Unsent::Closed)?;
        place.send(bytes);
        Ok(())
    }

    /// Resolves when the connection no longer takes frames.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }
}

/// Writes what has queued up before each flush, so that many small frames travel together.
async fn write_out(writer: WriteHalf, mut frames: mpsc::Receiver<Vec<u8>>) {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, writer);
    while let Some(first) = frames.recv().await {
        let mut next = Some(first);
        while let Some(frame) = next {
            if writer.write_all(&frame).await.is_err() {
                return;
            }
            next = frames.try_recv().ok();
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
    // The peer is told by the end of the stream; whether it hears it is its own affair.
    let _ = writer.shutdown().await;
}
