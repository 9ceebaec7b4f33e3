//! `snapshot save`, `inspect`, `verify` and `restore`.
//!
//! Owns how a backup is named on the command line, and the exit code of each way it can be bad. It may
//! not know a byte of one.

mod restore;
mod save;
mod show;

use std::path::Path;

use super::args::SnapshotCommand;
use crate::raft::succession::{BackupFile, SuccessionError};
use crate::server::exit::{ExitCode, ExitReason};
use crate::store::OpenError;

pub(super) fn run(command: SnapshotCommand) -> Result<(), ExitReason> {
    match command {
        SnapshotCommand::Save { file, server } => save::run(&file, &server),
        SnapshotCommand::Inspect { file, output } => show::inspect(&file, output.output),
        SnapshotCommand::Verify { file } => show::verify(&file),
        SnapshotCommand::Restore(arguments) => restore::run(&arguments),
    }
}

/// Reads and checks all of a backup.
fn open(path: &Path) -> Result<BackupFile, ExitReason> {
    BackupFile::open(path).map_err(|error| match &error {
        SuccessionError::Open(OpenError::Io { .. }) => ExitReason::storage(
            "the backup cannot be read",
            error.to_string(),
            "check the path and the disk",
        ),
        SuccessionError::Open(OpenError::Newer { .. }) => ExitReason::configuration(
            "the backup cannot be read",
            error.to_string(),
            "use the newer release",
        ),
        _ => ExitReason::storage(
            "the backup is damaged",
            error.to_string(),
            "use another backup; nothing was changed",
        ),
    })
}

/// Why an offline command on a data directory ended.
pub(super) fn offline_error(what: &str, error: &SuccessionError) -> ExitReason {
    let why = error.to_string();
    match error {
        SuccessionError::Open(open) => ExitReason::new(
            match open.exit_code() {
                77 => ExitCode::Identity,
                78 => ExitCode::Configuration,
                _ => ExitCode::Storage,
            },
            what,
            why,
            match open {
                OpenError::InUse { .. } => "stop the node that runs on it",
                OpenError::Corrupt { .. } => {
                    "try another survivor, or eureka-raft snapshot restore"
                }
                _ => "check the disk, then run the command again",
            },
        ),
        SuccessionError::NotEmpty { .. } => {
            ExitReason::identity(what, why, "name an empty or a new directory")
        }
        SuccessionError::NoMember { .. } => ExitReason::identity(
            what,
            why,
            "name the data directory of a member that has run",
        ),
        SuccessionError::OtherName { .. } => {
            ExitReason::identity(what, why, "check --data-dir and --name")
        }
        SuccessionError::Alone => {
            ExitReason::identity(what, why, "there is no quorum to lose: start it")
        }
        SuccessionError::Damaged { .. } => ExitReason::storage(
            what,
            why,
            "try another survivor, or eureka-raft snapshot restore",
        ),
        SuccessionError::Io { .. } => {
            ExitReason::storage(what, why, "check the disk, then run the same command again")
        }
    }
}
