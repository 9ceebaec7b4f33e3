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
                fs::rename(self.staging().join(&name), self.path(&name))?;
            }
        }
        self.files.sync_dir("")?;
        // One step from "unfinished" to "done".
        fs::rename(self.staging(), self.path(DONE_DIR))?;
        self.files.sync_dir("")?;
        remove_folder(&self.path(DONE_DIR))
    }

    /// Moves what the directory held. None of the new content is in it yet.
    fn keep(&self, kept: &str) -> io::Result<()> {
        self.files.create_dir(kept)?;
        for name in self.content()? {
            fs::rename(self.path(&name), self.path(kept).join(&name))?;
        }
        self.files.sync_dir(kept)?;
        self.files.sync_dir("")
    }

    /// Notes the phase: whole or not at all.
    fn note(&self, phase: &str) -> io::Result<()> {
        let temp = self.staging().join("phase.tmp");
        let mut file = File::create(&temp)?;
        file.write_all(phase.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temp, self.staging().join(PHASE_FILE))?;
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

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
