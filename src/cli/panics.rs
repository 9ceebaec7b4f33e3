//! Panics of a command that reads a damaged log.
//!
//! Owns the last line of a command that one of sled's own threads ends: nobody can catch that panic.
//! It may not hide one of ours.

use std::process::exit;

use crate::server::exit::{ExitCode, ExitReason};
use crate::store::{PanicSource, panic_source};

/// From now on a panic inside sled is damage: caught where it can be, else the end with exit 74.
pub(super) fn read_as_damage() {
    let ours = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match panic_source() {
        // Whoever called reports it, with the place.
        PanicSource::LogCall => {}
        PanicSource::SledThread => {
            let reason = ExitReason::storage(
                "the log is damaged",
                format!("sled cannot go on: {info}"),
                "what was printed before stands; eureka-raft recover replace-disk --help",
            );
            eprintln!("eureka-raft: {reason}");
            exit(i32::from(ExitCode::Storage.number()));
        }
        PanicSource::Other => ours(info),
    }));
}
