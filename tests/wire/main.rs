//! Eureka's documents: what we write and read, against recordings, tables and arbitrary instances.
#![cfg(feature = "server")]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops at its first surprise, in its supports too"
)]

mod accepted;
mod documents;
mod hostile_input;
mod lenient_input;
mod names;
mod negotiation;
mod recordings;
mod refusals;
mod round_trip;
mod support;
