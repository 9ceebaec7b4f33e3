//! Any bytes as a registration in JSON.
#![no_main]

mod cpu_time;

use eureka_raft::wire::Format;
use libfuzzer_sys::fuzz_target;
use oracles::allocations::Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fuzz_target!(|input: &[u8]| {
    cpu_time::bounded(input, |body| oracles::body::judge(Format::Json, body));
});
