//! The command line.
//!
//! Owns the sub-commands: it turns raw arguments (`args`) into meaning and meaning into a call. It
//! may not hold a rule of the registry: a command asks a server or runs one. Every command ends
//! with an [`ExitReason`], whose line is the last on standard error.

mod api;
mod args;
mod bench;
mod config;
mod doctor;
mod download;
mod http_client;
mod import;
mod log_dump;
mod members;
mod output;
mod panics;
mod recover;
mod replace_disk;
mod serve;
mod servers;
mod snapshot;
mod status;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use crate::server::exit::{ExitCode, ExitReason};
use args::{Arguments, Command};

/// Runs the command in `arguments` (the program's name first) and returns its exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let reason = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments.command),
        Err(error) => usage(&error),
    };
    if !reason.what.is_empty() {
        eprintln!("eureka-raft: {reason}");
    }
    reason.code
}

fn dispatch(command: Command) -> ExitReason {
    let result = match command {
        Command::Serve(configured) => serve::run(configured),
        Command::Config(command) => config::run(command),
        Command::Status(asking) => status::run(&asking),
        Command::Members(command) => members::run(command),
        Command::Snapshot(command) => snapshot::run(command),
        Command::Recover(command) => recover::run(&command),
        Command::Log(command) => log_dump::run(command),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Bench(command) => bench::run(command),
        Command::Leader(command) => members::run_leader(command),
    };
    result.err().unwrap_or_else(ExitReason::fine)
}

/// Help and version are answers: standard output, exit 0. Everything else is a wrong command line.
fn usage(error: &clap::Error) -> ExitReason {
    // Nothing can be said about standard output being closed.
    drop(error.print());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitReason::fine(),
        _ => ExitReason::new(
            ExitCode::Usage,
            "the command line is wrong",
            "see above",
            "try eureka-raft --help",
        ),
    }
}

/// A runtime for a command that asks and prints: one thread is enough.
fn runtime() -> Result<tokio::runtime::Runtime, ExitReason> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            ExitReason::unfinished(
                "the command did not start",
                format!("no runtime: {error}"),
                "check the limit on open files",
            )
        })
}
