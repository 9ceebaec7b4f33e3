//! Reads.
//!
//! Owns the answers about applications and instances. It may not see but one view an answer: the list
//! and its hash code can never disagree.

use std::sync::Arc;

use crate::registry::{AppName, InstanceId, InstanceStatus, Record};
use crate::wire::{ApplicationsHeader, Form, Format, instance_document};

use super::app::App;
use super::error::ApiError;
use super::rendered::{self, Body, Shape, Source};
use super::reply::{self, Reply, Validator};
use super::request::Call;

/// GET `apps`. `regions` means nothing: there is one (`eureka-api` 1.11).
pub(super) async fn applications(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let shape = call.list_shape()?;
    let read = app.read(call.read_options()?).await?;
    let tag = |catalogue: u64| Validator::new(app, &format!("a{catalogue}"), variant(shape));
    if let Some(mut reply) = tag(read.view.catalogue_index()).not_modified(call) {
        reply::stamp_read(&mut reply, &read, read.view.index());
        return Ok(reply);
    }
    let list = app.documents().full(&read.view, shape).await;
    let mut reply = list.body.reply(shape.format, call.accepts_gzip()).await;
    tag(list.key.catalogue).mark(&mut reply);
    reply::stamp_read(&mut reply, &read, read.view.index().max(list.index));
    Ok(reply)
}

/// GET `apps/{app}`: 404 for one without instances.
pub(super) async fn application(app: &App, call: &Call, name: &AppName) -> Result<Reply, ApiError> {
    let shape = call.list_shape()?;
    let read = app.read(call.read_options()?).await?;
    let mut reply = match read.view.application(name) {
        None => ApiError::NotFound.into_reply(super::error::Surface::Silent),
        Some(application) => {
            let key = format!("v{}", application.version);
            let tag = Validator::new(app, &key, variant(shape));
            match tag.not_modified(call) {
                Some(reply) => reply,
                None => {
                    let body = rendered::application(shape, application).await;
                    let mut reply = sent(call, shape, &body).await;
                    tag.mark(&mut reply);
                    reply
                }
            }
        }
    };
    reply::stamp_read(&mut reply, &read, read.view.index());
    Ok(reply)
}

/// GET `apps/{app}/{id}`, or `instances/{id}` of any application. Always the full form.
pub(super) async fn instance(
    app: &App,
    call: &Call,
    name: Option<&AppName>,
    id: &InstanceId,
) -> Result<Reply, ApiError> {
    let format = call.accepted()?.one;
    let read = app.read(call.read_options()?).await?;
    let found = match name {
        Some(name) => read.view.instance(name, id),
        None => read.view.instance_anywhere(id),
    };
    let mut reply = match found {
        None => ApiError::NotFound.into_reply(super::error::Surface::Silent),
        Some(record) => {
            let body = instance_document(format, record, app.node().renewed_at(record));
            reply::compressible(call, format.media_type(), body.into())
        }
    };
    reply::stamp_read(&mut reply, &read, read.view.index());
    Ok(reply)
}

/// Which of an instance's virtual addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VipKind {
    /// `vipAddress`.
    Plain,
    /// `secureVipAddress`.
    Secure,
}

/// GET `vips/{vip}` and `svips/{vip}`: 200 also when nothing matches, and always version -1.
pub(super) async fn vip(
    app: &App,
    call: &Call,
    kind: VipKind,
    vip: &str,
) -> Result<Reply, ApiError> {
    let shape = call.list_shape()?;
    let read = app.read(call.read_options()?).await?;
    let tag = Validator::new(
        app,
        &format!("a{}", read.view.catalogue_index()),
        variant(shape),
    );
    if let Some(mut reply) = tag.not_modified(call) {
        reply::stamp_read(&mut reply, &read, read.view.index());
        return Ok(reply);
    }
    let records = match kind {
        VipKind::Plain => read.view.by_vip(vip),
        VipKind::Secure => read.view.by_secure_vip(vip),
    };
    let by_application = records.chunk_by(|one, next| one.instance.app == next.instance.app);
    let sources = by_application.map(|members| Source {
        name: &members[0].instance.app,
        records: members.iter().collect(),
    });
    let header = ApplicationsHeader {
        version: "-1",
        hash_code: &hash_code(&records),
    };
    let body = rendered::list(shape, &header, sources).await;
    let mut reply = sent(call, shape, &body).await;
    tag.mark(&mut reply);
    reply::stamp_read(&mut reply, &read, read.view.index());
    Ok(reply)
}

/// A body that is not kept, compressed if `call` asks for it and that is worth it.
pub(super) async fn sent(call: &Call, shape: Shape, body: &Body) -> Reply {
    let gzip = call.accepts_gzip() && body.is_worth_packing();
    body.reply(shape.format, gzip).await
}

/// `apps__hashcode` of some instances (`Applications.java:279`).
fn hash_code(records: &[Arc<Record>]) -> String {
    let mut text = String::new();
    for status in InstanceStatus::ALPHABETIC {
        let count = records.iter().filter(|r| r.status == status).count();
        if count > 0 {
            text += &format!("{}_{count}_", status.as_str());
        }
    }
    text
}

/// The form of a list, for its validator.
pub(super) const fn variant(shape: Shape) -> &'static str {
    match (shape.format, shape.form) {
        (Format::Json, Form::Full) => "json",
        (Format::Json, Form::Compact) => "jsonc",
        (Format::Xml, Form::Full) => "xml",
        (Format::Xml, Form::Compact) => "xmlc",
    }
}
