//! The change stream.
//!
//! Owns GET `/v1/changes`: every single change after a cursor, in log order, as one JSON document or
//! as server-sent events. It may not keep a backlog: a slow reader holds its cursor, nothing else. The
//! invariant: no answer and no `id:` ever splits an index.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;

use crate::node::{Consistency, ReadOptions};
use crate::registry::{Change, HistoryGone};
use crate::wire::{Format, instance_document};

use super::app::App;
use super::delta::{changes_since, wait_of};
use super::error::ApiError;
use super::reply::{self, Reply};
use super::request::Call;

/// The most changes in one answer, and how many a stream takes at a time; more only to end an index.
const LIMIT_MAX: usize = 10_000;

/// How many changes an answer has if the client does not say.
const LIMIT_DEFAULT: usize = 1_000;

/// Where an event source was when it lost its connection.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Marks an answer whose body does not end by itself: its connection may stay silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endless;

/// GET `/v1/changes?after=N[&limit=][&wait=]`.
pub(super) async fn changes(app: &Arc<App>, call: &Call) -> Result<Reply, ApiError> {
    let streams = call
        .header(&ACCEPT)
        .is_some_and(|accept| accept.contains("text/event-stream"));
    let after = cursor_of(call, streams)?;
    if streams {
        return stream(app, call, after).await;
    }
    let limit = limit_of(call)?;
    let (read, mut changes) = changes_since(app, call, after, wait_of(call)?).await?;
    let whole = changes.len();
    changes.truncate(whole_indexes(&changes, limit));
    // All of them: the cursor may move to where the view is. Else to the last one shown.
    let last = changes.last().filter(|_| changes.len() < whole);
    let next = last.map_or(read.view.index(), |change| change.index);
    let mut reply = reply::compressible(call, Format::Json.media_type(), listed(next, &changes));
    reply::stamp_read(&mut reply, &read, next);
    Ok(reply)
}

fn cursor_of(call: &Call, streams: bool) -> Result<u64, ApiError> {
    let resumed = call.header(&LAST_EVENT_ID).filter(|_| streams);
    let asked = call.parameter("after")?;
    let text = resumed.or(asked.as_deref());
    text.and_then(|text| text.parse().ok())
        .ok_or(ApiError::BadRequest("after is a log index"))
}

fn limit_of(call: &Call) -> Result<usize, ApiError> {
    let Some(text) = call.parameter("limit")? else {
        return Ok(LIMIT_DEFAULT);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or(ApiError::BadRequest("limit is a number from 1 to 10000"))
}

/// The length of the shortest prefix of at least `limit` changes (or of all) that splits no index.
fn whole_indexes(changes: &[Arc<Change>], limit: usize) -> usize {
    let Some(last) = limit.checked_sub(1).and_then(|last| changes.get(last)) else {
        return changes.len();
    };
    limit + changes[limit..].partition_point(|change| change.index == last.index)
}

fn listed(next: u64, changes: &[Arc<Change>]) -> Bytes {
    let mut text = format!("{{\"next\":{next},\"changes\":[").into_bytes();
    for (place, change) in changes.iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        write_change(&mut text, change);
    }
    text.extend_from_slice(b"]}");
    text.into()
}

/// One change: where it is in the log, when by the wall clock (ms), what, and the instance after it.
fn write_change(text: &mut Vec<u8>, change: &Change) {
    let instance = &change.record.instance;
    let head = serde_json::json!({
        "index": change.index,
        "seq": change.seq,
        "at": change.at.wall_ms,
        "action": change.action.as_str(),
        "application": instance.app.as_str(),
        "instance_id": instance.id.as_str(),
    });
    let head = head.to_string();
    text.extend_from_slice(head.trim_end_matches('}').as_bytes());
    let document = instance_document(Format::Json, &change.record, change.record.renewed_ms);
    // `,"instance":{…}}`: the document without the brace that opens it.
    text.push(b',');
    text.extend_from_slice(document.get(1..).unwrap_or_default());
}

/// One reader of the stream.
struct Reader {
    app: Arc<App>,
    cursor: u64,
    ready: VecDeque<Bytes>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

async fn stream(app: &Arc<App>, call: &Call, after: u64) -> Result<Reply, ApiError> {
    let place = app.open_stream()?;
    // Refuses a cursor that is gone or was never committed while there still is a status to say so.
    let (read, _) = changes_since(app, call, after, Duration::ZERO).await?;
    let reader = Reader {
        app: Arc::clone(app),
        cursor: after,
        ready: VecDeque::from([Bytes::from_static(b": eureka-raft\n\n")]),
        ended: false,
        _place: place,
    };
    let events = futures_util::stream::unfold(reader, |mut reader| async {
        let bytes = reader.next().await?;
        Some((Ok::<_, Infallible>(bytes), reader))
    });
    let mut reply = Reply::new(Body::from_stream(events));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    reply::stamp_read(&mut reply, &read, after);
    reply.extensions_mut().insert(Endless);
    Ok(reply)
}

impl Reader {
    /// The next bytes; `None` when the stream ends: the server stops, or history is gone.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.ended {
                return None;
            }
            self.refill().await?;
        }
    }

    async fn refill(&mut self) -> Option<()> {
        let here = ReadOptions {
            consistency: Some(Consistency::Local),
            min_index: None,
        };
        let view = self.app.read(here).await.ok()?.view;
        let changes = match view.changes_after(self.cursor) {
            Ok(changes) => changes,
            Err(HistoryGone { oldest }) => {
                self.ready.push_back(gone_event(oldest, view.index()));
                self.ended = true;
                return Some(());
            }
        };
        if changes.is_empty() {
            return self.quiet(view.catalogue_index()).await;
        }
        let take = whole_indexes(&changes, LIMIT_DEFAULT);
        self.ready.push_back(events(&changes[..take]));
        self.cursor = changes
            .get(take - 1)
            .map_or(self.cursor, |change| change.index);
        Some(())
    }

    /// Waits for a change, and says that it lives if none comes; `None` when the server stops.
    async fn quiet(&mut self, catalogue: u64) -> Option<()> {
        let heartbeat = self.app.limits().stream_heartbeat;
        let change = self.app.node().wait_beyond(catalogue, heartbeat * 2);
        let waited = tokio::select! {
            waited = tokio::time::timeout(heartbeat, change) => waited,
            () = self.app.stopped() => return None,
        };
        if waited.is_err() {
            self.ready.push_back(Bytes::from_static(b": alive\n\n"));
        }
        Some(())
    }
}

/// Changes as events; `id:` only on the last of an index, so that resuming never skips one.
fn events(changes: &[Arc<Change>]) -> Bytes {
    let mut text = Vec::new();
    for (place, change) in changes.iter().enumerate() {
        let ends_index = changes
            .get(place + 1)
            .is_none_or(|next| next.index != change.index);
        if ends_index {
            text.extend_from_slice(format!("id: {}\n", change.index).as_bytes());
        }
        text.extend_from_slice(b"data: ");
        write_change(&mut text, change);
        text.extend_from_slice(b"\n\n");
    }
    text.into()
}

fn gone_event(oldest: u64, index: u64) -> Bytes {
    format!("event: gone\ndata: {{\"oldest_index\":{oldest},\"index\":{index}}}\n\n").into()
}
