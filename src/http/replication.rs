//! `peerreplication/batch`: the writes of a legacy Eureka server that has this node as a peer.
//!
//! Owns how a batch's items become commands and their outcomes statuses. It may not treat an item
//! otherwise than the write a peer sends alone. The invariant: 200 only if every item has an outcome;
//! a Java peer sends a batch again on 503 alone, and then all of it, which every command stands.

use hyper::header::CONTENT_TYPE;

use crate::node::{Consistency, Read, ReadOptions, WriteError, Written};
use crate::registry::{AppName, Command, InstanceId, Outcome};
use crate::wire::{
    Format, ItemAnswer, RegistrationError, ReplicatedItem, ReplicationError, body_format,
    decode_replication, replication_document,
};

use super::app::App;
use super::error::ApiError;
use super::reply::{self, Reply};
use super::request::Call;

/// How long an answer may be, in bytes, before conflicts go without the instance held here.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is to be said of one item.
enum Verdict {
    /// It is answered without the log.
    Known(u16),
    /// By what becomes of the next command. A heartbeat has a name to show a conflict by.
    Committed(Option<(AppName, InstanceId)>),
}

/// POST `peerreplication/batch`: 200 and one status an item, in order (`PeerReplicationResource.java:78`).
/// 503 if any item was not carried out or may not have been.
pub(super) async fn batch(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let format = call.accepted()?.one;
    let (verdicts, commands) = ordered(decoded(app, call, format)?);
    let written = match commands.is_empty() {
        true => Vec::new(),
        false => all_or_503(app.write_all(commands).await)?,
    };
    let read = seen_by(app, &written).await?;
    let mut left = written.iter();
    let answers = verdicts.iter().map(|verdict| match verdict {
        Verdict::Known(status) => ItemAnswer {
            status: *status,
            entity: None,
        },
        Verdict::Committed(name) => {
            let written = left.next().expect("one result a command");
            answer(app, written, name.as_ref().zip(read.as_ref()))
        }
    });
    let body = replication_document(format, answers, ANSWER_BYTES_MAX);
    let mut reply = reply::document(format.media_type(), body.into());
    if let Some(last) = written.last() {
        reply::stamp_write(&mut reply, last);
    }
    Ok(reply)
}

/// The batch, or the 400 with which a Java peer gives it up.
fn decoded(app: &App, call: &Call, answer: Format) -> Result<Vec<ReplicatedItem>, ApiError> {
    let unparsable = |format, reason| {
        let error = RegistrationError::Unparsable(reason);
        ApiError::Registration(error, format, answer)
    };
    let format = body_format(call.header(&CONTENT_TYPE))?;
    if format == Format::Xml {
        // Spring's server says so, too: it has no reader for such a list.
        return Err(unparsable(format, "a batch is JSON".to_owned()));
    }
    let limits = app.limits();
    let bytes_max = limits.replication_bytes_max.ok_or(ApiError::NotFound)?;
    let body = call.plain_body(bytes_max)?;
    decode_replication(&body, limits.body_bytes_max).map_err(|error| match error {
        ReplicationError::Unparsable(reason) => unparsable(format, reason),
        ReplicationError::TooManyItems => ApiError::BodyTooLarge,
    })
}

/// What is known of each item already, and the commands of the others, in order.
fn ordered(items: Vec<ReplicatedItem>) -> (Vec<Verdict>, Vec<Command>) {
    let mut commands = Vec::new();
    let verdict = |item| match item {
        ReplicatedItem::Ignored => Verdict::Known(200),
        ReplicatedItem::Refused => Verdict::Known(400),
        ReplicatedItem::TooLarge => Verdict::Known(413),
        ReplicatedItem::Order(command) => {
            let name = match &command {
                Command::RenewByName { app, id, .. } => Some((app.clone(), id.clone())),
                _ => None,
            };
            commands.push(command);
            Verdict::Committed(name)
        }
    };
    let verdicts = items.into_iter().map(verdict).collect();
    (verdicts, commands)
}

/// Every outcome, or why the batch must be sent again: as not executed only if nothing of it was.
fn all_or_503(results: Vec<Result<Written, WriteError>>) -> Result<Vec<Written>, WriteError> {
    let Some(refusal) = results.iter().find_map(|result| result.err()) else {
        return Ok(results.into_iter().flatten().collect());
    };
    let certain = |result: &Result<Written, WriteError>| matches!(result, Err(error) if *error != WriteError::Unknown);
    Err(match results.iter().all(certain) {
        true => refusal,
        false => WriteError::Unknown,
    })
}

/// The registry as of the last write, if there is a conflict to show.
async fn seen_by(app: &App, written: &[Written]) -> Result<Option<Read>, ApiError> {
    let conflicts = |written: &&Written| written.outcome == Outcome::Conflict;
    if !written.iter().any(|one| conflicts(&one)) {
        return Ok(None);
    }
    let here = ReadOptions {
        consistency: Some(Consistency::Local),
        min_index: written.last().map(|last| last.index),
    };
    Ok(Some(app.read(here).await?))
}

fn answer<'a>(
    app: &App,
    written: &Written,
    named: Option<(&'a (AppName, InstanceId), &'a Read)>,
) -> ItemAnswer<'a> {
    let held = || {
        let ((name, id), read) = named?;
        let record = read.view.instance(name, id)?;
        Some((&**record, app.node().renewed_at(record)))
    };
    let (status, entity) = match written.outcome {
        Outcome::Done | Outcome::Evicted(_) => (200, None),
        Outcome::QuotaExceeded => (507, None),
        // Cancelled behind the conflict, in the same batch or since: a heartbeat now would be 404.
        Outcome::Conflict => held().map_or((404, None), |held| (409, Some(held))),
        // No command of a batch goes by slot.
        Outcome::NotFound | Outcome::SlotMiss => (404, None),
    };
    ItemAnswer { status, entity }
}
