//! The snapshots.
//!
//! Owns the checks of each file and of what a start would restore. It may not remove one.

use std::sync::Arc;

use super::Finding;
use crate::raft::{look_at_snapshot, restore};
use crate::registry::Registry;
use crate::store::files::SharedFiles;
use crate::store::snapshot_files::{SNAPSHOT_DIR, SnapshotFound};
use crate::store::{OpenError, SnapshotFiles};

/// What a start would restore.
#[derive(Default)]
pub(super) struct Restored {
    /// The last index the newest whole snapshot covers.
    pub(super) reach: Option<u64>,
    /// The names of the damaged ones.
    pub(super) damaged: Vec<String>,
    pub(super) base: Base,
}

/// The state on which the log is applied.
#[derive(Default)]
pub(super) enum Base {
    /// There is no snapshot: an empty registry.
    #[default]
    Nothing,
    /// The newest snapshot's.
    State(Box<Registry>),
    /// The newest snapshot is whole, and holds no state.
    Unusable,
}

pub(super) fn examine(files: &SharedFiles) -> (Restored, Vec<Finding>) {
    let (snapshots, seen) = match SnapshotFiles::look(Arc::clone(files)) {
        Ok(seen) => seen,
        Err(error) => {
            let finding = Finding::refused("snapshots.whole", &error);
            return (Restored::default(), vec![finding]);
        }
    };
    let mut restored = Restored::default();
    let mut strays = Vec::new();
    let mut whole = Vec::new();
    let mut reasons = Vec::new();
    let mut newer = None;
    for seen in seen {
        match seen {
            SnapshotFound::Whole(meta) => {
                restored.reach = Some(meta.name.index);
                whole.push(format!("{} ({} records)", meta.name, meta.records));
            }
            SnapshotFound::Damaged(name, error) => {
                restored.damaged.push(name.to_string());
                reasons.push(error.to_string());
                if let OpenError::Newer { .. } = error {
                    newer = Some(error);
                }
            }
            SnapshotFound::Stray(name) => strays.push(name),
        }
    }
    let mut found = vec![
        newer.map_or_else(
            || verified(&whole, &reasons),
            |error| Finding::refused("snapshots.whole", &error),
        ),
        leftovers(&strays),
    ];
    found.extend(restore_newest(&snapshots, &mut restored));
    (restored, found)
}

fn verified(whole: &[String], reasons: &[String]) -> Finding {
    let id = "snapshots.whole";
    if !reasons.is_empty() {
        return Finding::warn(
            id,
            reasons.join("; "),
            "keep it for a look: an older one and the log may still hold everything (log.reach)",
        );
    }
    match whole {
        [] => Finding::ok(id, "there is none yet"),
        whole => Finding::ok(id, whole.join(", ")),
    }
}

fn leftovers(strays: &[String]) -> Finding {
    let id = "snapshots.strays";
    if strays.is_empty() {
        return Finding::ok(id, format!("nothing else in {SNAPSHOT_DIR}/"));
    }
    Finding::warn(
        id,
        strays.join(", "),
        "what ends in .tmp was unfinished and goes at the next start; the rest is not ours",
    )
}

fn restore_newest(snapshots: &SnapshotFiles, restored: &mut Restored) -> Option<Finding> {
    let id = "snapshots.restore";
    let meta = snapshots.latest()?;
    let name = meta.name;
    let result = look_at_snapshot(&meta)
        .map_err(std::io::Error::other)
        .and_then(|_covered| restore(snapshots, &meta));
    Some(match result {
        Ok(registry) => {
            let (index, hash) = (registry.index(), registry.view().state_hash());
            restored.base = Base::State(Box::new(registry));
            Finding::ok(id, format!("state {hash:032x} at index {index}"))
        }
        Err(error) => {
            restored.base = Base::Unusable;
            let place = format!("{SNAPSHOT_DIR}/{name}.snap");
            Finding::refused(
                id,
                &OpenError::Corrupt {
                    file: place,
                    place: "its records".to_owned(),
                    reason: error.to_string(),
                },
            )
        }
    })
}
