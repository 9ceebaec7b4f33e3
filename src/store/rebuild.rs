//! A data directory whose content is replaced while no node runs.
//!
//! Owns the folder `rebuild/`, in which the new content is made, and the moves that put it in place. It
//! may not know what the content is. Every call blocks on the disk.
//!
//! Invariant: a directory is either as it was, or refused by [`super::identity::IdentityFile::open`]
//! because `rebuild/` is in it, or whole and new. Killed at any step, the same command run again goes
//! on: what is being made is made anew, what is being moved is moved on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dir_files::{DirFiles, LOCK_FILE};
use super::error::OpenError;
use super::files::{Files, SharedFiles};

/// The folder below the data directory that an unfinished command leaves behind.
pub const REBUILD_DIR: &str = "rebuild";
/// What its name becomes when all is in place, until it is removed.
const DONE_DIR: &str = "rebuild.done";
/// Which moves are under way: `keep NAME` or `install`.
const PHASE_FILE: &str = "phase";
/// Folders with this beginning hold what was there before a command; nothing moves them.
pub const KEPT_PREFIX: &str = "before-";

/// A data directory held for a rebuild, locked against every other process.
#[derive(Debug)]
pub struct Rebuild {
    files: Arc<DirFiles>,
}

/// How far an earlier command came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interrupted {
    /// Nobody began, or nothing had been moved yet: begin anew.
    No,
    /// Everything had been made and was being moved: it is in place now.
    Completed,
}

impl Rebuild {
    /// Locks the data directory `root`, creating it if absent.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if a node runs on it; [`OpenError::Io`].
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        let files = Arc::new(DirFiles::open(root)?);
        Ok(Self { files })
    }

    /// The data directory.
    pub fn root(&self) -> &Path {
        self.files.root()
    }

    /// The files of the directory, to read what a stopped node left. Holds the lock.
    pub fn files(&self) -> SharedFiles {
        Arc::clone(&self.files) as SharedFiles
    }

    /// Where [`Rebuild::install`] keeps what was there.
    pub fn kept(&self, label: &str) -> PathBuf {
        self.path(&format!("{KEPT_PREFIX}{label}"))
    }

    /// Carries on with moves that were begun; what had not come so far is removed.
    ///
    /// # Errors
    /// The disk's.
    pub fn resume(&self) -> io::Result<Interrupted> {
        remove_folder(&self.path(DONE_DIR))?;
        match fs::read_to_string(self.staging().join(PHASE_FILE)) {
            Ok(phase) => self.carry_on(&phase).map(|()| Interrupted::Completed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                remove_folder(&self.staging())?;
                Ok(Interrupted::No)
            }
            Err(error) => Err(error),
        }
    }

    /// What is in the directory besides our lock and folders: nothing in a new one.
    ///
    /// # Errors
    /// The disk's.
    pub fn content(&self) -> io::Result<Vec<String>> {
        let mut names = self.files.list("")?;
        names.retain(|name| is_content(name));
        Ok(names)
    }

    /// The folder to make the new content in, empty. From now on no node starts on the directory.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&self) -> io::Result<PathBuf> {
        let staging = self.staging();
        remove_folder(&staging)?;
        self.files.create_dir(REBUILD_DIR)?;
        self.files.sync_dir("")?;
        Ok(staging)
    }

    /// Gives the new content up: the directory is as it was.
    ///
    /// # Errors
    /// The disk's.
    pub fn abandon(&self) -> io::Result<()> {
        remove_folder(&self.staging())?;
        self.files.sync_dir("")
    }

    /// Puts the new content, which is whole and synced, in the place of the old. What was there is kept
    /// below `before-<label>/`, byte for byte.
    ///
    /// # Errors
    /// `AlreadyExists` if such a folder exists: nothing has changed then. The disk's.
    pub fn install(&self, label: &str) -> io::Result<()> {
        let kept = format!("{KEPT_PREFIX}{label}");
        if self.path(&kept).exists() {
            let text = format!("{kept}/ exists already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let phase = match self.content()?.is_empty() {
            true => "install".to_owned(),
            false => format!("keep {kept}"),
        };
        self.note(&phase)?;
        self.carry_on(&phase)
    }

    fn carry_on(&self, phase: &str) -> io::Result<()> {
        if let Some(kept) = phase.strip_prefix("keep ") {
            self.keep(kept)?;
            self.note("install")?;
        }
        for name in names(&self.staging())? {
            if is_content(&name) && name != PHASE_FILE {
                rename(&self.staging().join(&name), &self.path(&name))?;
            }
        }
        self.files.sync_dir("")?;
        // One step from "unfinished" to "done".
        rename(&self.staging(), &self.path(DONE_DIR))?;
        self.files.sync_dir("")?;
        remove_folder(&self.path(DONE_DIR))
    }

    /// Moves what the directory held. None of the new content is in it yet.
    fn keep(&self, kept: &str) -> io::Result<()> {
        step()?;
        self.files.create_dir(kept)?;
        for name in self.content()? {
            rename(&self.path(&name), &self.path(kept).join(&name))?;
        }
        self.files.sync_dir(kept)?;
        self.files.sync_dir("")
    }

    /// Notes the phase: whole or not at all.
    fn note(&self, phase: &str) -> io::Result<()> {
        let temp = self.staging().join("phase.tmp");
        step()?;
        let mut file = File::create(&temp)?;
        file.write_all(phase.as_bytes())?;
        file.sync_all()?;
        rename(&temp, &self.staging().join(PHASE_FILE))?;
        self.files.sync_dir(REBUILD_DIR)
    }

    fn staging(&self) -> PathBuf {
        self.path(REBUILD_DIR)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.root().join(name)
    }
}

fn is_content(name: &str) -> bool {
    ![LOCK_FILE, REBUILD_DIR, DONE_DIR, "lost+found"].contains(&name)
        && !name.starts_with(KEPT_PREFIX)
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step()?;
    fs::rename(from, to)
}

/// Before each change: where a test ends the process.
fn step() -> io::Result<()> {
    #[cfg(test)]
    tests::die_here()?;
    Ok(())
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    step()?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use super::super::identity::IdentityFile;
    use super::*;

    thread_local! {
        /// Changes until the process "dies"; `None`: it lives.
        static STEPS_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    pub(super) fn die_here() -> io::Result<()> {
        match STEPS_LEFT.get() {
            Some(0) => Err(io::Error::other("killed")),
            left => {
                STEPS_LEFT.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    type Content = BTreeMap<String, String>;

    fn content(folder: &Path) -> Content {
        let names = names(folder).unwrap_or_default();
        let files = names.into_iter().filter(|name| is_content(name));
        files
            .map(|name| {
                let text = fs::read_to_string(folder.join(&name));
                (name, text.unwrap())
            })
            .collect()
    }

    fn write(folder: &Path, names: &[&str], text: &str) -> Content {
        for name in names {
            fs::write(folder.join(name), text).unwrap();
        }
        content(folder)
    }

    /// Ends the process before its `steps`-th change, starts it again, and tells whether it had come to
    /// its end by itself.
    fn killed_after(steps: usize, old: &[&str]) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let old = write(root, old, "old");
        let rebuild = Rebuild::open(root).unwrap();
        let new = write(&rebuild.begin().unwrap(), &["META.a", "log"], "new");
        STEPS_LEFT.set(Some(steps));
        let finished = rebuild.install("x").is_ok();
        STEPS_LEFT.set(None);
        drop(rebuild);
        if content(root) != new || root.join(REBUILD_DIR).exists() {
            let files = std::sync::Arc::new(DirFiles::open(root).unwrap());
            let refused = IdentityFile::open(files).unwrap_err();
            assert!(matches!(refused, OpenError::Interrupted { .. }), "{steps}");
        }
        let rebuild = Rebuild::open(root).unwrap();
        match rebuild.resume().unwrap() {
            Interrupted::No if content(root) != new => assert_eq!(content(root), old, "{steps}"),
            _ => {
                assert_eq!(content(root), new, "{steps}");
                let kept = content(&rebuild.kept("x"));
                assert_eq!(kept, old, "{steps}: what was there is kept");
            }
        }
        assert_eq!(rebuild.content().unwrap().len(), content(root).len());
        assert!(!root.join(REBUILD_DIR).exists() && !root.join(DONE_DIR).exists());
        finished
    }

    #[test]
    fn killed_before_any_change_a_directory_is_old_or_new_when_run_again() {
        for old in [&[][..], &["META.a", "META.b", "LOG.end", "log"]] {
            let first = (0..100).find(|steps| killed_after(*steps, old));
            let changes = first.expect("it ends");
            assert!(changes > old.len() + 4, "{changes} changes were killed");
        }
    }
}
