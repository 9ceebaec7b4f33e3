//! The seam between async code and blocking file I/O.
//!
//! Owns the only use of tokio's blocking threads, so that a simulation, which has no threads, can run
//! the same work inline. It may not know what the work is.

use std::sync::atomic::{AtomicBool, Ordering};

static INLINE: AtomicBool = AtomicBool::new(false);

/// From now on [`blocking`] runs its work on the calling task, in this whole process. For a
/// deterministic simulation, whose files are in memory and never wait.
pub fn run_blocking_inline() {
    INLINE.store(true, Ordering::SeqCst);
}

/// Runs `work`, which may block on the disk, away from the async threads, and awaits its result.
///
/// A panic in `work` goes on in the caller. If the caller is dropped the work still ends by itself.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that hands work to blocking threads"
)]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if INLINE.load(Ordering::SeqCst) {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down and never began the work: the caller is about to be
            // dropped at this await.
            Err(_) => std::future::pending().await,
        },
    }
}
