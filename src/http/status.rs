//! What a node says about itself.
//!
//! Owns `/v1/status`, `/v1/members`, the probes, `/metrics`, and Eureka's `status`, `healthcheck` and
//! `serverinfo/statusoverrides`. It may not collect any of it: the node and the view know.

use std::collections::BTreeMap;

use axum::body::Body;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::node::{MemberStatus, Readiness};
use crate::registry::{
    ActionType, AppName, DataCenter, Instance, InstanceId, InstanceStatus, LeaseTerms, Port,
    Record, View,
};
use crate::wire::{Format, StatusInfo, status_info_document};

use super::app::App;
use super::error::ApiError;
use super::process;
use super::reply::{self, Reply};
use super::request::Call;

/// The content type of `/metrics` (OpenMetrics text, which Prometheus reads).
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// GET `/v1/status`.
pub(super) fn node_status(app: &App, call: &Call) -> Reply {
    let status = app.node().status();
    let mut reply = json(call, &status);
    let index = HeaderValue::from(status.state.index);
    reply.headers_mut().insert(reply::INDEX, index);
    reply
}

/// The document of `/v1/members`.
#[derive(Serialize)]
struct Members {
    members: Vec<MemberStatus>,
}

/// GET `/v1/members`.
pub(super) fn members(app: &App, call: &Call) -> Reply {
    let members = app.node().members();
    json(call, &Members { members })
}

/// A 200 with `value` as JSON, compressed if `call` asks for it.
pub(super) fn json(call: &Call, value: &impl Serialize) -> Reply {
    let text = serde_json::to_vec(value).expect("plain structs with string keys are JSON");
    reply::compressible(call, Format::Json.media_type(), text.into())
}

/// GET `/livez`: this process answers, and has not found its own state to be wrong. Depends on nothing
/// else, so that a supervisor never restarts a node because another one is gone.
pub(super) fn live(app: &App) -> Reply {
    if app.node().is_sound() {
        return plain(StatusCode::OK, "ok\n".to_owned());
    }
    let text = "its state differs from the majority's\n".to_owned();
    plain(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// GET `/readyz[?verbose]`: whether this node should get traffic.
pub(super) fn ready(app: &App, call: &Call) -> Reply {
    let verbose = call
        .query()
        .first("verbose")
        .is_ok_and(|flag| flag.is_some());
    let Readiness { ready, reasons } = app.node().readiness();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut text = String::from(if ready { "ok\n" } else { "not ready\n" });
    if verbose {
        for reason in reasons {
            text += &format!("[-] {reason}\n");
        }
    }
    plain(status, text)
}

/// GET `healthcheck`: 200 UP or 503 OUT_OF_SERVICE, empty.
pub(super) fn health_check(app: &App) -> Reply {
    reply::empty(if app.node().readiness().ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    })
}

fn plain(status: StatusCode, text: String) -> Reply {
    let mut reply = Reply::new(Body::from(text));
    *reply.status_mut() = status;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, media_type);
    reply
}

/// GET `/metrics`.
pub(super) async fn metrics(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let view = local_view(app).await?;
    let counts = status_counts(&view);
    let text = app
        .metrics()
        .text(&app.node().status(), &counts)
        .map_err(|_| ApiError::Deadline)?;
    Ok(reply::compressible(call, METRICS_TYPE, text.into()))
}

/// The registry as this node has applied it, for operators: never refused for want of a leader.
pub(super) async fn local_view(app: &App) -> Result<std::sync::Arc<View>, ApiError> {
    let here = crate::node::ReadOptions {
        consistency: Some(crate::node::Consistency::Local),
        min_index: None,
    };
    Ok(app.read(here).await?.view)
}

/// Instances by status. Read from the hash code, which the view keeps counted.
pub(super) fn status_counts(view: &View) -> Vec<(InstanceStatus, u64)> {
    let hash_code = view.hash_code();
    let mut rest = hash_code.as_str();
    let mut counts = Vec::new();
    for status in InstanceStatus::ALPHABETIC {
        let counted = rest
            .strip_prefix(status.as_str())
            .and_then(|after| after.strip_prefix('_'))
            .and_then(|after| after.split_once('_'));
        let count = counted.and_then(|(count, _)| count.parse().ok());
        rest = counted.map_or(rest, |(_, after)| after);
        counts.push((status, count.unwrap_or(0)));
    }
    counts
}

/// GET `serverinfo/statusoverrides`: id to override, of every instance that has one.
pub(super) async fn overrides(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let read = app.read(call.read_options()?).await?;
    let overrides: BTreeMap<&str, &str> = read
        .view
        .applications()
        .flat_map(|application| application.instances.values())
        .filter(|record| record.overridden != InstanceStatus::Unknown)
        .map(|record| (record.instance.id.as_str(), record.overridden.as_str()))
        .collect();
    let mut reply = json(call, &overrides);
    reply::stamp_read(&mut reply, &read, read.view.index());
    Ok(reply)
}

/// GET `status`: Eureka's `StatusInfo`, with the other members as replicas.
pub(super) fn status_info(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let format = call.accepted()?.one;
    let status = app.node().status();
    let (mut registered, mut available, mut unavailable) =
        (Vec::new(), String::new(), String::new());
    for member in app.node().members() {
        if member.id == status.node.id {
            continue;
        }
        let url = format!("{}/eureka/", member.http);
        let list = if member.reachable {
            &mut available
        } else {
            &mut unavailable
        };
        *list += &format!("{url},");
        registered.push(url);
    }
    let resident = process::resident_bytes();
    let total = process::machine_bytes();
    let document = StatusInfo {
        environment: "default",
        num_of_cpus: &process::cpus().to_string(),
        total_avail_memory: &format!("{}mb", mebibytes(total)),
        current_memory_usage: &format!(
            "{}mb ({}%)",
            mebibytes(resident),
            resident.saturating_mul(100) / total.max(1)
        ),
        server_uptime: &uptime(app.started().elapsed().as_secs()),
        registered_replicas: &registered.join(", "),
        available_replicas: &available,
        unavailable_replicas: &unavailable,
        instance: &own_instance(&status.node.name, app),
        healthy: app.node().readiness().ready,
    };
    let body = status_info_document(format, &document);
    Ok(reply::compressible(call, format.media_type(), body.into()))
}

const fn mebibytes(bytes: u64) -> u64 {
    bytes / (1_024 * 1_024)
}

/// `2 days 03:04`, as Eureka writes it (`StatusUtil.java`).
fn uptime(secs: u64) -> String {
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match days {
        0 => format!("{hours:02}:{minutes:02}"),
        1 => format!("1 day {hours:02}:{minutes:02}"),
        _ => format!("{days} days {hours:02}:{minutes:02}"),
    }
}

/// This server described as an instance. It is not registered.
fn own_instance(name: &str, app: &App) -> Record {
    let here = app.node().members();
    let address = here.iter().find(|member| member.name == name);
    let url = address.map_or("", |member| member.http.as_str());
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "0"));
    let closed = Port {
        number: 0,
        enabled: false,
    };
    let instance = Instance {
        id: InstanceId::new(name),
        app: AppName::new("EUREKA-RAFT"),
        host_name: host.into(),
        ip_addr: host.into(),
        sid: None,
        status: InstanceStatus::Up,
        overridden: InstanceStatus::Unknown,
        port: Port {
            number: port.parse().unwrap_or(0),
            enabled: true,
        },
        secure_port: closed,
        country_id: 1,
        data_center: DataCenter::MyOwn,
        lease: LeaseTerms::default(),
        metadata: Vec::new(),
        app_group_name: None,
        home_page_url: Some(url.into()),
        status_page_url: None,
        health_check_url: None,
        secure_health_check_url: None,
        vip_address: None,
        secure_vip_address: None,
        asg_name: None,
        last_dirty_ms: None,
    };
    Record {
        instance: std::sync::Arc::new(instance),
        status: InstanceStatus::Up,
        overridden: InstanceStatus::Unknown,
        action: ActionType::Added,
        last_dirty_ms: 0,
        last_updated_ms: app.wall_ms(),
        registered_ms: 0,
        renewed_ms: 0,
        service_up_ms: 0,
        evicted_ms: 0,
        slot: 0,
        generation: 0,
        index: 0,
    }
}
