//! The `eureka-raft` binary: its command line follows.

fn main() {}
