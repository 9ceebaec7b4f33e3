//! Writes.
//!
//! Owns how each write of Eureka's API becomes a command and its outcome a status. It may not change
//! the registry: only the log does. The invariant: what is refused here never reaches the log.

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use crate::node::{Consistency, ReadOptions, Renewal, WriteError, Written};
use crate::registry::{
    AppName, Command, InstanceId, InstanceStatus, Origin, Outcome, Registration,
};
use crate::wire::{
    Format, MAX_METADATA_ENTRIES, body_format, decode_registration, instance_document,
};

use super::app::App;
use super::error::ApiError;
use super::metrics::WriteKind;
use super::reply::{self, Reply};
use super::request::Call;

/// POST `apps/{app}`: 204, exactly (`DiscoveryClient.java:902` compares).
pub(super) async fn register(app: &App, call: &Call, name: AppName) -> Result<Reply, ApiError> {
    let answer = call.accepted()?.one;
    let format = body_format(call.header(&CONTENT_TYPE))?;
    let body = call.plain_body(app.limits().body_bytes_max)?;
    let instance = decode_registration(format, &body, name.as_str())
        .map_err(|error| ApiError::Registration(error, format, answer))?;
    let registration = Registration {
        instance,
        origin: call.origin(),
    };
    let command = Command::Register(Box::new(registration));
    let written = app.write(WriteKind::Registration, command).await?;
    finished(&written, StatusCode::NO_CONTENT)
}

/// PUT `apps/{app}/{id}`: 200, 404 for Eureka's three reasons, 409 with our instance to a peer whose
/// timestamp is older. Body and `status` mean nothing (`InstanceResource.java:104`).
pub(super) async fn renew(
    app: &App,
    call: &Call,
    name: AppName,
    id: InstanceId,
) -> Result<Reply, ApiError> {
    let format = call.accepted()?.one;
    let origin = call.origin();
    let renewal = Renewal {
        last_dirty_ms: call.last_dirty_ms()?,
        overridden: override_of(call, origin)?,
        origin,
        app: name.clone(),
        id: id.clone(),
    };
    let written = app.renew(renewal).await?;
    if written.outcome == Outcome::Conflict {
        return Box::pin(conflict(app, format, &written, (&name, &id))).await;
    }
    finished(&written, StatusCode::OK)
}

/// The override of a peer's renewal. A client's is never looked at, and a name that is none leaves
/// the override alone (as Spring 5 does).
fn override_of(call: &Call, origin: Origin) -> Result<Option<InstanceStatus>, ApiError> {
    if origin == Origin::Client {
        return Ok(None);
    }
    let name = call.parameter("overriddenstatus")?;
    let status = name.and_then(|name| InstanceStatus::from_wire(&name));
    Ok(status.filter(|status| *status != InstanceStatus::Unknown))
}

async fn conflict(
    app: &App,
    format: Format,
    written: &Written,
    (name, id): (&AppName, &InstanceId),
) -> Result<Reply, ApiError> {
    let here = ReadOptions {
        consistency: Some(Consistency::Local),
        min_index: Some(written.index),
    };
    let read = app.read(here).await?;
    // Cancelled between the two: a later heartbeat would be 404, so this one may be.
    let Some(record) = read.view.instance(name, id) else {
        return Ok(stamped(written, StatusCode::NOT_FOUND));
    };
    let renewed_ms = app.node().renewed_at(record);
    let body = instance_document(format, record, renewed_ms);
    let mut reply = reply::document(format.media_type(), body.into());
    *reply.status_mut() = StatusCode::CONFLICT;
    reply::stamp_write(&mut reply, written);
    Ok(reply)
}

/// DELETE `apps/{app}/{id}`: 200, or 404.
pub(super) async fn cancel(
    app: &App,
    call: &Call,
    name: AppName,
    id: InstanceId,
) -> Result<Reply, ApiError> {
    call.accepted()?;
    let command = Command::Cancel { app: name, id };
    let written = app.write(WriteKind::Cancellation, command).await?;
    finished(&written, StatusCode::OK)
}

/// PUT `apps/{app}/{id}/status?value=`: 200, or 404. A bad value is 400 (500 there).
pub(super) async fn put_status(
    app: &App,
    call: &Call,
    name: AppName,
    id: InstanceId,
) -> Result<Reply, ApiError> {
    call.accepted()?;
    let status = status_of(call)?.ok_or(BAD_STATUS)?;
    let command = Command::PutStatus {
        app: name,
        id,
        status,
        last_dirty_ms: call.last_dirty_ms()?,
    };
    let written = app.write(WriteKind::Status, command).await?;
    finished(&written, StatusCode::OK)
}

/// DELETE `apps/{app}/{id}/status[?value=]`: 200, or 404. The status after it is UNKNOWN unless named.
pub(super) async fn delete_status(
    app: &App,
    call: &Call,
    name: AppName,
    id: InstanceId,
) -> Result<Reply, ApiError> {
    call.accepted()?;
    let command = Command::DeleteStatus {
        app: name,
        id,
        status: status_of(call)?.unwrap_or(InstanceStatus::Unknown),
        last_dirty_ms: call.last_dirty_ms()?,
    };
    let written = app.write(WriteKind::Status, command).await?;
    finished(&written, StatusCode::OK)
}

/// PUT `apps/{app}/{id}/metadata`: every query parameter is an entry. 200, or 404.
pub(super) async fn put_metadata(
    app: &App,
    call: &Call,
    name: AppName,
    id: InstanceId,
) -> Result<Reply, ApiError> {
    call.accepted()?;
    let entries = call.query().entries(MAX_METADATA_ENTRIES)?;
    let command = Command::PutMetadata {
        app: name,
        id,
        entries,
    };
    let written = app.write(WriteKind::Metadata, command).await?;
    finished(&written, StatusCode::OK)
}

const BAD_STATUS: ApiError = ApiError::BadRequest(
    "value is one of UP, DOWN, STARTING, OUT_OF_SERVICE and UNKNOWN, in upper case",
);

fn status_of(call: &Call) -> Result<Option<InstanceStatus>, ApiError> {
    call.parameter("value")?
        .map(|name| InstanceStatus::from_wire(&name).ok_or(BAD_STATUS))
        .transpose()
}

/// The answer to a write that is in the log, with an empty body and no content type.
fn finished(written: &Written, done: StatusCode) -> Result<Reply, ApiError> {
    match written.outcome {
        Outcome::Done | Outcome::Evicted(_) => Ok(stamped(written, done)),
        Outcome::NotFound => Ok(stamped(written, StatusCode::NOT_FOUND)),
        Outcome::QuotaExceeded => Err(ApiError::QuotaExceeded),
        // The node proposes a missed short renewal again by name, and only a renewal conflicts.
        Outcome::SlotMiss | Outcome::Conflict => Err(WriteError::Unknown.into()),
    }
}

fn stamped(written: &Written, status: StatusCode) -> Reply {
    let mut reply = reply::empty(status);
    reply::stamp_write(&mut reply, written);
    reply
}
