//! The pages for people.
//!
//! Owns `/` and `/lastn`: server-rendered, without scripts or anything from elsewhere. It may not show
//! more of the registry than one page of it. Reads are `available`: the page works without a leader.

mod model;
mod selection;

use askama::Template;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};

use crate::node::{Consistency, Read, ReadOptions};
use crate::registry::{AppName, InstanceId};

use super::app::App;
use super::error::ApiError;
use super::reply::{self, Reply};
use super::request::Call;
use model::{Page, escaped};
use selection::Filter;

const HTML: &str = "text/html; charset=utf-8";

/// Nothing from anywhere but the page's own style; nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// GET `/`.
pub(super) async fn page(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let read = available(app).await?;
    let page = Page::of(app, &read, &Filter::of(call.query()));
    html(call, &read, &page)
}

/// The page at `/lastn`.
#[derive(Template)]
#[template(path = "lastn.html")]
struct LastN {
    node: String,
    index: u64,
    lists: [LeaseList; 2],
}

struct LeaseList {
    title: &'static str,
    rows: Vec<LeaseRow>,
}

struct LeaseRow {
    at: String,
    href: String,
    app: AppName,
    id: InstanceId,
}

impl LeaseList {
    fn of(title: &'static str, leases: Vec<(u64, AppName, InstanceId)>) -> Self {
        let rows = leases.into_iter().map(|(wall_ms, app, id)| LeaseRow {
            at: moment(wall_ms),
            href: format!("/?app={}", escaped(app.as_str())),
            app,
            id,
        });
        Self {
            title,
            rows: rows.collect(),
        }
    }
}

/// GET `/lastn`: the last 1,000 leases registered and ended, as Eureka's page of that name.
pub(super) async fn last_n(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let read = available(app).await?;
    let page = LastN {
        node: app.node().status().node.name,
        index: read.view.index(),
        lists: [
            LeaseList::of("Last 1000 cancelled leases", read.view.recently_cancelled()),
            LeaseList::of(
                "Last 1000 newly registered leases",
                read.view.recently_registered(),
            ),
        ],
    };
    html(call, &read, &page)
}

async fn available(app: &App) -> Result<Read, ApiError> {
    let options = ReadOptions {
        consistency: Some(Consistency::Available),
        min_index: None,
    };
    app.read(options).await
}

fn html(call: &Call, read: &Read, page: &impl Template) -> Result<Reply, ApiError> {
    let text = page.render().map_err(|_| ApiError::Deadline)?;
    let mut reply = reply::compressible(call, HTML, text.into());
    reply::stamp_read(&mut reply, read, read.view.index());
    let headers = reply.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    Ok(reply)
}

/// Milliseconds since the epoch as people read them.
fn moment(wall_ms: u64) -> String {
    let secs = i64::try_from(wall_ms / 1_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(secs).map_or_else(
        |_| wall_ms.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}
