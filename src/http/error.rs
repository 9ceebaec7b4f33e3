//! Refusals.
//!
//! Owns every reason a request is refused, and is the only place that knows which status code, error
//! code and advice a reason has. The invariant: outside `/v1` a refusal has an empty body (Eureka's
//! Java clients parse any other as an instance), except Eureka's own texts for bad registrations.

use axum::body::Body;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use crate::node::{AdminRefusal, BackupRefusal, ReadError, WriteError};
use crate::wire::{Format, NotAcceptable, RegistrationError, UnsupportedMediaType};

use super::refused_order::order_verdict;
use super::reply::{self, Reply};
use super::route::{BadPath, Methods};

/// When a refused client may expect another answer, in seconds: no reason but those below lasts.
const RETRY_AFTER_SECS: u16 = 1;

/// The longest an election usually takes (`raft.election_timeout`, twice its most).
const ELECTION_SECS: u16 = 2;

/// How often states are compared: a majority may agree again by then.
const COMPARISON_SECS: u16 = 3;

/// Somebody has to make room first; a client that asks every second would not help.
const ROOM_SECS: u16 = 30;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiError {
    /// A parameter, header or path that cannot be meant; says which.
    BadRequest(&'static str),
    /// A registration Eureka refuses, with the formats of the body and of the answer.
    Registration(RegistrationError, Format, Format),
    /// No such route, application or instance.
    NotFound,
    /// The route has other methods.
    MethodNotAllowed(Methods),
    /// No media type we write is acceptable.
    NotAcceptable,
    /// A body of a type or encoding we do not read.
    UnsupportedMediaType,
    /// The body is over its limit, as sent or once decompressed.
    BodyTooLarge,
    /// The path and query are over their limit.
    TargetTooLong,
    /// The body did not come in time.
    BodyTimeout,
    /// The history after the cursor is gone, or the cursor is of another cluster.
    Gone {
        /// The smallest cursor accepted.
        oldest: u64,
        /// Where to re-read.
        index: u64,
    },
    /// A quota of the registry would be exceeded.
    QuotaExceeded,
    /// As many streams are open as may be.
    TooManyStreams,
    /// Another backup is being taken from this node.
    BackupRunning,
    /// A read was refused.
    Read(ReadError),
    /// A write was not acknowledged.
    Write(WriteError),
    /// An order of an operator was refused.
    Order(AdminRefusal),
    /// The handler's deadline passed; only a read has this, a write is [`WriteError::Unknown`].
    Deadline,
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<BackupRefusal> for ApiError {
    fn from(refusal: BackupRefusal) -> Self {
        match refusal {
            BackupRefusal::Read(error) => Self::Read(error),
            BackupRefusal::Running => Self::BackupRunning,
        }
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<AdminRefusal> for ApiError {
    fn from(refusal: AdminRefusal) -> Self {
        Self::Order(refusal)
    }
}

impl From<BadPath> for ApiError {
    fn from(_: BadPath) -> Self {
        Self::BadRequest(
            "the path has a bad escape, a control character, a backslash or a name that is too long",
        )
    }
}

impl From<NotAcceptable> for ApiError {
    fn from(_: NotAcceptable) -> Self {
        Self::NotAcceptable
    }
}

impl From<UnsupportedMediaType> for ApiError {
    fn from(_: UnsupportedMediaType) -> Self {
        Self::UnsupportedMediaType
    }
}

/// The JSON of an error under `/v1`.
#[derive(Serialize)]
struct Explanation<'a> {
    code: &'a str,
    message: String,
    hint: &'a str,
}

/// What follows from a refusal: its status, its code (a closed list, interface of `/v1`) and advice.
pub(super) struct Verdict {
    status: StatusCode,
    code: &'static str,
    hint: &'static str,
}

pub(super) const fn verdict(status: StatusCode, code: &'static str, hint: &'static str) -> Verdict {
    Verdict { status, code, hint }
}

impl ApiError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::BadRequest(_) => verdict(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "correct the request; repeating it will not help",
            ),
            Self::Registration(..) => verdict(
                StatusCode::BAD_REQUEST,
                "bad_registration",
                "correct the instance document; repeating it will not help",
            ),
            Self::NotFound => verdict(StatusCode::NOT_FOUND, "not_found", "check the path"),
            Self::MethodNotAllowed(_) => verdict(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "the Allow header lists the methods of this path",
            ),
            Self::NotAcceptable => verdict(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "accept application/json or application/xml",
            ),
            Self::UnsupportedMediaType => verdict(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send application/json or application/xml, plain or gzip",
            ),
            Self::BodyTooLarge => verdict(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "send a smaller document or raise limits.max_body",
            ),
            Self::TargetTooLong => verdict(
                StatusCode::URI_TOO_LONG,
                "target_too_long",
                "a path with its query is at most 8 KiB",
            ),
            Self::BodyTimeout => verdict(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "send the whole body at once",
            ),
            Self::Gone { .. } => verdict(
                StatusCode::GONE,
                "history_gone",
                "read everything again, then go on from the index of that answer",
            ),
            Self::QuotaExceeded => verdict(
                StatusCode::INSUFFICIENT_STORAGE,
                "quota_exceeded",
                "cancel instances, shorten metadata, or raise limits.instances or limits.applications",
            ),
            Self::TooManyStreams => verdict(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                "use another node, or poll with wait=",
            ),
            Self::BackupRunning => verdict(
                StatusCode::TOO_MANY_REQUESTS,
                "backup_running",
                "wait for it to end, or take the backup from another node",
            ),
            Self::Read(error) => read_verdict(*error),
            Self::Write(error) => write_verdict(*error),
            Self::Order(refusal) => order_verdict(refusal),
            Self::Deadline => unavailable("deadline", "try again, or another node"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::BadRequest(what) => (*what).to_owned(),
            Self::Registration(error, ..) => error.to_string(),
            Self::NotFound => "there is nothing here".to_owned(),
            Self::MethodNotAllowed(methods) => format!("the methods here are {}", methods.0),
            Self::NotAcceptable => NotAcceptable.to_string(),
            Self::UnsupportedMediaType => UnsupportedMediaType.to_string(),
            Self::BodyTooLarge => "the body is over the limit".to_owned(),
            Self::TargetTooLong => "the path and query are over the limit".to_owned(),
            Self::BodyTimeout => "the body did not come in time".to_owned(),
            Self::Gone { oldest, index } => {
                format!("history before {oldest} is gone; read again at {index}")
            }
            Self::QuotaExceeded => "a quota of the registry would be exceeded".to_owned(),
            Self::TooManyStreams => "too many streams are open on this node".to_owned(),
            Self::BackupRunning => BackupRefusal::Running.to_string(),
            Self::Read(error) => error.to_string(),
            Self::Write(error) => error.to_string(),
            Self::Order(refusal) => refusal.to_string(),
            Self::Deadline => "the answer was not ready in time".to_owned(),
        }
    }

    /// The answer, with the reason as JSON if `surface` explains, else in a header alone.
    pub(super) fn into_reply(self, surface: Surface) -> Reply {
        let Verdict { status, code, hint } = self.verdict();
        let mut reply = match (&self, surface) {
            (Self::Registration(error, body, answer), _) => {
                let text = error.message(*body).unwrap_or_default();
                let kind = if matches!(error, RegistrationError::Unparsable(_)) {
                    body
                } else {
                    answer
                };
                reply::document(kind.media_type(), text.into())
            }
            (_, Surface::Explaining) => explained(code, self.message(), hint),
            (_, Surface::Silent) => Reply::new(Body::empty()),
        };
        *reply.status_mut() = status;
        self.add_headers(&mut reply, code);
        reply
    }

    /// What Eureka clients, who get no body, find in a header of its own.
    const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Write(WriteError::DiskFull) => Some("disk-full"),
            Self::Write(WriteError::DiskStalled) => Some("disk-stalled"),
            Self::Write(WriteError::HashesSplit) => Some("hashes-split"),
            _ => None,
        }
    }

    /// When the reason of a 503 may be over.
    const fn retry_after_secs(&self) -> u16 {
        match self {
            Self::Write(WriteError::NoLeader) | Self::Read(ReadError::NoLeader) => ELECTION_SECS,
            Self::Write(WriteError::HashesSplit) => COMPARISON_SECS,
            Self::Write(WriteError::DiskFull) => ROOM_SECS,
            _ => RETRY_AFTER_SECS,
        }
    }

    fn add_headers(&self, reply: &mut Reply, code: &'static str) {
        let status = reply.status();
        let headers = reply.headers_mut();
        headers.insert(reply::ERROR, HeaderValue::from_static(code));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let unknown = matches!(
                self,
                Self::Write(WriteError::Unknown) | Self::Order(AdminRefusal::UnknownOutcome)
            );
            let outcome = if unknown { "unknown" } else { "not-executed" };
            headers.insert(reply::OUTCOME, HeaderValue::from_static(outcome));
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_secs()));
        }
        if let Some(reason) = self.reason() {
            headers.insert(reply::REASON, HeaderValue::from_static(reason));
        }
        match self {
            Self::MethodNotAllowed(methods) => {
                headers.insert(ALLOW, HeaderValue::from_static(methods.0));
            }
            Self::Gone { oldest, index } => {
                headers.insert(reply::OLDEST_INDEX, HeaderValue::from(*oldest));
                headers.insert(reply::INDEX, HeaderValue::from(*index));
            }
            // What is left of the body is not read: the connection cannot be used again.
            Self::BodyTooLarge | Self::BodyTimeout => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
    }
}

/// Whether a refusal may have a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    /// `/v1`: the reason as JSON.
    Explaining,
    /// Eureka's routes: empty.
    Silent,
}

fn explained(code: &str, message: String, hint: &str) -> Reply {
    let explanation = Explanation {
        code,
        message,
        hint,
    };
    let text = serde_json::to_vec(&explanation).expect("three strings are always JSON");
    let mut reply = Reply::new(Body::from(text));
    let json = HeaderValue::from_static(Format::Json.media_type());
    reply.headers_mut().insert(CONTENT_TYPE, json);
    reply
}

pub(super) const fn unavailable(code: &'static str, hint: &'static str) -> Verdict {
    verdict(StatusCode::SERVICE_UNAVAILABLE, code, hint)
}

const fn read_verdict(error: ReadError) -> Verdict {
    match error {
        ReadError::NoLeader => {
            unavailable("no_leader", "try again, or ask with consistency=available")
        }
        ReadError::Behind => unavailable("behind", "try again, or another node"),
        ReadError::NeverCommitted => verdict(
            StatusCode::BAD_REQUEST,
            "never_committed",
            "that index is of another cluster or was never acknowledged: read everything again",
        ),
        ReadError::Stopping => unavailable("stopping", "use another node"),
    }
}

const fn write_verdict(error: WriteError) -> Verdict {
    match error {
        WriteError::Overloaded => unavailable("overloaded", "come back later, or slow down"),
        WriteError::NoLeader => unavailable("no_leader", "try again"),
        WriteError::Unknown => unavailable(
            "unknown_outcome",
            "it may have been executed: read before you repeat it",
        ),
        WriteError::Stopping => unavailable("stopping", "use another node"),
        WriteError::DiskFull => unavailable(
            "disk_full",
            "make room on the volumes of the nodes; heartbeats, reads and cancels go on",
        ),
        WriteError::DiskStalled => unavailable("disk_stalled", "use another node"),
        WriteError::HashesSplit => unavailable(
            "hashes_split",
            "nothing is written until the nodes agree again: eureka-raft status shows their hashes",
        ),
    }
}
