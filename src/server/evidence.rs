//! What a node leaves behind when its state was not the majority's.
//!
//! Owns the file `DIVERGED.json` in the data directory: both hashes, and how far log, state and snapshot
//! reached. It may not decide anything; nobody reads it but people.

use std::io;

use crate::raft::Divergence;
use crate::store::files::SharedFiles;

/// The file's name, in the data directory. A later divergence overwrites it.
pub const EVIDENCE_FILE: &str = "DIVERGED.json";

/// Writes it, durably. Blocks on the disk.
pub(super) fn write(files: &SharedFiles, found: &Divergence) -> io::Result<()> {
    let text = serde_json::json!({
        "index": found.index,
        "state_hash": format!("{:032x}", found.ours),
        "majority_hash": format!("{:032x}", found.theirs),
        "log_last": found.last,
        "log_committed": found.committed,
        "log_applied": found.applied,
        "log_purged": found.purged,
        "snapshot": found.snapshot,
    });
    let mut file = files.create(EVIDENCE_FILE)?;
    file.write_at(0, format!("{text:#}\n").as_bytes())?;
    file.sync()?;
    files.sync_dir("")
}
