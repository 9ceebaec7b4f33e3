//! What is on a disk or on the wire today is what a later release reads.
//!
//! The bytes of every format are frozen here: a test that fails says that an old disk would not be
//! understood. Add a version; never change a line.

#[path = "formats/frozen.rs"]
mod frozen;

#[path = "formats/refused.rs"]
mod refused;
