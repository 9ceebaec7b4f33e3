//! The first storage error of one data directory, for good.
//!
//! Owns the latch that every writer sets and every acknowledgement looks at. It may not end the
//! process: the server watches it and does. Invariant: it is never cleared.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

/// Why nothing on this disk may be trusted any more, once there is a reason. Clones share it.
#[derive(Debug, Clone)]
pub struct FirstError(Arc<watch::Sender<Option<Arc<str>>>>);

impl Default for FirstError {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl FirstError {
    /// Latches `reason` unless there is one already. It names the operation and the file.
    pub fn set(&self, reason: &str) {
        self.0.send_if_modified(|failure| {
            let first = failure.is_none();
            failure.get_or_insert_with(|| reason.into());
            first
        });
    }

    /// The reason, once there is one.
    pub fn get(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// The reason as what a waiting writer is told.
    pub fn as_io_error(&self) -> io::Error {
        let reason = self.get();
        io::Error::other(format!(
            "the log has failed: {}",
            reason.as_deref().unwrap_or("closed")
        ))
    }

    /// For whoever waits for a reason. It never goes back to `None`.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.0.subscribe()
    }

    /// Resolves with the reason, once there is one.
    pub async fn wait(&self) -> Arc<str> {
        let mut failure = self.subscribe();
        loop {
            if let Some(reason) = failure.borrow_and_update().clone() {
                return reason;
            }
            if failure.changed().await.is_err() {
                // Never: `self` holds the sender.
                std::future::pending::<()>().await;
            }
        }
    }
}
