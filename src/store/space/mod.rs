//! How much room the data directory's volume has, and what is kept back for bad days.
//!
//! Owns the marks below which a volume counts as low or full, and the ballast. It may not decide what
//! the node does about it. Invariant: ballast that was given up counts as missing room, so that giving
//! it up never looks like a recovery.

mod ballast;
mod keeper;
mod marks;

use serde::{Deserialize, Serialize};

pub use ballast::{BALLAST_DIR, BALLAST_PIECES};
pub use keeper::{ROOM_MIN, SpaceKeeper, SpaceReport};
pub use marks::{Marks, SpaceLimits};

/// What a volume has, as the operating system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes this process may still use.
    pub free_bytes: u64,
    /// Bytes of the volume.
    pub total_bytes: u64,
    /// Files this process may still create; `u64::MAX` where the file system has no such limit.
    pub free_inodes: u64,
    /// Files the volume can hold; `u64::MAX` where there is no such limit.
    pub total_inodes: u64,
}

impl Space {
    /// A volume without a bound, for disks that are simulated.
    pub const BOUNDLESS: Self = Self {
        free_bytes: u64::MAX,
        total_bytes: u64::MAX,
        free_inodes: u64::MAX,
        total_inodes: u64::MAX,
    };
}

/// How a volume stands to its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpaceState {
    /// Above the soft mark.
    #[default]
    Ok,
    /// Below the soft mark: an operator should make room.
    Low,
    /// Below the hard mark: nothing that grows is taken on.
    Full,
}

impl SpaceState {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::Full => "full",
        }
    }
}
