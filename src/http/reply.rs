//! Answers.
//!
//! Owns the names of our headers and how an answer is put together: its stamps (index, cluster,
//! consistency, age), its validator and its compression. It may not decide a status of a refusal.

use std::io::Write;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
    VARY,
};

use crate::node::{Read, Written};

use super::app::App;
use super::request::Call;

/// An answer.
pub(super) type Reply = hyper::Response<Body>;

/// The log index an answer reflects, or that of the write's entry.
pub(super) const INDEX: HeaderName = HeaderName::from_static("x-eureka-raft-index");
/// The position of the write's command in its entry.
pub(super) const SEQ: HeaderName = HeaderName::from_static("x-eureka-raft-seq");
/// The cluster's id, 32 hexadecimal digits.
pub(super) const CLUSTER: HeaderName = HeaderName::from_static("x-eureka-raft-cluster");
/// `linearizable` or `local`.
pub(super) const CONSISTENCY: HeaderName = HeaderName::from_static("x-eureka-raft-consistency");
/// How old a local answer is at most, ms.
pub(super) const AGE_MS: HeaderName = HeaderName::from_static("x-eureka-raft-age-ms");
/// The smallest cursor accepted.
pub(super) const OLDEST_INDEX: HeaderName = HeaderName::from_static("x-eureka-raft-oldest-index");
/// On a 503: `not-executed` or `unknown`.
pub(super) const OUTCOME: HeaderName = HeaderName::from_static("x-eureka-raft-outcome");
/// On a 503 that is not for want of a leader: `disk-full`, `disk-stalled` or `hashes-split`.
pub(super) const REASON: HeaderName = HeaderName::from_static("x-eureka-raft-reason");
/// The code of a refusal, where its body is empty.
pub(super) const ERROR: HeaderName = HeaderName::from_static("x-eureka-raft-error");
/// Asks for an answer at this index or later.
pub(super) const MIN_INDEX: HeaderName = HeaderName::from_static("x-eureka-raft-min-index");

/// What a document's form depends on.
const VARIES_BY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding, X-Eureka-Accept");

/// Smaller bodies are not worth a gzip header.
pub(super) const GZIP_BYTES_MIN: usize = 256;

/// The compression level: zlib-rs makes 85 % of level 6's saving in half its time.
pub(super) const GZIP_LEVEL: u32 = 4;

/// An answer without body or content type.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

/// A 200 with a body of this media type.
pub(super) fn document(media_type: &'static str, body: Bytes) -> Reply {
    let mut reply = Reply::new(Body::from(body));
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    reply
}

/// `reply`, never to be kept by a cache.
pub(super) fn uncached(mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A 200 with a body of this media type, compressed if `call` asks for it.
pub(super) fn compressible(call: &Call, media_type: &'static str, body: Bytes) -> Reply {
    let gzip = call.accepts_gzip() && body.len() >= GZIP_BYTES_MIN;
    let mut reply = document(media_type, if gzip { gzipped(&body) } else { body });
    mark_encoding(&mut reply, gzip.then_some("gzip"));
    reply
}

/// Names the encoding of a body, if it has one, and what its form depends on.
pub(super) fn mark_encoding(reply: &mut Reply, encoding: Option<&'static str>) {
    let headers = reply.headers_mut();
    headers.insert(VARY, VARIES_BY);
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
}

fn gzipped(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(body).expect("a vector takes every write");
    encoder.finish().expect("a vector takes every write").into()
}

/// A validator: two answers of one path with the same tag mean the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validator(String);

impl Validator {
    /// The weak tag of a document: `key` says which content, `variant` which form of it.
    pub(super) fn new(app: &App, key: &str, variant: &str) -> Self {
        let cluster = app.cluster_digits();
        Self(format!("W/\"{cluster}-{key}-{variant}\""))
    }

    /// The 304 for a client that holds this content already.
    pub(super) fn not_modified(&self, call: &Call) -> Option<Reply> {
        let held = call.header(&IF_NONE_MATCH)?;
        let known = held
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag == self.0);
        known.then(|| {
            let mut reply = empty(StatusCode::NOT_MODIFIED);
            self.mark(&mut reply);
            reply
        })
    }

    /// Puts the tag on an answer.
    pub(super) fn mark(&self, reply: &mut Reply) {
        let headers = reply.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.0) {
            headers.insert(ETAG, tag);
        }
        headers.insert(VARY, VARIES_BY);
    }
}

/// Says which log index a read reflects and how fresh it is.
pub(super) fn stamp_read(reply: &mut Reply, read: &Read, index: u64) {
    let headers = reply.headers_mut();
    headers.insert(INDEX, HeaderValue::from(index));
    let consistency = if read.linearizable {
        "linearizable"
    } else {
        headers.insert(AGE_MS, HeaderValue::from(millis(read.age)));
        "local"
    };
    headers.insert(CONSISTENCY, HeaderValue::from_static(consistency));
}

/// Says where in the log a write is.
pub(super) fn stamp_write(reply: &mut Reply, written: &Written) {
    let headers = reply.headers_mut();
    headers.insert(INDEX, HeaderValue::from(written.index));
    headers.insert(SEQ, HeaderValue::from(written.seq));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
