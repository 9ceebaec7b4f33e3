//! Orders of operators.
//!
//! Owns the routes that change the members and the leader, and the JSON of their bodies. It may not
//! carry anything out: [`crate::node::Operator`] does. The invariant: an order is whole and its names
//! can be names before anybody hears of it.

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::node::operator::{ADDRESS_BYTES_MAX, NAME_BYTES_MAX};
use crate::node::{AdminRefusal, Change, Mode, Order, Seat};

use super::app::App;
use super::error::ApiError;
use super::reply::{self, Reply};
use super::request::Call;
use super::route::MemberAction;
use super::status;

/// POST `/v1/members`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
    peer: String,
    #[serde(default)]
    learner: bool,
}

/// POST `/v1/members/{name}/replace`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    with: String,
}

/// POST `/v1/members/{name}/update`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    #[serde(default)]
    peer: Option<String>,
    #[serde(default)]
    http: Option<String>,
}

/// POST `/v1/leader/transfer`; the body may be empty.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    #[serde(default)]
    to: Option<String>,
}

/// POST `/v1/members`: 200 when it is a member as wished, 202 while it is on its way.
pub(super) async fn add(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let Add {
        name,
        peer,
        learner,
    } = body(app, call)?;
    let seat = if learner { Seat::Learner } else { Seat::Voter };
    let (name, peer) = (checked_name(name)?, checked_address(peer)?);
    carry_out(app, call, Change::Add { name, peer, seat }).await
}

/// POST `/v1/members/{name}/…`.
pub(super) async fn member(
    app: &App,
    call: &Call,
    name: String,
    action: MemberAction,
) -> Result<Reply, ApiError> {
    let name = checked_name(name)?;
    let change = match action {
        MemberAction::Promote => Change::Promote { name },
        MemberAction::Remove => Change::Remove { name },
        MemberAction::Replace => Change::Replace {
            old: name,
            with: checked_name(body::<Replace>(app, call)?.with)?,
        },
        MemberAction::Update => {
            let Update { peer, http } = body(app, call)?;
            if peer.is_none() && http.is_none() {
                return Err(
                    malformed("give a new peer address, a new http address or both").into(),
                );
            }
            Change::Update {
                name,
                peer: peer.map(checked_address).transpose()?,
                http: http.map(checked_url).transpose()?,
            }
        }
    };
    carry_out(app, call, change).await
}

/// POST `/v1/leader/transfer`.
pub(super) async fn transfer(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let Transfer { to } = if call.body.is_empty() {
        Transfer::default()
    } else {
        body(app, call)?
    };
    let to = to.map(checked_name).transpose()?;
    carry_out(app, call, Change::Transfer { to }).await
}

async fn carry_out(app: &App, call: &Call, change: Change) -> Result<Reply, ApiError> {
    let mode = match call.parameter("dry_run")?.as_deref() {
        None | Some("false") => Mode::Execute,
        Some("true" | "") => Mode::DryRun,
        Some(_) => return Err(ApiError::BadRequest("dry_run is true or false")),
    };
    let report = app.operate(Order { change, mode }).await?;
    let status = match (mode, report.done) {
        (Mode::Execute, false) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let mut reply = status::json(call, &report);
    *reply.status_mut() = status;
    Ok(reply::uncached(reply))
}

fn body<T: DeserializeOwned>(app: &App, call: &Call) -> Result<T, ApiError> {
    let bytes = call.plain_body(app.limits().body_bytes_max)?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(format!("the body: {error}")).into())
}

fn checked_name(name: String) -> Result<String, AdminRefusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    Err(malformed(format!(
        "a name is 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 . - _"
    )))
}

fn checked_address(addr: String) -> Result<String, AdminRefusal> {
    let port = addr
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty() && !host.contains(char::is_whitespace))
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if addr.len() <= ADDRESS_BYTES_MAX && port.is_some_and(|port| port > 0) {
        return Ok(addr);
    }
    Err(malformed("a peer address is host:port"))
}

fn checked_url(url: String) -> Result<String, AdminRefusal> {
    let authority = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .filter(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
    if url.len() <= ADDRESS_BYTES_MAX && authority.is_some() {
        return Ok(url);
    }
    Err(malformed(
        "an HTTP address is a URL such as http://10.0.0.5:8761",
    ))
}

fn malformed(why: impl Into<String>) -> AdminRefusal {
    AdminRefusal::Malformed(why.into())
}
