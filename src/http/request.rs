//! Requests.
//!
//! Owns how a request is read: its body within limits, and what its headers and query ask for. It may
//! not answer one. The invariant: what a handler sees is whole; half a body never executes anything.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io::Read as _;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, EXPECT, HeaderMap, HeaderName};
use hyper::{Method, Request, Uri};

use crate::node::{Consistency, ReadOptions};
use crate::registry::Origin;
use crate::wire::{Accepted, Form, negotiate};

use super::error::ApiError;
use super::query::{BadQuery, Query};
use super::rendered::Shape;
use super::reply;

/// How much of a refused body is read and dropped, in bytes, so that the client gets to read the
/// refusal: closing with bytes unread resets the connection.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;

const REPLICATION: HeaderName = HeaderName::from_static("x-netflix-discovery-replication");
const EUREKA_ACCEPT: HeaderName = HeaderName::from_static("x-eureka-accept");

/// A whole request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// As sent: see [`Call::plain_body`].
    pub(super) body: Bytes,
}

impl Call {
    /// Reads the whole of `request`.
    ///
    /// # Errors
    /// [`ApiError::BodyTooLarge`] beyond `bytes_max`, [`ApiError::BodyTimeout`] after `within`.
    pub(super) async fn read(
        request: Request<Incoming>,
        bytes_max: usize,
        within: Duration,
    ) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let body = if body.is_end_stream() {
            Bytes::new()
        } else {
            let expects = head.headers.contains_key(EXPECT);
            bounded(body, bytes_max, expects, within).await?
        };
        Ok(Self {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
        })
    }

    /// The value of a header, if it is there and visible ASCII.
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The query; empty if there is none.
    pub(super) fn query(&self) -> Query<'_> {
        Query(self.uri.query().unwrap_or_default())
    }

    /// The formats the client wants its answer in.
    ///
    /// # Errors
    /// [`ApiError::NotAcceptable`].
    pub(super) fn accepted(&self) -> Result<Accepted, ApiError> {
        let lines = self.headers.get_all(ACCEPT).iter();
        Ok(negotiate(lines.filter_map(|line| line.to_str().ok()))?)
    }

    /// The form the client wants lists and applications in.
    ///
    /// # Errors
    /// [`ApiError::NotAcceptable`].
    pub(super) fn list_shape(&self) -> Result<Shape, ApiError> {
        Ok(Shape {
            format: self.accepted()?.list,
            form: Form::from_eureka_accept(self.header(&EUREKA_ACCEPT)),
        })
    }

    /// Who speaks: only the exact value `true` is a legacy peer (`ApplicationResource.java`).
    pub(super) fn origin(&self) -> Origin {
        if self.header(&REPLICATION) == Some("true") {
            Origin::Replication
        } else {
            Origin::Client
        }
    }

    /// Whether the client takes gzip: named, by its old name too (RFC 9110, 8.4.1.3), and not with `q=0`.
    pub(super) fn accepts_gzip(&self) -> bool {
        self.header(&ACCEPT_ENCODING)
            .is_some_and(|value| value.split(',').any(names_gzip))
    }

    /// How fresh the client wants its answer.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for a consistency or index that is none.
    pub(super) fn read_options(&self) -> Result<ReadOptions, ApiError> {
        let consistency = match self.parameter("consistency")?.as_deref() {
            None => None,
            Some("linearizable") => Some(Consistency::Linearizable),
            Some("available") => Some(Consistency::Available),
            Some("local") => Some(Consistency::Local),
            Some(_) => {
                return Err(ApiError::BadRequest(
                    "consistency is linearizable, available or local",
                ));
            }
        };
        let min_index = self
            .headers
            .get(reply::MIN_INDEX)
            .map(|value| value.to_str().ok().and_then(|text| text.parse().ok()))
            .map(|index| {
                index.ok_or(ApiError::BadRequest(
                    "X-Eureka-Raft-Min-Index is a log index",
                ))
            })
            .transpose()?;
        Ok(ReadOptions {
            consistency,
            min_index,
        })
    }

    /// The first value of a query parameter.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] if it is no UTF-8.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<Cow<'_, str>>, ApiError> {
        Ok(self.query().first(name)?)
    }

    /// The `lastDirtyTimestamp` of the query, ms. A negative one is older than any record: 0.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`], see [`Query::last_dirty_ms`].
    pub(super) fn last_dirty_ms(&self) -> Result<Option<u64>, ApiError> {
        Ok(self.query().last_dirty_ms()?)
    }

    /// The body without its compression, within `bytes_max`.
    ///
    /// # Errors
    /// [`ApiError::UnsupportedMediaType`] for an encoding other than gzip, [`ApiError::BodyTooLarge`]
    /// for one that grows over the limit, [`ApiError::BadRequest`] for one that is broken.
    pub(super) fn plain_body(&self, bytes_max: usize) -> Result<Bytes, ApiError> {
        match self.header(&CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => Ok(self.body.clone()),
            Some(name) if name.eq_ignore_ascii_case("gzip") => gunzip(&self.body, bytes_max),
            Some(_) => Err(ApiError::UnsupportedMediaType),
        }
    }
}

impl From<BadQuery> for ApiError {
    fn from(refusal: BadQuery) -> Self {
        Self::BadRequest(match refusal {
            BadQuery::NotUtf8 => "the query is not UTF-8",
            BadQuery::NotATime => "lastDirtyTimestamp is milliseconds",
            BadQuery::TooManyEntries => "more metadata entries than an instance may have",
        })
    }
}

fn names_gzip(coding: &str) -> bool {
    let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
    let refused = parameters
        .split_once('=')
        .is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0_f32));
    let name = name.trim();
    let is_gzip = name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip");
    is_gzip && !refused
}

fn gunzip(body: &[u8], bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut plain = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    GzDecoder::new(body)
        .take(limit.saturating_add(1))
        .read_to_end(&mut plain)
        .map_err(|_| ApiError::BadRequest("the body is no gzip"))?;
    if plain.len() > bytes_max {
        return Err(ApiError::BodyTooLarge);
    }
    Ok(plain.into())
}

async fn bounded(
    mut body: Incoming,
    bytes_max: usize,
    expects_continue: bool,
    within: Duration,
) -> Result<Bytes, ApiError> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > bytes_max && expects_continue {
        return Err(ApiError::BodyTooLarge);
    }
    let all = async {
        let mut read = BytesMut::new();
        let mut seen = 0;
        while let Some(chunk) = next_chunk(&mut body).await? {
            seen += chunk.len();
            if seen > DISCARDED_BYTES_MAX.max(bytes_max) {
                break;
            }
            if seen <= bytes_max {
                read.extend_from_slice(&chunk);
            }
        }
        if seen > bytes_max {
            return Err(ApiError::BodyTooLarge);
        }
        Ok(read.freeze())
    };
    tokio::time::timeout(within, all)
        .await
        .unwrap_or(Err(ApiError::BodyTimeout))
}

async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, ApiError> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            // The client is gone or speaks no HTTP: the answer will hardly be read.
            Some(Err(_)) => return Err(ApiError::BadRequest("the body broke off")),
            Some(Ok(frame)) => {
                // Trailers mean nothing here.
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
        }
    }
}
