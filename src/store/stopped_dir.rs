//! A data directory that nobody serves, to look at.
//!
//! Owns the promise of every offline command that only looks: while a [`StoppedDir`] lives no node
//! can start on the directory, and nothing in it is created, changed or removed. It may not know what
//! a file contains. Every call blocks on the disk.

use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::dir_files::{LOCK_FILE, names_in, open_to_read};
use super::error::OpenError;
use super::files::{File, Files};

/// The kernel's list of file locks and their holders.
const LOCKS: &str = "/proc/locks";

/// A directory held still. Every changing call of its [`Files`] is refused.
#[derive(Debug)]
pub struct StoppedDir {
    root: PathBuf,
    /// Held, never read. `None` if no node ever locked the directory: a copy, or not one of ours.
    _lock: Option<fs::File>,
}

impl StoppedDir {
    /// Holds the directory `root` still.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while a node serves it; [`OpenError::Io`] if it cannot be read.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let root = root.into();
        fs::read_dir(&root).map_err(OpenError::io(format!("list {}", root.display())))?;
        let lock = hold(&root)?;
        Ok(Self { root, _lock: lock })
    }

    /// Looks at a directory that may be in use: what is read may be half-written. For what is safe
    /// to say about a running node's directory.
    pub fn unheld(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            _lock: None,
        }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

fn hold(root: &Path) -> Result<Option<fs::File>, OpenError> {
    let path = root.join(LOCK_FILE);
    let lock = match fs::File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(OpenError::io(format!("open {}", path.display())))?,
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            dir: root.display().to_string(),
        }),
        Err(TryLockError::Error(source)) => {
            Err(OpenError::io(format!("lock {}", path.display()))(source))
        }
    }
}

/// The process that serves the directory `root`, where the system tells.
pub fn holder(root: &Path) -> Option<u32> {
    let inode = fs::metadata(root.join(LOCK_FILE)).ok()?.ino();
    let locks = fs::read_to_string(LOCKS).ok()?;
    locks.lines().find_map(|line| holder_in(line, inode))
}

/// `1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF`, if it is of the file `inode`.
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let is_flock = words.next() == Some("FLOCK");
    let mut words = words.skip(2);
    let pid = words.next()?.parse().ok()?;
    let found: u64 = words.next()?.rsplit(':').next()?.parse().ok()?;
    (is_flock && found == inode).then_some(pid)
}

impl Files for StoppedDir {
    fn create_dir(&self, _name: &str) -> io::Result<()> {
        Err(refused())
    }

    fn create(&self, _name: &str) -> io::Result<Box<dyn File>> {
        Err(refused())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        open_to_read(&self.root.join(name))
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        Err(refused())
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Err(refused())
    }

    fn sync_dir(&self, _name: &str) -> io::Result<()> {
        Err(refused())
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        names_in(&self.root.join(name))
    }
}

fn refused() -> io::Error {
    io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "the directory is only looked at",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_read_from_the_kernels_list() {
        let line = "12: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF";
        assert_eq!(holder_in(line, 123_456), Some(4_711));
        assert_eq!(holder_in(line, 123_457), None);
        let posix = "12: POSIX  ADVISORY  WRITE 4711 08:01:123456 0 EOF";
        assert_eq!(holder_in(posix, 123_456), None);
        assert_eq!(holder_in("", 1), None);
    }
}
