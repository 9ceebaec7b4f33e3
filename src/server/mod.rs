//! The process: configuration, listeners, signals, telemetry.
//!
//! Owns how a node starts and stops and with which exit code. It may hold no business rule.

pub mod banner;
pub mod config;
mod evidence;
pub mod exit;
mod run;
pub mod telemetry;
mod translate;
mod world;

pub use evidence::EVIDENCE_FILE;
pub use run::Server;
pub use world::{OpenLog, World, random_id};
