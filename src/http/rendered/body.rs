//! Bodies made of pieces.
//!
//! Owns how pieces become one body, plain or packed, without being copied, and how long one task may make them before
//! others get their turn. It may not know what they say.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame as DataFrame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::OnceCell;

use crate::http::reply::{self, GZIP_BYTES_MIN, Reply};
use crate::wire::Format;

use super::piece::{Packer, Piece};

/// How much is rendered or compressed before other requests get their turn, in bytes.
const STRIDE_BYTES: usize = 128 * 1024;

/// A body that is held once, however many read it.
pub(in crate::http) struct Body {
    pieces: Vec<Arc<Piece>>,
    /// The bytes of `pieces` in a row, so that an answer shares the list, however long it is.
    plain: Arc<[Bytes]>,
    packed: OnceCell<Arc<[Bytes]>>,
}

impl Body {
    pub(super) fn new(pieces: Vec<Arc<Piece>>) -> Self {
        Self {
            plain: pieces.iter().map(|piece| piece.plain.clone()).collect(),
            pieces,
            packed: OnceCell::new(),
        }
    }

    /// The body as an answer, compressed if `gzip`.
    pub(in crate::http) async fn reply(&self, format: Format, gzip: bool) -> Reply {
        let pieces = if gzip {
            Arc::clone(self.packed.get_or_init(|| self.pack()).await)
        } else {
            Arc::clone(&self.plain)
        };
        let mut reply = Reply::new(AnyBody::new(Pieces::new(pieces)));
        let media_type = HeaderValue::from_static(format.media_type());
        reply.headers_mut().insert(CONTENT_TYPE, media_type);
        reply::mark_encoding(&mut reply, gzip.then_some("gzip"));
        reply
    }

    /// Whether compressing it saves more than a header.
    pub(in crate::http) fn is_worth_packing(&self) -> bool {
        let length: usize = self.pieces.iter().map(|piece| piece.plain.len()).sum();
        length >= GZIP_BYTES_MIN
    }

    /// The body as one gzip member.
    async fn pack(&self) -> Arc<[Bytes]> {
        let mut packer = Packer::new(self.pieces.len());
        let mut pace = Pace::default();
        for piece in &self.pieces {
            pace.took(packer.add(piece)).await;
        }
        packer.finish()
    }
}

/// Lets others run now and then while a long document is made.
#[derive(Default)]
pub(super) struct Pace {
    bytes: usize,
}

impl Pace {
    /// `bytes` more are made.
    pub(super) async fn took(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > STRIDE_BYTES {
            self.bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// A body of known length that copies nothing.
struct Pieces {
    list: Arc<[Bytes]>,
    next: usize,
    left: u64,
}

impl Pieces {
    fn new(list: Arc<[Bytes]>) -> Self {
        let left = list.iter().map(|piece| piece.len() as u64).sum();
        Self {
            list,
            next: 0,
            left,
        }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<DataFrame<Bytes>, Self::Error>>> {
        let Some(piece) = self.list.get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        self.next += 1;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(DataFrame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.list.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
