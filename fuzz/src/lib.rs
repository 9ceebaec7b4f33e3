//! What must be true of every input, whoever sends it: the judges of the fuzz targets.
//!
//! Owns an oracle for each target, as a function that panics when it sees something wrong. `cargo test`
//! compiles this very file too (tests/fuzz_corpus.rs) and replays the corpus through it. The routes' and
//! the query's own sources are compiled in, because their types are nobody else's business.

#![allow(
    unreachable_pub,
    reason = "public to the targets, and to nobody where `cargo test` compiles it in"
)]

use eureka_raft::{registry, wire};

#[path = "../../tests/support/allocations.rs"]
pub mod allocations;
pub mod batch;
pub mod body;
pub mod target;

#[path = "../../src/http/query.rs"]
mod query;
#[path = "../../src/http/route.rs"]
mod route;

/// What reading an input may take beyond twice its length, in bytes: two metadata maps of as many
/// entries as there may be, and their growth, at 32 bytes an entry.
pub const OVERHEAD_BYTES: usize = 3 * wire::MAX_METADATA_ENTRIES * 32 + 4 * 1024;

/// Runs `work` on an input of `length` bytes, and it may not take over twice that in memory.
fn within_memory<T>(length: usize, work: impl FnOnce() -> T) -> T {
    let (result, peak) = allocations::peak_of(work);
    let limit = 2 * length + OVERHEAD_BYTES;
    assert!(
        peak <= limit,
        "{peak} bytes held for an input of {length}: the limit is {limit}"
    );
    result
}
