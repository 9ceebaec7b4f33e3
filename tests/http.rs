//! Eureka's routes and ours over real sockets, in front of the real registry without Raft.

#![expect(clippy::unwrap_used, reason = "a broken given of a test may end it")]

#[path = "support/allocations.rs"]
mod allocations;
#[path = "http/client.rs"]
mod client;
#[path = "http/fake_node.rs"]
mod fake_node;
#[path = "http/world.rs"]
mod world;

#[global_allocator]
static COUNTED: allocations::Counted = allocations::Counted;

#[path = "http/bad_input.rs"]
mod bad_input;
#[path = "http/changes.rs"]
mod changes;
#[path = "http/connections.rs"]
mod connections;
#[path = "http/corpus.rs"]
mod corpus;
#[path = "http/delta.rs"]
mod delta;
#[path = "http/large_lists.rs"]
mod large_lists;
#[path = "http/methods.rs"]
mod methods;
#[path = "http/negotiation.rs"]
mod negotiation;
#[path = "http/operations.rs"]
mod operations;
#[path = "http/orders.rs"]
mod orders;
#[path = "http/page.rs"]
mod page;
#[path = "http/reads.rs"]
mod reads;
#[path = "http/refusals.rs"]
mod refusals;
#[path = "http/regions.rs"]
mod regions;
#[path = "http/replication.rs"]
mod replication;
#[path = "http/writes.rs"]
mod writes;
