//! Makes every write of sled durable.
//!
//! Owns one symbol. sled 0.34.7 believes that `sync_file_range(2)` makes a write durable; the call
//! writes no file metadata and flushes no disk cache, and no log survived a power cut behind it. This
//! definition takes the C library's place in any program that links the crate and syncs for real.
//! Whether the linker did so is tested at every start: [`calls`] must rise with a flush.

use std::sync::atomic::{AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);

/// How often sled has asked for a sync since the process started.
pub(super) fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

/// `fdatasync` under the name of the weaker call, which exists on Linux alone; elsewhere sled syncs.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "replaces a C library symbol, which sled calls and cannot be configured not to"
)]
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(
    fd: libc::c_int,
    _offset: libc::off64_t,
    _bytes: libc::off64_t,
    _flags: libc::c_uint,
) -> libc::c_int {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: fdatasync takes any integer and answers EBADF for one that is no descriptor; errno is
    // left as it sets it, which is what the caller reads.
    unsafe { libc::fdatasync(fd) }
}
