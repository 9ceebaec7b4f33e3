//! Limits.
//!
//! Owns how much of everything a client may have. It may not enforce any: each is enforced where the
//! thing is.

use std::time::Duration;

/// What clients may use up. Every limit has a refusal, and every refusal is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A request body, as sent and once decompressed, in bytes (`limits.max_body`): 413.
    pub body_bytes_max: usize,
    /// The body of a batch of a legacy Eureka peer (`limits.max_replication_body`): 413. `None`: batches
    /// are not taken (`compat.peer_replication`), and their route is not there: 404.
    pub replication_bytes_max: Option<usize>,
    /// Open connections: one more is closed at once.
    pub connections_max: usize,
    /// Open change streams: 429.
    pub streams_max: usize,
    /// How often a quiet stream says that it lives.
    pub stream_heartbeat: Duration,
    /// From the first byte of a request to the end of its headers: 408, closed.
    pub header_timeout: Duration,
    /// From the last answer to the first byte of the next request: closed. More than the 30 s between
    /// two heartbeats, so that clients keep their connections.
    pub idle_timeout: Duration,
    /// From the headers of a request to the end of its body: 408, closed.
    pub body_timeout: Duration,
    /// From a request to its answer, long polls excepted: 503. Below the 5 s after which the first
    /// Eureka clients give up.
    pub answer_timeout: Duration,
    /// For open requests when the server stops; then their connections are cut.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 * 1024,
            replication_bytes_max: None,
            connections_max: 20_000,
            streams_max: 2_000,
            stream_heartbeat: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_millis(4_900),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// The headers of a request, in bytes: 431.
pub(super) const HEADER_BYTES_MAX: usize = 32 * 1024;

/// The headers of a request, in number: 431.
pub(super) const HEADERS_MAX: usize = 100;
