//! eureka-raft: a service registry that serves Netflix Eureka's REST API and keeps its state in Raft.
//!
//! # Layout
//!
//! | layer | module | owns |
//! |---|---|---|
//! | L0 | [`registry`] | applications, instances, leases: a deterministic function of the log |
//! | L1 | `wire` | Eureka's documents, JSON and XML |
//! | L1 | `codec`, `clock`, `net` | bytes with a version marker; the only clocks; the only sockets |
//! | L2 | `store` | what is on disk: identity, log, snapshots |
//! | L2 | `raft` | the sole user of openraft |
//! | L3 | `node` | one running member: the use cases |
//! | L4 | `http` | routes: decode, call the node, encode |
//! | L3 | `offline` | looks at a stopped node's directory |
//! | L5 | `server` | the process: configuration, listeners, signals, telemetry |
//!
//! Each layer uses only those above it in this table; `tests/tidy.rs` holds it.

pub mod registry;

#[cfg(feature = "server")]
pub mod bench;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
pub mod codec;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod node;
#[cfg(feature = "server")]
pub mod offline;
#[cfg(feature = "server")]
pub mod raft;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "documents")]
pub mod wire;
