//! What tests of real processes share: a cluster of them, and a plain HTTP client.
//!
//! Owns child processes, their ports and directories, and the one loop that waits for something
//! outside this process to become true. It may not know the product but by its commands and routes.

#![allow(
    unreachable_pub,
    reason = "shared by several test binaries, public to none"
)]
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the support"
)]

pub mod altering;
pub mod cluster;
pub mod command;
pub mod eventually;
pub mod http;
pub mod instance;
