//! Questions and orders to a server over HTTP.
//!
//! Owns one exchange with a deadline and a cap on the answer. It may not interpret the answer beyond
//! its status and JSON. Invariant: it says whether anything can have reached the server.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::net::{Connection, Network, TcpNetwork};
use crate::server::config::BaseUrl;

/// From the start of a question to the end of its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// The same of an order: a leader is waited for, a peer is asked, an entry is committed.
const ORDER_WAIT: Duration = Duration::from_secs(15);

/// The largest answer: thousands of members would fit.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    /// Nobody answered.
    #[error("{0}")]
    Silent(String),
    /// Something answered, and not as this program does.
    #[error("{0}")]
    Strange(String),
}

/// Why an order has no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OrderError {
    /// No connection: nothing was sent.
    #[error("{0}")]
    Silent(String),
    /// It was sent, and no answer came: it may have been carried out.
    #[error("{0}")]
    Lost(String),
    /// It was refused, with the server's words.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Something answered, and not as this program does.
    #[error("{0}")]
    Strange(String),
}

/// A refusal under `/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    /// Its HTTP status.
    #[serde(skip)]
    pub(super) status: u16,
    /// Of the documented closed list.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) hint: String,
}

/// GETs `path` from `server` and reads the answer as JSON.
///
/// # Errors
///
/// [`AskError`]; never later than three seconds.
pub(super) async fn ask<T: DeserializeOwned>(server: &BaseUrl, path: &str) -> Result<T, AskError> {
    let request = (Method::GET, path, Bytes::new());
    let (status, body) = match timeout(ANSWER_WAIT, exchange(server, request)).await {
        Ok(answer) => answer.map_err(|lack| match lack {
            Lack::NoConnection(why) | Lack::NoAnswer(why) => AskError::Silent(why),
            Lack::TooLong => AskError::Strange(too_long()),
        })?,
        Err(_) => return Err(AskError::Silent(no_answer_within(ANSWER_WAIT))),
    };
    if !status.is_success() {
        return Err(AskError::Strange(format!("{path} answered {status}")));
    }
    serde_json::from_slice(&body)
        .map_err(|error| AskError::Strange(format!("{path} answered something else: {error}")))
}

/// The two halves of a connection: who asks, and who must be polled for it.
type Halves = (
    http1::SendRequest<Whole>,
    http1::Connection<TokioIo<Connection>, Whole>,
);

/// A fresh connection to `server`; the error says why there is none.
pub(super) async fn open(server: &BaseUrl) -> Result<Halves, String> {
    let connection = TcpNetwork
        .connect(server.authority().as_str())
        .await
        .map_err(|error| error.to_string())?;
    http1::handshake(TokioIo::new(connection))
        .await
        .map_err(|error| error.to_string())
}

/// POSTs `body` to `path` of `server` and reads the report.
///
/// # Errors
///
/// [`OrderError`]; never later than fifteen seconds.
pub(super) async fn order<T: DeserializeOwned>(
    server: &BaseUrl,
    path: &str,
    body: &serde_json::Value,
) -> Result<T, OrderError> {
    let request = (Method::POST, path, Bytes::from(body.to_string()));
    let (status, body) = match timeout(ORDER_WAIT, exchange(server, request)).await {
        Ok(answer) => answer.map_err(|lack| match lack {
            Lack::NoConnection(why) => OrderError::Silent(why),
            Lack::NoAnswer(why) => OrderError::Lost(why),
            Lack::TooLong => OrderError::Strange(too_long()),
        })?,
        Err(_) => return Err(OrderError::Lost(no_answer_within(ORDER_WAIT))),
    };
    let strange = |error| OrderError::Strange(format!("{path} answered {status}: {error}"));
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(strange);
    }
    let refusal: Refusal = serde_json::from_slice(&body).map_err(strange)?;
    Err(OrderError::Refused(Refusal {
        status: status.as_u16(),
        ..refusal
    }))
}

fn no_answer_within(wait: Duration) -> String {
    format!("no answer within {} s", wait.as_secs())
}

fn too_long() -> String {
    format!("the answer is longer than {ANSWER_BYTES_MAX} bytes")
}

/// Why an exchange did not end with an answer.
enum Lack {
    NoConnection(String),
    NoAnswer(String),
    TooLong,
}

async fn exchange(
    server: &BaseUrl,
    (method, path, body): (Method, &str, Bytes),
) -> Result<(StatusCode, Vec<u8>), Lack> {
    let (mut sender, driver) = open(server).await.map_err(Lack::NoConnection)?;
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", server.authority().as_str())
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .body(Whole(Some(body)))
        .map_err(|error| Lack::NoConnection(error.to_string()))?;
    // The driver ends with the connection, when both halves are dropped at the end of this call.
    let driver = tokio::spawn(driver);
    let answer = match sender.send_request(request).await {
        Ok(answer) => {
            let status = answer.status();
            let body = collect(answer.into_body()).await;
            body.map(|body| (status, body))
        }
        Err(error) => Err(Lack::NoAnswer(error.to_string())),
    };
    driver.abort();
    answer
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, Lack> {
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Lack::NoAnswer(error.to_string()))?;
        let data = frame.into_data().unwrap_or_default();
        if collected.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(Lack::TooLong);
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

/// The body of a request, in one piece; taken when it was sent.
pub(super) struct Whole(Option<Bytes>);

impl Whole {
    /// The body of a GET.
    pub(super) const NOTHING: Self = Self(None);
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.0.take().filter(|body| !body.is_empty());
        Poll::Ready(body.map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let bytes = self.0.as_ref().map_or(0, |body| body.len() as u64);
        hyper::body::SizeHint::with_exact(bytes)
    }
}
