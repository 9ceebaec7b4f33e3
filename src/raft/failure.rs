//! The one place where it is noted that this node cannot go on.
//!
//! Owns the first failure, for good. It may not end the process: whoever watches it does.

use std::sync::Arc;

use tokio::sync::watch;

use super::error::{Failure, StartError};

/// The first failure of this node's Raft. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct FailureCell(Arc<watch::Sender<Option<Failure>>>);

impl FailureCell {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Notes `failure` unless there is one already.
    pub(super) fn fail(&self, failure: Failure) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                tracing::error!(%failure, "this node cannot go on");
                *first = Some(failure);
            }
            is_first
        });
    }

    /// The error of a start that failed with `error`: a newer format is said as what it is, through whatever
    /// hands it was passed.
    pub(super) fn of_start(&self, error: StartError) -> StartError {
        match &*self.0.borrow() {
            Some(Failure::Newer(why)) => StartError::Newer(why.clone()),
            _ => error,
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Failure>> {
        self.0.subscribe()
    }

    /// A guard that notes a panic of its scope: `what` was interrupted half-way.
    pub(super) fn while_in(&self, what: &'static str) -> PanicNote<'_> {
        PanicNote { cell: self, what }
    }
}

/// Notes a failure if it is dropped by a panic.
pub(super) struct PanicNote<'a> {
    cell: &'a FailureCell,
    what: &'static str,
}

impl Drop for PanicNote<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.cell
                .fail(Failure::Internal(format!("panicked in {}", self.what)));
        }
    }
}
