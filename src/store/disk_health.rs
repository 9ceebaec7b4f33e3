//! What is known of the disk under one data directory.
//!
//! Owns the bundle that the writers fill and the node reads. It may not decide anything.

use std::sync::Arc;

use super::error::OpenError;
use super::files::SharedFiles;
use super::first_error::FirstError;
use super::space::{SpaceKeeper, SpaceLimits};
use super::sync_gauge::SyncGauge;

/// The disk of one node. Clones share it.
#[derive(Debug, Clone)]
pub struct DiskHealth {
    /// Its first error.
    pub failure: FirstError,
    /// How long its syncs take.
    pub syncs: Arc<SyncGauge>,
    /// How much room it has.
    pub space: Arc<SpaceKeeper>,
}

impl DiskHealth {
    /// The health of the volume under `files`; on a full one, ballast is given up. Blocks.
    ///
    /// # Errors
    /// As [`SpaceKeeper::open`].
    pub fn open(files: SharedFiles, limits: &SpaceLimits) -> Result<Self, OpenError> {
        Ok(Self {
            failure: FirstError::default(),
            syncs: Arc::default(),
            space: Arc::new(SpaceKeeper::open(files, limits)?),
        })
    }
}
