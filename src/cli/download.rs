//! A long answer of a server, piece by piece.
//!
//! Owns one GET without a cap on its length, with a deadline for each piece. It may not keep what it has
//! handed on.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::http_client::{AskError, Whole, open};
use crate::server::config::BaseUrl;

/// From the question to the head of the answer: a read index, and the copy of the lease table.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// From one piece to the next.
const PIECE_WAIT: Duration = Duration::from_secs(30);

/// GETs `path` from `server` and hands every piece of the answer to `take`; ends with its first error.
///
/// # Errors
/// [`AskError`]; an answer that broke off is [`AskError::Silent`].
pub(super) async fn download(
    server: &BaseUrl,
    path: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), AskError>,
) -> Result<(), AskError> {
    let (mut sender, driver) = open(server).await.map_err(AskError::Silent)?;
    let driver = tokio::spawn(driver);
    let question = hyper::Request::get(path)
        .header("host", server.authority().as_str())
        .body(Whole::NOTHING)
        .expect("the path is a constant and an address is a valid header");
    let answer = timeout(HEAD_WAIT, sender.send_request(question)).await;
    let answer = answer
        .map_err(|_late| AskError::Silent(format!("no answer in {} s", HEAD_WAIT.as_secs())))?
        .map_err(|error| AskError::Silent(error.to_string()))?;
    let status = answer.status();
    let mut body = answer.into_body();
    if !status.is_success() {
        let why = next(&mut body).await?.unwrap_or_default();
        let why = String::from_utf8_lossy(&why).into_owned();
        return Err(AskError::Strange(format!("{path} answered {status} {why}")));
    }
    while let Some(piece) = next(&mut body).await? {
        take(&piece)?;
    }
    driver.abort();
    Ok(())
}

async fn next(body: &mut Incoming) -> Result<Option<bytes::Bytes>, AskError> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
    let frame = timeout(PIECE_WAIT, frame)
        .await
        .map_err(|_late| AskError::Silent(format!("nothing for {} s", PIECE_WAIT.as_secs())))?;
    match frame {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => Err(AskError::Silent(format!("the answer broke off: {error}"))),
    }
}
