//! Recorded conversations with released Eureka servers, played against this server.
//!
//! Owns the proof of `docs/compatibility.md`: every recorded request gives the recorded answer but for the differences
//! of its table, and every row of the table that can be shown is shown.

#![expect(clippy::unwrap_used, reason = "a broken given of a test may end it")]

mod support;

#[path = "replay/conversation.rs"]
mod conversation;
#[path = "replay/meaning.rs"]
mod meaning;
#[path = "replay/normalise.rs"]
mod normalise;
#[path = "replay/page.rs"]
mod page;
#[path = "replay/recording.rs"]
mod recording;
#[path = "replay/rules.rs"]
mod rules;
#[path = "replay/server.rs"]
mod server;
#[path = "replay/shown_reads.rs"]
mod shown_reads;
#[path = "replay/shown_registrations.rs"]
mod shown_registrations;
#[path = "replay/shown_writes.rs"]
mod shown_writes;
