//! The HTTP side of a node: decode, call the node, encode.
//!
//! Owns the routes of Eureka's API and ours, status codes, headers, the cache of rendered lists, the
//! page and the probes. It may not touch openraft or sled, and decides nothing about the registry:
//! every write goes through [`crate::node::Registrar`], every read is one view of it.
//!
//! The way of a request: `serve` accepts, `dispatch` finds the handler by `route`, `request` reads it
//! whole, a handler in `writes`, `replication`, `reads`, `delta`, `changes`, `orders`, `status` or `page` answers
//! through `reply`, or refuses through `error`.

mod app;
mod backup;
mod changes;
mod conversation;
mod delta;
mod dispatch;
mod error;
mod limits;
mod metrics;
mod orders;
mod page;
mod process;
mod query;
mod reads;
mod refused_order;
mod rendered;
mod replication;
mod reply;
mod request;
mod route;
mod serve;
mod status;
mod writes;

pub use app::App;
pub use limits::Limits;
pub use serve::serve;
