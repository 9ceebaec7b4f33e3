//! Reads.
//!
//! Owns the answers about applications and instances. It may not see but one view an answer: the list
//! and its hash code can never disagree.

use std::sync::Arc;

use crate::registry::{AppName, InstanceId, InstanceStatus, Record};
use crate::wire::{
    ApplicationsHeader, Form, Format, application_document, application_fragment,
    applications_document, instance_document,
};

use super::app::App;
use super::error::ApiError;
use super::reply::{self, Reply, Validator};
use super::request::Call;

/// GET `apps`. `regions` means nothing: there is one (`eureka-api` 1.11).
pub(super) async fn applications(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (format, form) = (call.accepted()?.list, call.form());
    let read = app.read(call.read_options()?).await?;
    let tag = |catalogue: u64| Validator::new(app, &format!("a{catalogue}"), variant(format, form));
    if let Some(mut reply) = tag(read.view.catalogue_index()).not_modified(call) {
        reply::stamp_read(&mut reply, &read, read.view.index());
        return Ok(reply);
    }
    let document = app.documents().full(&read.view, format, form).await;
    let mut reply = document.reply(format, call.accepts_gzip()).await;
    tag(document.key.catalogue).mark(&mut reply);
    reply::stamp_read(&mut reply, &read, read.view.index().max(document.index));
    Ok(reply)
}

/// GET `apps/{app}`: 404 for one without instances.
pub(super) async fn application(app: &App, call: &Call, name: &AppName) -> Result<Reply, ApiError> {
    let (format, form) = (call.accepted()?.list, call.form());
    let read = app.read(call.read_options()?).await?;
    let mut reply = match read.view.application(name) {
        None => ApiError::NotFound.into_reply(super::error::Surface::Silent),
        Some(application) => {
            let key = format!("v{}", application.version);
            let tag = Validator::new(app, &key, variant(format, form));
            tag.not_modified(call).unwrap_or_else(|| {
                let body = application_document(format, form, application);
                let mut reply = reply::compressible(call, format.media_type(), body.into());
                tag.mark(&mut reply);
                reply
            })
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
    let (format, form) = (call.accepted()?.list, call.form());
    let read = app.read(call.read_options()?).await?;
    let records = match kind {
        VipKind::Plain => read.view.by_vip(vip),
        VipKind::Secure => read.view.by_secure_vip(vip),
    };
    let fragments = records
        .chunk_by(|one, next| one.instance.app == next.instance.app)
        .map(|members| {
            let name = &members[0].instance.app;
            let records = members.iter().map(|record| -> &Record { record });
            application_fragment(format, form, name, records)
        });
    let header = ApplicationsHeader {
        version: "-1",
        hash_code: &hash_code(&records),
    };
    let body = applications_document(format, form, &header, fragments);
    let mut reply = reply::compressible(call, format.media_type(), body.into());
    reply::stamp_read(&mut reply, &read, read.view.index());
    Ok(reply)
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
pub(super) const fn variant(format: Format, form: Form) -> &'static str {
    match (format, form) {
        (Format::Json, Form::Full) => "json",
        (Format::Json, Form::Compact) => "jsonc",
        (Format::Xml, Form::Full) => "xml",
        (Format::Xml, Form::Compact) => "xmlc",
    }
}
