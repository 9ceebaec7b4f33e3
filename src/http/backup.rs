//! The backup.
//!
//! Owns GET `/v1/snapshot`: a whole snapshot file as a stream of unknown length. It may not look into
//! the bytes. The invariant: a stream that breaks off has no footer, so the file is refused by whoever
//! verifies it.

use axum::body::Body;
use futures_util::StreamExt as _;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};

use super::app::App;
use super::changes::Endless;
use super::error::ApiError;
use super::reply::{self, Reply};

/// GET `/v1/snapshot`.
pub(super) async fn backup(app: &App) -> Result<Reply, ApiError> {
    let begun = tokio::time::timeout(app.limits().answer_timeout, app.node().backup());
    let mut backup = begun.await.map_err(|_late| ApiError::Deadline)??;
    let index = backup.index;
    let pieces = futures_util::stream::poll_fn(move |context| backup.pieces.poll_recv(context));
    let mut reply = Reply::new(Body::from_stream(pieces.fuse()));
    let headers = reply.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, octets);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(reply::INDEX, HeaderValue::from(index));
    // A slow reader is left by whoever makes the pieces, not by the connection's idle timeout.
    reply.extensions_mut().insert(Endless);
    Ok(reply)
}
