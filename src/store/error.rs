//! Why a data directory cannot be opened.
//!
//! Owns [`OpenError`]: one variant per reaction of the operator, each with its exit code. It may not
//! print or exit; the process does.

use std::io;

use crate::codec::CodecError;

/// Why a data directory, or a part of it, cannot be opened. Nothing has been changed by then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused; exit code 74, or 78 if it is a matter of permissions.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the file's name.
        what: String,
        /// Its answer.
        source: io::Error,
    },
    /// Bytes on disk are not what was written there; exit code 74.
    #[error("{file} is damaged at {place}: {reason}")]
    Corrupt {
        /// The file or directory, relative to the data directory.
        file: String,
        /// Where in it.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer release wrote it; exit code 78.
    #[error("{file} was written by a newer release: {reason}")]
    Newer {
        /// The file, relative to the data directory.
        file: String,
        /// What is newer.
        reason: String,
    },
    /// Another process has the directory open; exit code 77.
    #[error("{dir} is in use by another process")]
    InUse {
        /// The data directory.
        dir: String,
    },
    /// A command that replaces the directory's content was interrupted; exit code 77.
    #[error("{dir}/ is what an interrupted `snapshot restore` or `recover` has left")]
    Interrupted {
        /// The folder, relative to the data directory.
        dir: String,
    },
    /// The log ends before what this node has acknowledged: the disk went back in time, or was
    /// replaced. Exit code 77.
    #[error(
        "log/db ends at {found:?}, but by LOG.end or META this node holds entries up to {known}: the log went back"
    )]
    Regressed {
        /// An index this node has synced and acknowledged.
        known: u64,
        /// The last index found.
        found: Option<u64>,
    },
    /// A file is whole, and not of this data directory or not of this moment of it. Exit code 77.
    #[error("{file} does not belong to this data directory as it is: {reason}")]
    Foreign {
        /// The file, relative to the data directory.
        file: String,
        /// What does not fit.
        reason: String,
    },
}

impl OpenError {
    /// The exit code of a process that cannot go on for this reason.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 78,
            Self::Io { .. } | Self::Corrupt { .. } => 74,
            Self::Newer { .. } => 78,
            Self::InUse { .. }
            | Self::Interrupted { .. }
            | Self::Regressed { .. }
            | Self::Foreign { .. } => 77,
        }
    }

    /// Names what was attempted: `result.map_err(OpenError::io("read META.a"))`.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what: what.into(),
            source,
        }
    }

    /// Damage in `file` at `place`.
    pub(super) fn corrupt(
        file: impl Into<String>,
        place: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Corrupt {
            file: file.into(),
            place: place.into(),
            reason: reason.into(),
        }
    }

    /// A whole `file` that is not this directory's, or of another moment.
    pub(super) fn foreign(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Foreign {
            file: file.into(),
            reason: reason.into(),
        }
    }

    /// What an envelope that cannot be decoded means for the file that holds it.
    pub(super) fn codec(file: &str, place: impl Into<String>, error: &CodecError) -> Self {
        match error {
            CodecError::Newer { .. } => Self::Newer {
                file: file.to_owned(),
                reason: error.to_string(),
            },
            _ => Self::corrupt(file, place, error.to_string()),
        }
    }
}
