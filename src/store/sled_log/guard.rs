//! Panics inside sled.
//!
//! Owns the line between a panic of sled's, which is a storage error, and one of ours, which is a bug.
//! On damaged data sled panics as often as it answers an error: on our threads that is caught here
//! and reported like one; on its own threads nobody can catch it, and the process has to end.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whose panic it is that a panic hook is looking at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicSource {
    /// A call of the log into sled: caught, and reported as a storage error by who called. A hook
    /// does nothing.
    LogCall,
    /// A thread of sled's own: a hook ends the process with exit code 74.
    SledThread,
    /// Anything else.
    Other,
}

/// Whose panic the current one is. For a panic hook, which runs on the thread that panics.
pub fn panic_source() -> PanicSource {
    if INSIDE.get() {
        return PanicSource::LogCall;
    }
    match std::thread::current().name() {
        Some(name) if name == "log flusher" || name.starts_with("sled-io-") => {
            PanicSource::SledThread
        }
        _ => PanicSource::Other,
    }
}

/// Runs a step that calls into sled; a panic in it becomes its text.
pub(super) fn guarded<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    let outer = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(step));
    INSIDE.set(outer);
    result.map_err(|panic| text(&*panic))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("(no message)"))
}
