//! How much memory a piece of code asks for, on its own thread.
//!
//! Owns a global allocator that counts before it hands on to the system's. A test or target that
//! uses it declares it: `#[global_allocator] static COUNTED: Counted = Counted;`. A reallocation
//! counts as growth, not as a second block: what is measured is what is asked for, not how the
//! allocator below moves it.

#![allow(
    unreachable_pub,
    reason = "shared by test binaries and fuzz targets, public to none of the former"
)]
#![allow(dead_code, reason = "each of them uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Constant and without a destructor: to touch them allocates nothing.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static TOTAL: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
pub struct Counted;

/// Runs `work`, and says how many bytes it held at most at one moment, above what was held before, on
/// this thread. What it returns counts as held.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let live = LIVE.get();
    PEAK.set(live);
    let result = work();
    (result, PEAK.get().saturating_sub(live))
}

/// All that this thread has asked for so far, in bytes; the difference of two is what was between them.
pub fn so_far() -> usize {
    TOTAL.get()
}

fn took(bytes: usize) {
    let live = LIVE.get().wrapping_add(bytes);
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
    TOTAL.set(TOTAL.get().wrapping_add(bytes));
}

fn gave(bytes: usize) {
    // A block may be given back by another thread than took it.
    LIVE.set(LIVE.get().saturating_sub(bytes));
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe to implement; each call is handed on as it came"
)]
// SAFETY: every method hands its arguments to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        gave(layout.size());
        took(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
