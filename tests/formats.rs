//! What is on a disk or on the wire today is what a later release reads.
//!
//! The bytes of every format are frozen here: a test that fails says that an old disk would not be
//! understood. Add a version; never change a line.

#[path = "formats/frozen.rs"]
mod frozen;

#[path = "formats/frozen_shapes.rs"]
mod frozen_shapes;

#[allow(dead_code, unreachable_pub, reason = "shared with the peers' own test")]
#[path = "formats/shapes.rs"]
mod shapes;

#[path = "formats/refused.rs"]
mod refused;
