//! Where a data directory came from, if not from a first start.
//!
//! Owns the file `ANCESTRY`, written once, before the directory is used. It may not judge it: a cluster
//! that was ended by force must never be spoken with again, and Raft's peers see to that.

use std::io;

use serde::{Deserialize, Serialize};

use super::error::OpenError;
use super::files::SharedFiles;
use crate::codec::{self, Format, Stored};

/// The file's name.
pub const ANCESTRY_FILE: &str = "ANCESTRY";
const ANCESTRY_TEMP: &str = "ANCESTRY.tmp";

/// What a data directory was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ancestry {
    /// From a backup. The old cluster may go on beside it.
    Restored {
        /// The cluster of the backup, if it says so.
        cluster: Option<u128>,
        /// The log index of its state there.
        index: u64,
    },
    /// From a survivor, when a quorum was lost. The old cluster has ended.
    Forced {
        /// The cluster that ended.
        cluster: u128,
        /// The survivor's last log index in it.
        index: u64,
    },
}

impl Stored for Ancestry {
    const FORMAT: Format = Format::ANCESTRY;
}

impl Ancestry {
    /// Reads it; `None` in a directory of a first start.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`], [`OpenError::Newer`], [`OpenError::Io`].
    pub fn read(files: &SharedFiles) -> Result<Option<Self>, OpenError> {
        let mut file = match files.open(ANCESTRY_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(OpenError::io("open ANCESTRY"))?,
        };
        let mut bytes = vec![0; codec::CONTROL_MAX];
        let read = file
            .read_at(0, &mut bytes)
            .map_err(OpenError::io("read ANCESTRY"))?;
        codec::decode(&bytes[..read], codec::CONTROL_MAX)
            .map(Some)
            .map_err(|error| OpenError::codec(ANCESTRY_FILE, "byte 0", &error))
    }

    /// Writes it, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, files: &SharedFiles) -> io::Result<()> {
        let mut file = files.create(ANCESTRY_TEMP)?;
        file.write_at(0, &codec::encode(self))?;
        file.sync()?;
        files.rename(ANCESTRY_TEMP, ANCESTRY_FILE)?;
        files.sync_dir("")
    }

    /// The cluster that has ended for this one to begin, if one has.
    pub fn ended_cluster(&self) -> Option<u128> {
        match self {
            Self::Forced { cluster, .. } => Some(*cluster),
            Self::Restored { .. } => None,
        }
    }
}
