//! What all requests share.
//!
//! Owns the node behind the routes, the cache of documents, the counters and the stop signal, and
//! gives every use case its deadline. It may not read a request.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use hyper::header::HeaderValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::node::{
    AdminRefusal, Operator, Order, Read, ReadOptions, Registrar, Renewal, Report, WriteError,
    Written,
};
use crate::registry::Command;

use super::error::ApiError;
use super::limits::Limits;
use super::metrics::{Metrics, WriteKind};
use super::rendered::Documents;
use super::reply::{self, Reply};

/// The HTTP side of one node: make one, then [`super::serve`] it on each listener.
pub struct App {
    node: Arc<dyn Registrar>,
    operator: Arc<dyn Operator>,
    clock: SharedClock,
    limits: Limits,
    documents: Documents,
    metrics: Metrics,
    stopping: CancellationToken,
    streams: Arc<Semaphore>,
    cluster: OnceLock<Cluster>,
    started: Instant,
}

/// The cluster's id, ready to be sent.
struct Cluster {
    digits: String,
    header: HeaderValue,
}

impl App {
    /// An app that asks `node`. `metrics` may already hold other rooms' metrics; `/metrics` shows all.
    pub fn new<N: Registrar + Operator>(
        node: Arc<N>,
        clock: SharedClock,
        limits: Limits,
        metrics: prometheus_client::registry::Registry,
    ) -> Arc<Self> {
        Arc::new(Self {
            operator: Arc::clone(&node) as Arc<_>,
            node,
            clock,
            limits,
            documents: Documents::default(),
            metrics: Metrics::new(metrics),
            stopping: CancellationToken::new(),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            cluster: OnceLock::new(),
            started: Instant::now(),
        })
    }

    pub(super) fn node(&self) -> &dyn Registrar {
        &*self.node
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Now, ms since the epoch, for people.
    pub(super) fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// When this app began to serve.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Ends long polls, streams and idle connections.
    pub(super) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Completes once the app stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> {
        self.stopping.cancelled()
    }

    /// A place among the change streams.
    ///
    /// # Errors
    /// [`ApiError::TooManyStreams`] beyond [`Limits::streams_max`].
    pub(super) fn open_stream(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| ApiError::TooManyStreams)
    }

    /// The registry, as fresh as asked for, within the answer's deadline.
    ///
    /// # Errors
    /// The node's [`crate::node::ReadError`], or [`ApiError::Deadline`].
    pub(super) async fn read(&self, options: ReadOptions) -> Result<Read, ApiError> {
        let reading = self.node.read(options);
        match timeout(self.limits.answer_timeout, reading).await {
            Ok(read) => Ok(read?),
            Err(_) => Err(ApiError::Deadline),
        }
    }

    /// Puts a command through the log, within the answer's deadline.
    ///
    /// # Errors
    /// The node's [`WriteError`]; after the deadline nobody knows: [`WriteError::Unknown`].
    pub(super) async fn write(
        &self,
        kind: WriteKind,
        command: Command,
    ) -> Result<Written, ApiError> {
        let writing = timeout(self.limits.answer_timeout, self.node.write(command));
        let written = writing.await.unwrap_or(Err(WriteError::Unknown));
        self.metrics.wrote(kind, &written);
        Ok(written?)
    }

    /// Puts commands through the log together, within the answer's deadline; one result for each.
    pub(super) async fn write_all(
        &self,
        commands: Vec<Command>,
    ) -> Vec<Result<Written, WriteError>> {
        let kinds: Vec<WriteKind> = commands.iter().map(WriteKind::of).collect();
        let writing = timeout(self.limits.answer_timeout, self.node.write_all(commands));
        let late = |_| vec![Err(WriteError::Unknown); kinds.len()];
        let written = writing.await.unwrap_or_else(late);
        for (kind, written) in kinds.iter().zip(&written) {
            self.metrics.wrote(*kind, written);
        }
        written
    }

    /// Renews a lease, within the answer's deadline.
    ///
    /// # Errors
    /// As [`App::write`].
    pub(super) async fn renew(&self, renewal: Renewal) -> Result<Written, ApiError> {
        let renewing = timeout(self.limits.answer_timeout, self.node.renew(renewal));
        let written = renewing.await.unwrap_or(Err(WriteError::Unknown));
        self.metrics.wrote(WriteKind::Renewal, &written);
        Ok(written?)
    }

    /// Gives an order to the cluster, within the answer's deadline.
    ///
    /// # Errors
    /// The node's [`AdminRefusal`]; after the deadline nobody knows: [`AdminRefusal::UnknownOutcome`].
    pub(super) async fn operate(&self, order: Order) -> Result<Report, ApiError> {
        let operating = timeout(self.limits.answer_timeout, self.operator.operate(order));
        let operated = operating.await.unwrap_or(Err(AdminRefusal::UnknownOutcome));
        Ok(operated?)
    }

    /// The cluster's id in 32 hexadecimal digits; empty until there is one.
    pub(super) fn cluster_digits(&self) -> &str {
        self.cluster().map_or("", |cluster| &cluster.digits)
    }

    /// Names the cluster on an answer.
    pub(super) fn stamp_cluster(&self, reply: &mut Reply) {
        if let Some(cluster) = self.cluster() {
            let id = cluster.header.clone();
            reply.headers_mut().insert(reply::CLUSTER, id);
        }
    }

    fn cluster(&self) -> Option<&Cluster> {
        if self.cluster.get().is_none() {
            let digits = format!("{:032x}", self.node.cluster_id()?);
            let header = HeaderValue::from_str(&digits).ok()?;
            return Some(self.cluster.get_or_init(|| Cluster { digits, header }));
        }
        self.cluster.get()
    }
}
