//! Any bytes as the query of a request.
#![no_main]

mod cpu_time;

use libfuzzer_sys::fuzz_target;
use oracles::allocations::Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fuzz_target!(|input: &[u8]| {
    cpu_time::bounded(input, oracles::target::judge_query);
});
