//! What a stopped node's data directory holds.
//!
//! Owns the looks an operator takes at a directory that no node serves: `dump` lists what is there,
//! `doctor` judges it, `replacement` puts an empty one in its place. It may not change a byte of a
//! directory it looks at: what would have to be opened for writing is copied first ([`scratch`]).

pub mod doctor;
pub mod dump;
mod entry_text;
pub mod replacement;
pub mod scratch;
pub mod volume;
