//! The accept loop.
//!
//! Owns the connections of one listener, from accept to drain. It may not read a request: `dispatch`
//! does. The invariant: every task it spawns has ended when [`serve`] returns.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use crate::net::{Connection, Listener};

use super::app::App;
use super::changes::Endless;
use super::conversation::{Heard, Turn};
use super::dispatch;
use super::limits::{HEADER_BYTES_MAX, HEADERS_MAX};
use super::metrics::Rejection;

/// How long accepting rests after it failed: the system is out of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` until `shutdown` completes, then lets open requests end.
///
/// After `shutdown`: no new connection, idle ones closed, long polls and streams ended, and whatever
/// is left after [`super::Limits::drain_timeout`] cut.
pub async fn serve(
    mut listener: Box<dyn Listener>,
    app: Arc<App>,
    shutdown: impl Future<Output = ()>,
) {
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => admit(&app, &mut connections, connection),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
        }
    }
    drop(listener);
    app.stop();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(app.limits().drain_timeout, drained)
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "cutting connections that did not end"
        );
        connections.shutdown().await;
    }
}

fn admit(app: &Arc<App>, connections: &mut JoinSet<()>, connection: Connection) {
    if connections.len() >= app.limits().connections_max {
        app.metrics().rejected(Rejection::TooManyConnections);
        return;
    }
    connections.spawn(converse(Arc::clone(app), connection));
}

async fn converse(app: Arc<App>, connection: Connection) {
    let _open = app.metrics().open_connection();
    let turn = Turn::new();
    let io = TokioIo::new(Heard::new(connection, Arc::clone(&turn)));
    let service = service_fn(|request| {
        turn.to_server();
        let (app, turn) = (&app, &turn);
        async move {
            let reply = dispatch::answer(app, request).await;
            if reply.extensions().get::<Endless>().is_none() {
                turn.to_client();
            }
            Ok::<_, Infallible>(reply)
        }
    });
    // No `pipeline_flush`: it holds an answer back while more bytes are buffered, for ever if they are
    // the rest of headers that are too large.
    let mut serving = http1::Builder::new()
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, service);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = turn.overdue(app.limits()) => {
            if turn.is_asking() {
                app.metrics().rejected(Rejection::TooSlow);
            }
            return serving.into_parts().io.into_inner().give_up().await;
        }
        () = app.stopped() => {
            std::pin::Pin::new(&mut serving).graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
        if error.is_parse() {
            app.metrics().rejected(Rejection::Malformed);
        }
    }
}
