//! From a request to its handler.
//!
//! Owns which handler a route and method have. It may not read or write a document. The invariant:
//! exactly one answer a request, counted once.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::time::Instant;

use super::app::App;
use super::error::{ApiError, Surface};
use super::reply::{self, Reply};
use super::request::Call;
use super::route::{Route, TARGET_BYTES_MAX};
use super::{backup, changes, delta, orders, page, reads, replication, status, writes};

/// Answers one request.
pub(super) async fn answer(app: &Arc<App>, request: Request<Incoming>) -> Reply {
    let started = Instant::now();
    let method = request.method().clone();
    let (template, mut reply) = routed(app, request).await;
    app.stamp_cluster(&mut reply);
    app.metrics()
        .answered(template, &method, reply.status(), started.elapsed());
    reply
}

async fn routed(app: &Arc<App>, request: Request<Incoming>) -> (&'static str, Reply) {
    let route = match route_of(&request) {
        Ok(route) => route,
        Err(refusal) => {
            return (
                Route::Unknown.template(),
                refusal.into_reply(Surface::Silent),
            );
        }
    };
    let template = route.template();
    let surface = if route.explains_errors() {
        Surface::Explaining
    } else {
        Surface::Silent
    };
    let handled = handled(app, route, request).await;
    (
        template,
        handled.unwrap_or_else(|refusal| refusal.into_reply(surface)),
    )
}

fn route_of(request: &Request<Incoming>) -> Result<Route, ApiError> {
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
        return Err(ApiError::TargetTooLong);
    }
    Ok(Route::parse(request.uri().path())?)
}

async fn handled(
    app: &Arc<App>,
    route: Route,
    request: Request<Incoming>,
) -> Result<Reply, ApiError> {
    let methods = route.methods();
    let limits = app.limits();
    let bytes_max = match route {
        Route::PeerReplication => limits.replication_bytes_max.ok_or(ApiError::NotFound)?,
        _ if methods.0.is_empty() => return Err(ApiError::NotFound),
        _ => limits.body_bytes_max,
    };
    if request.method() == Method::OPTIONS {
        let mut reply = reply::empty(StatusCode::OK);
        let allow = HeaderValue::from_static(methods.0);
        reply.headers_mut().insert(ALLOW, allow);
        return Ok(reply);
    }
    if !methods.allow(request.method()) {
        return Err(ApiError::MethodNotAllowed(methods));
    }
    let call = Call::read(request, bytes_max, limits.body_timeout).await?;
    match (route, call.method.as_str()) {
        // The one route of which there are many a second; the others are boxed, because hyper keeps
        // room for the largest handler in every idle connection.
        (Route::Instance(name, id), "PUT") => writes::renew(app, &call, name, id).await,
        (route, "POST" | "PUT" | "DELETE") => Box::pin(changed(app, route, &call)).await,
        (route, _) => Box::pin(read(app, route, &call)).await,
    }
}

async fn changed(app: &App, route: Route, call: &Call) -> Result<Reply, ApiError> {
    let deletes = call.method == Method::DELETE;
    match route {
        Route::Application(name) => writes::register(app, call, name).await,
        Route::Instance(name, id) => writes::cancel(app, call, name, id).await,
        Route::InstanceStatus(name, id) if deletes => {
            writes::delete_status(app, call, name, id).await
        }
        Route::InstanceStatus(name, id) => writes::put_status(app, call, name, id).await,
        Route::InstanceMetadata(name, id) => writes::put_metadata(app, call, name, id).await,
        Route::PeerReplication => replication::batch(app, call).await,
        Route::Members => orders::add(app, call).await,
        Route::Member(name, action) => orders::member(app, call, name, action).await,
        Route::LeaderTransfer => orders::transfer(app, call).await,
        // There is no Amazon here (`ASGResource.java:107`).
        Route::AutoScalingGroup => {
            call.accepted()?;
            Err(ApiError::BadRequest("there are no scaling groups here"))
        }
        _ => Err(ApiError::NotFound),
    }
}

async fn read(app: &Arc<App>, route: Route, call: &Call) -> Result<Reply, ApiError> {
    match route {
        Route::Applications => reads::applications(app, call).await,
        Route::Delta => delta::delta(app, call).await,
        Route::Application(name) => reads::application(app, call, &name).await,
        Route::Instance(name, id) => reads::instance(app, call, Some(&name), &id).await,
        Route::AnyInstance(id) => reads::instance(app, call, None, &id).await,
        Route::Vip(vip) => reads::vip(app, call, reads::VipKind::Plain, &vip).await,
        Route::SecureVip(vip) => reads::vip(app, call, reads::VipKind::Secure, &vip).await,
        Route::StatusInfo => status::status_info(app, call),
        Route::StatusOverrides => status::overrides(app, call).await,
        Route::HealthCheck => Ok(status::health_check(app)),
        Route::Live => Ok(status::live(app)),
        Route::Ready => Ok(status::ready(app, call)),
        Route::Metrics => status::metrics(app, call).await,
        Route::NodeStatus => Ok(status::node_status(app, call)),
        Route::Members => Ok(status::members(app, call)),
        Route::Snapshot => backup::backup(app).await,
        Route::Changes => changes::changes(app, call).await,
        Route::Page => page::page(app, call).await,
        Route::LastN => page::last_n(app, call).await,
        _ => Err(ApiError::NotFound),
    }
}
