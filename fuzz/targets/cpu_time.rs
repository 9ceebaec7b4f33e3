//! That no input costs more than its length explains.
//!
//! Owns the bound, in CPU time of this thread: a busy machine is no excuse and no finding.

use rustix::time::{ClockId, clock_gettime};

/// What an input may take to be judged, however short, in µs.
const GRACE_US: i64 = 20_000;

/// What each byte of an input may add, in µs. Judging reads and writes it a dozen times, instrumented.
const BYTE_US: i64 = 5;

/// Runs `work` on `input`; panics if it takes longer than the input is long.
pub(crate) fn bounded(input: &[u8], work: impl FnOnce(&[u8]) -> bool) {
    let before = now_us();
    work(input);
    let took = now_us() - before;
    let limit = GRACE_US + BYTE_US * i64::try_from(input.len()).unwrap_or(i64::MAX / BYTE_US);
    assert!(took <= limit, "{took} µs for {} bytes", input.len());
}

fn now_us() -> i64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}
