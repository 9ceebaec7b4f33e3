//! Any bytes as the batch of a legacy peer.
#![no_main]

mod cpu_time;

use libfuzzer_sys::fuzz_target;
use oracles::allocations::Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fuzz_target!(|input: &[u8]| {
    cpu_time::bounded(input, oracles::batch::judge);
});
