//! Questions to a server over HTTP.
//!
//! Owns one GET with a deadline and a cap on the answer. It may not interpret the answer beyond its
//! status and JSON.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::net::{Connection, Network, TcpNetwork};
use crate::server::config::BaseUrl;

/// From the start of a question to the end of its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

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

/// GETs `path` from `server` and reads the answer as JSON.
///
/// # Errors
///
/// [`AskError`]; never later than three seconds.
pub(super) async fn ask<T: DeserializeOwned>(server: &BaseUrl, path: &str) -> Result<T, AskError> {
    let body = timeout(ANSWER_WAIT, get(server, path))
        .await
        .map_err(|_| AskError::Silent(format!("no answer within {} s", ANSWER_WAIT.as_secs())))??;
    serde_json::from_slice(&body)
        .map_err(|error| AskError::Strange(format!("{path} answered something else: {error}")))
}

/// The two halves of a connection: who asks, and who must be polled for it.
type Halves = (
    http1::SendRequest<NoBody>,
    http1::Connection<TokioIo<Connection>, NoBody>,
);

/// A fresh connection to `server`.
pub(super) async fn open(server: &BaseUrl) -> Result<Halves, AskError> {
    let silent = |error: String| AskError::Silent(error);
    let connection = TcpNetwork
        .connect(server.authority().as_str())
        .await
        .map_err(|error| silent(error.to_string()))?;
    http1::handshake(TokioIo::new(connection))
        .await
        .map_err(|error| silent(error.to_string()))
}

async fn get(server: &BaseUrl, path: &str) -> Result<Vec<u8>, AskError> {
    let silent = |error: String| AskError::Silent(error);
    let (mut sender, driver) = open(server).await?;
    let question = hyper::Request::get(path)
        .header("host", server.authority().as_str())
        .header("accept", "application/json")
        .body(NoBody)
        .expect("the path is a constant and an address is a valid header");
    // The driver ends with the connection, when both halves are dropped at the end of this call.
    let driver = tokio::spawn(driver);
    let answer = match sender.send_request(question).await {
        Ok(answer) if answer.status().is_success() => collect(answer.into_body()).await,
        Ok(answer) => Err(AskError::Strange(format!(
            "{path} answered {}",
            answer.status()
        ))),
        Err(error) => Err(silent(error.to_string())),
    };
    driver.abort();
    answer
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, AskError> {
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| AskError::Silent(error.to_string()))?;
        let data = frame.into_data().unwrap_or_default();
        if collected.len() + data.len() > ANSWER_BYTES_MAX {
            let reason = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
            return Err(AskError::Strange(reason));
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

/// The body of a GET.
pub(super) struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}
