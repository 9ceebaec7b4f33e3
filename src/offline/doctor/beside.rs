//! What lies beside identity and log.
//!
//! Owns the checks of an unfinished command, of where the cluster came from, and of what was remembered
//! of the peers. It may not finish or heal anything.

use std::sync::Arc;

use super::{Finding, REPLACE};
use crate::store::files::SharedFiles;
use crate::store::peer_memory::MemoryFile;
use crate::store::{Ancestry, OpenError, REBUILD_DIR};

pub(super) fn examine(files: &SharedFiles) -> [Finding; 3] {
    [unfinished(files), ancestry(files), memory(files)]
}

/// `snapshot restore` or `recover force`, killed on its way.
fn unfinished(files: &SharedFiles) -> Finding {
    let id = "dir.unfinished";
    let names = files.list("").unwrap_or_default();
    if names.iter().any(|name| name == REBUILD_DIR) {
        let dir = REBUILD_DIR.to_owned();
        return Finding::refused(id, &OpenError::Interrupted { dir });
    }
    Finding::ok(id, "no command was interrupted here")
}

fn ancestry(files: &SharedFiles) -> Finding {
    let id = "dir.ancestry";
    match Ancestry::read(files) {
        Ok(None) => Finding::ok(id, "its cluster began here"),
        Ok(Some(ancestry)) => Finding::ok(
            id,
            ancestry.ended_cluster().map_or_else(
                || "its cluster began from a backup".to_owned(),
                |cluster| format!("its cluster goes on for {cluster:032x}, which ended"),
            ),
        ),
        Err(error) => Finding::refused(id, &error),
    }
}

fn memory(files: &SharedFiles) -> Finding {
    let id = "peers.memory";
    match MemoryFile::open(Arc::clone(files)) {
        Ok(memory) => match memory.damage() {
            None => Finding::ok(id, format!("{} peers are remembered", memory.found().len())),
            Some(damage) => Finding::warn(
                id,
                damage,
                format!(
                    "the other file is used, and this one written anew; if more is damaged: {REPLACE}"
                ),
            ),
        },
        Err(error) => Finding::refused(id, &error),
    }
}
