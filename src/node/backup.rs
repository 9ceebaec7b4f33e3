//! A backup of this node's registry.
//!
//! Owns that it holds everything acknowledged before it was asked for. It may not know its bytes.

use crate::raft::{Backup, BackupError};

use super::Node;
use super::api::{BackupRefusal, Consistency, ReadError, ReadOptions};

impl Node {
    /// Waits for a read index and begins a backup of the state then applied here.
    pub(super) async fn begin_backup(&self) -> Result<Backup, BackupRefusal> {
        let running = self.running.get().ok_or(ReadError::NoLeader)?;
        let linearizable = ReadOptions {
            consistency: Some(Consistency::Linearizable),
            min_index: None,
        };
        running.reads.read(linearizable).await?;
        let begun = running.raft.begin_backup().await;
        begun.map_err(|error| match error {
            BackupError::Running => BackupRefusal::Running,
            BackupError::Stopped => ReadError::Stopping.into(),
        })
    }
}
