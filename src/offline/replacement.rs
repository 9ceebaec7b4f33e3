//! An empty directory in the place of one that can no longer be trusted.
//!
//! Owns the two steps: the old directory moves beside itself, and an empty one is marked to join the
//! cluster in its member's place. It may not remove anything, nor ask the cluster.
//!
//! Invariant: whatever moment it is interrupted at, the old directory is whole under one of its two
//! names, and the same command goes on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::files::SharedFiles;
use crate::store::identity::{Identity, IdentityFile, JoinMark, look, newest};
use crate::store::{DirFiles, LOCK_FILE, OpenError, StoppedDir};

/// Directories of one name that may lie beside it.
const KEPT_MAX: u32 = 1_000;

/// What lies where the empty directory is to be. Held still while the value lives.
#[derive(Debug)]
pub enum Place {
    /// Nothing, or what an interrupted replacement left. The name is that of the newest directory
    /// kept beside it.
    Vacant {
        /// The operator's name for the node, if any trace of it is left.
        name: Option<String>,
    },
    /// An empty directory that is marked already.
    Prepared {
        /// The operator's name for the node.
        name: String,
        /// How it joins.
        mark: JoinMark,
    },
    /// A node's directory.
    Old {
        /// What its identity says; `None` if none can be read.
        identity: Option<Box<Identity>>,
        /// Keeps a node from starting on it.
        held: StoppedDir,
    },
}

/// Looks what lies at `root`. Blocks.
///
/// # Errors
/// [`OpenError::InUse`] while a node serves it; [`OpenError::Io`].
pub fn survey(root: &Path) -> Result<Place, OpenError> {
    if !root.exists() {
        return Ok(Place::Vacant {
            name: kept_name(root),
        });
    }
    let held = StoppedDir::open(root)?;
    let files: SharedFiles = Arc::new(StoppedDir::unheld(root));
    let slots = look(&files);
    let identity = newest(&slots).ok().map(|(identity, _)| identity.clone());
    let names = files.list("").map_err(|source| OpenError::Io {
        what: format!("list {}", root.display()),
        source,
    })?;
    let has_data = |name: &String| ["log", "snapshots"].contains(&name.as_str());
    match identity {
        Some(identity) if is_unused(&identity) && !names.iter().any(has_data) => {
            Ok(match identity.join {
                Some(mark) => Place::Prepared {
                    name: identity.name,
                    mark,
                },
                None => Place::Vacant {
                    name: Some(identity.name),
                },
            })
        }
        None if names.iter().all(|name| name == LOCK_FILE) => Ok(Place::Vacant {
            name: kept_name(root),
        }),
        identity => Ok(Place::Old {
            identity: identity.map(Box::new),
            held,
        }),
    }
}

/// Nothing was promised from it to anybody.
fn is_unused(identity: &Identity) -> bool {
    identity.cluster_id.is_none() && identity.vote.is_none() && identity.durable_mark == 0
}

/// Where the directory at `root` would be kept. `None` if a thousand lie there already.
pub fn keeping_place(root: &Path) -> Option<PathBuf> {
    (1..=KEPT_MAX)
        .map(|number| kept(root, number))
        .find(|place| !place.exists())
}

fn kept(root: &Path, number: u32) -> PathBuf {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    root.with_file_name(format!("{name}.replaced-{number}"))
}

/// The name in the newest directory that is kept beside `root`.
fn kept_name(root: &Path) -> Option<String> {
    let mut numbers = (1..=KEPT_MAX).take_while(|number| kept(root, *number).exists());
    let newest_kept = numbers.by_ref().last()?;
    let files: SharedFiles = Arc::new(StoppedDir::unheld(kept(root, newest_kept)));
    let slots = look(&files);
    newest(&slots)
        .ok()
        .map(|(identity, _)| identity.name.clone())
}

/// Moves the old directory to `kept`; durable when this returns. `held` keeps every node out of it
/// until it has moved. Blocks.
///
/// # Errors
/// The operating system's; the directory is where it was then. A mount point cannot be moved.
pub fn move_aside(held: &StoppedDir, kept: &Path) -> io::Result<()> {
    let root = held.root();
    fs::rename(root, kept)?;
    let parent = match root.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::File::open(parent)?.sync_all()
}

/// Makes the directory `root`, which is [`Place::Vacant`], one that joins as `mark` says, or goes on
/// with making it. Durable when this returns. `incarnation` is random. Blocks.
///
/// # Errors
/// [`OpenError`]; what was made so far stays, and the same call goes on with it.
pub fn mark(root: &Path, name: &str, incarnation: u128, mark: JoinMark) -> Result<(), OpenError> {
    let files: SharedFiles = Arc::new(DirFiles::open(root)?);
    let identity = match IdentityFile::open(Arc::clone(&files))? {
        Some(identity) => identity,
        None => IdentityFile::create(files, name, incarnation)?,
    };
    let marked = identity.update(|identity| {
        name.clone_into(&mut identity.name);
        identity.join = Some(mark);
    });
    marked.map_err(|source| OpenError::Io {
        what: "mark the identity file".to_owned(),
        source,
    })
}
