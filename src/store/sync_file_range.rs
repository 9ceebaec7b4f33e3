//! Makes every write of sled durable, and every failed sync seen.
//!
//! Owns two symbols. sled 0.34.7 believes that `sync_file_range(2)` makes a write durable; the call
//! writes no file metadata and flushes no disk cache, and no log survived a power cut behind it. And its
//! background thread only logs an `fsync` that failed. These definitions take the C library's place in
//! any program that links the crate: the first syncs for real, both latch the first failure. Whether the
//! linker did so is tested at every start: [`calls`] must rise with a flush.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);
/// The `errno` of the first sync that failed, 0 while none has.
static FAILED: AtomicI32 = AtomicI32::new(0);

/// How often sled has asked for a sync since the process started.
pub(super) fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

/// Fails for good once a sync of this process has failed, whoever asked for it: what the kernel could not
/// write it has dropped, and the next sync would say that all is well.
pub(super) fn check() -> io::Result<()> {
    match FAILED.load(Ordering::Acquire) {
        0 => Ok(()),
        errno => {
            let error = io::Error::from_raw_os_error(errno);
            Err(io::Error::new(
                error.kind(),
                format!("fdatasync log/db: {error}"),
            ))
        }
    }
}

#[cfg(target_os = "linux")]
mod symbols {
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    use super::{CALLS, FAILED};

    type Sync = unsafe extern "C" fn(libc::c_int) -> libc::c_int;

    /// `fdatasync` under the name of the weaker call, which exists on Linux alone; elsewhere sled syncs.
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
        latched(unsafe { libc::fdatasync(fd) })
    }

    /// `fsync`, whose failure sled's background thread would only log.
    #[expect(
        unsafe_code,
        reason = "replaces a C library symbol, whose result sled does not look at"
    )]
    #[unsafe(no_mangle)]
    extern "C" fn fsync(fd: libc::c_int) -> libc::c_int {
        match library_fsync() {
            // SAFETY: the C library's own fsync takes any integer, as above.
            Some(sync) => latched(unsafe { sync(fd) }),
            // SAFETY: as above; fdatasync writes everything needed to read the data back.
            None => latched(unsafe { libc::fdatasync(fd) }),
        }
    }

    /// The definition that this one stands before.
    #[expect(unsafe_code, reason = "asks the loader for a symbol by name")]
    fn library_fsync() -> Option<Sync> {
        static FOUND: OnceLock<Option<Sync>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            // SAFETY: the name ends with a zero byte, and RTLD_NEXT may be asked from any thread.
            let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"fsync".as_ptr()) };
            // SAFETY: a symbol of this name has this type in every C library, and null is None.
            unsafe { std::mem::transmute::<*mut libc::c_void, Option<Sync>>(found) }
        })
    }

    /// Notes a failure of the disk; one of the caller, such as a bad descriptor, is none.
    fn latched(result: libc::c_int) -> libc::c_int {
        if result != 0 {
            let errno = std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO);
            if [libc::EIO, libc::ENOSPC, libc::EDQUOT].contains(&errno) {
                // Whichever came first stays: it is told, and nothing is retried.
                let _ = FAILED.compare_exchange(0, errno, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        result
    }
}
