//! Deltas.
//!
//! Owns what a delta shows and the cursor: classic `apps/delta`, `?since=`, `&wait=`, `?cluster=`. It
//! may not keep history: the registry does. The invariants: one entry an instance, as of its last
//! change; DELETED last in each application (the Java clients add what stands before an addition).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::node::{Consistency, Read, ReadError, ReadOptions};
use crate::registry::{ActionType, AppName, Change, HistoryGone, InstanceId, Record, View};
use crate::wire::ApplicationsHeader;

use super::app::App;
use super::error::ApiError;
use super::reads;
use super::rendered::{self, Key, Source};
use super::reply::{self, Reply, Validator};
use super::request::Call;

/// The longest `wait`; a longer one is 400. Below the idle timeouts of proxies.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);

/// Changes by application, coalesced and in the order clients need.
pub(super) struct Grouped(BTreeMap<AppName, Vec<Arc<Record>>>);

impl Grouped {
    /// The last of each instance's `changes`, which come in log order.
    pub(super) fn of<'a>(changes: impl Iterator<Item = &'a Arc<Change>>) -> Self {
        let mut last: BTreeMap<(AppName, InstanceId), Arc<Record>> = BTreeMap::new();
        for change in changes {
            let instance = &change.record.instance;
            let key = (instance.app.clone(), instance.id.clone());
            last.insert(key, Arc::clone(&change.record));
        }
        let mut grouped: BTreeMap<AppName, Vec<Arc<Record>>> = BTreeMap::new();
        for ((app, _), record) in last {
            grouped.entry(app).or_default().push(record);
        }
        for records in grouped.values_mut() {
            records.sort_by_key(|record| record.action == ActionType::Deleted);
        }
        Self(grouped)
    }

    /// Each application with its instances.
    pub(super) fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.0.iter().map(|(name, records)| Source {
            name,
            records: records.iter().collect(),
        })
    }
}

/// What the classic delta of `view` depends on.
pub(super) fn key(view: &View) -> Key {
    let catalogue = view.catalogue_index();
    // Changes of one index leave the window together: the position in the entry says no more.
    let oldest = view
        .recent_oldest()
        .map_or(catalogue + 1, |(index, _)| index);
    Key { catalogue, oldest }
}

/// `versions__delta` of the classic delta: grows whenever its content changes, also when a change only
/// leaves the window (py-eureka-client skips a delta whose version and hash it has seen). Both parts
/// of the key are log indexes that never go back, so their sum is the same on every node.
pub(super) fn version(view: &View) -> u64 {
    let key = key(view);
    key.catalogue.saturating_add(key.oldest)
}

/// GET `apps/delta`.
pub(super) async fn delta(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let since = call
        .parameter("since")?
        .map(|text| {
            text.parse()
                .map_err(|_| ApiError::BadRequest("since is a log index"))
        })
        .transpose()?;
    let wait = wait_of(call)?;
    match since {
        Some(since) => since_index(app, call, since, wait).await,
        None => classic(app, call).await,
    }
}

async fn classic(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let shape = call.list_shape()?;
    let read = app.read(call.read_options()?).await?;
    refuse_other_cluster(app, call, &read.view)?;
    let variant = reads::variant(shape);
    let tag =
        |key: Key| Validator::new(app, &format!("d{}.{}", key.catalogue, key.oldest), variant);
    if let Some(mut reply) = tag(key(&read.view)).not_modified(call) {
        reply::stamp_read(&mut reply, &read, read.view.index());
        return Ok(reply);
    }
    let list = app.documents().delta(&read.view, shape).await;
    let mut reply = list.body.reply(shape.format, call.accepts_gzip()).await;
    tag(list.key).mark(&mut reply);
    reply::stamp_read(&mut reply, &read, read.view.index().max(list.index));
    Ok(reply)
}

async fn since_index(
    app: &App,
    call: &Call,
    since: u64,
    wait: Duration,
) -> Result<Reply, ApiError> {
    let shape = call.list_shape()?;
    let (read, changes) = changes_since(app, call, since, wait).await?;
    let grouped = Grouped::of(changes.iter());
    let header = ApplicationsHeader {
        version: &read.view.catalogue_index().to_string(),
        hash_code: &read.view.hash_code(),
    };
    let body = rendered::list(shape, &header, grouped.sources()).await;
    let mut reply = reads::sent(call, shape, &body).await;
    reply::stamp_read(&mut reply, &read, read.view.index());
    Ok(reply)
}

/// Every change after `since`, with the view they lead to. If there is none, waits for one up to `wait`.
///
/// # Errors
/// [`ApiError::Gone`] if history or cluster are others; [`ReadError`] if `since` cannot be reached.
pub(super) async fn changes_since(
    app: &App,
    call: &Call,
    since: u64,
    wait: Duration,
) -> Result<(Read, Vec<Arc<Change>>), ApiError> {
    let options = call.read_options()?;
    let mut read = app.read(options).await?;
    refuse_other_cluster(app, call, &read.view)?;
    if since > read.view.index() {
        app.node().reach(since).await?;
        read.view = local(app, since).await?;
    }
    let mut changes = history(&read.view, since)?;
    if changes.is_empty() && !wait.is_zero() {
        tokio::select! {
            () = app.node().wait_beyond(read.view.catalogue_index(), wait) => {}
            () = app.stopped() => return Err(ReadError::Stopping.into()),
        }
        // As fresh as the first read or fresher: the node never goes back.
        read.view = local(app, read.view.index()).await?;
        changes = history(&read.view, since)?;
    }
    Ok((read, changes))
}

async fn local(app: &App, min_index: u64) -> Result<Arc<View>, ApiError> {
    let here = ReadOptions {
        consistency: Some(Consistency::Local),
        min_index: Some(min_index),
    };
    Ok(app.read(here).await?.view)
}

fn history(view: &View, since: u64) -> Result<Vec<Arc<Change>>, ApiError> {
    view.changes_after(since)
        .map_err(|HistoryGone { oldest }| ApiError::Gone {
            oldest,
            index: view.index(),
        })
}

/// A cursor of another cluster means nothing here: 410, as for history that is gone.
fn refuse_other_cluster(app: &App, call: &Call, view: &View) -> Result<(), ApiError> {
    match call.parameter("cluster")? {
        Some(cluster) if !cluster.eq_ignore_ascii_case(app.cluster_digits()) => {
            Err(ApiError::Gone {
                oldest: view.oldest_cursor(),
                index: view.index(),
            })
        }
        _ => Ok(()),
    }
}

/// The `wait` of the query, such as `30s`; none is no wait.
///
/// # Errors
/// [`ApiError::BadRequest`] if it is no duration or longer than [`WAIT_MAX`].
pub(super) fn wait_of(call: &Call) -> Result<Duration, ApiError> {
    let Some(text) = call.parameter("wait")? else {
        return Ok(Duration::ZERO);
    };
    humantime::parse_duration(&text)
        .ok()
        .filter(|wait| *wait <= WAIT_MAX)
        .ok_or(ApiError::BadRequest(
            "wait is a duration such as 30s, at most 60s",
        ))
}
