//! One cluster after another: what a backup or a last survivor holds, and the cluster that begins with it.
//!
//! Owns what a backup file and a stopped node's directory mean to Raft: the last entry, the membership,
//! the state at it; and how a directory is founded that begins another cluster. It may not talk to a
//! peer. Every call blocks on the disk.

mod backup_file;
mod founding;
mod survivor;

use std::io;

use crate::codec::CodecError;
use crate::store::OpenError;

use super::types::Member;

pub use backup_file::BackupFile;
pub use founding::{Founded, FreshIds, RestoreOrder, restore};
pub use survivor::{Past, Survivor, SurvivorReport, survivor_at};

/// A place in the log, as an operator reads it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastEntry {
    /// The term it was made in: compared first.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// One member as a file knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMember {
    /// Who.
    pub member: Member,
    /// Whether it votes.
    pub voter: bool,
}

/// Why there is no successor, or nothing to read one from.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    /// A directory or file cannot be opened, or is damaged: the exit code is the error's.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something in the directory that a restore would have to overwrite: exit 77.
    #[error("{dir} is not empty: it holds {found}")]
    NotEmpty {
        /// The data directory.
        dir: String,
        /// The first thing in it.
        found: String,
    },
    /// The directory holds no node of a cluster: exit 77.
    #[error("{dir} holds no member of a cluster: {reason}")]
    NoMember {
        /// The data directory.
        dir: String,
        /// What is missing.
        reason: String,
    },
    /// The directory is another node's: exit 77.
    #[error("the data directory belongs to {stored:?}")]
    OtherName {
        /// Its name.
        stored: String,
    },
    /// There is nothing to recover: this node is its cluster's only voter. Exit 77.
    #[error("this node is the only voter of its cluster")]
    Alone,
    /// What is on disk contradicts itself: exit 74.
    #[error("{file}: {reason}")]
    Damaged {
        /// The file or folder.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The disk failed: exit 74.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// Its answer.
        source: io::Error,
    },
}

impl SuccessionError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    fn damaged(file: impl Into<String>, reason: &dyn std::fmt::Display) -> Self {
        Self::Damaged {
            file: file.into(),
            reason: reason.to_string(),
        }
    }

    fn codec(file: impl Into<String>) -> impl FnOnce(CodecError) -> Self {
        let file = file.into();
        move |error| Self::damaged(file, &error)
    }
}
