//! Files in a directory of the operating system.
//!
//! Owns the data directory: its lock, its permissions and the system calls on its files. It may not
//! know what a file contains. Every call here blocks; async code goes through [`super::blocking`].

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::error::OpenError;
use super::files::{File, Files, write_zeros};
use super::space::Space;

/// The file whose lock keeps a second process out of the data directory.
pub const LOCK_FILE: &str = "LOCK";
/// How long to wait for the lock: 25 times 20 ms.
const LOCK_WAITS: u32 = 25;
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// A data directory, locked for this process as long as the value lives.
#[derive(Debug)]
pub struct DirFiles {
    root: PathBuf,
    /// Held, never read: closing it releases the lock.
    _lock: fs::File,
}

impl DirFiles {
    /// Opens the data directory `root`, creating it (mode 0700) and its parents if absent, and locks
    /// it. Blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process, or this one, has it open; [`OpenError::Io`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let root = root.into();
        create_durably(&root).map_err(OpenError::io(format!("create {}", root.display())))?;
        let lock_path = root.join(LOCK_FILE);
        let lock = open_private(&lock_path, OpenOptions::new().create(true))
            .map_err(OpenError::io(format!("open {}", lock_path.display())))?;
        match try_lock(&lock) {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
                dir: root.display().to_string(),
            }),
            Err(TryLockError::Error(source)) => Err(OpenError::io(format!(
                "lock {}",
                lock_path.display()
            ))(source)),
        }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.root.clone()
        } else {
            self.root.join(name)
        }
    }
}

impl Files for DirFiles {
    fn create_dir(&self, name: &str) -> io::Result<()> {
        let made = DirBuilder::new().mode(0o700).create(self.path(name));
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let file = open_private(
            &self.path(name),
            OpenOptions::new().create(true).truncate(true),
        )?;
        Ok(Box::new(DirFile { file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let file = open_private(&self.path(name), &mut OpenOptions::new())?;
        Ok(Box::new(DirFile { file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        fs::File::open(self.path(name))?.sync_all()
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        names_in(&self.path(name))
    }

    fn space(&self) -> io::Result<Space> {
        let volume = statvfs(&self.root)?;
        // File systems that make inodes as they go say 0.
        let inodes = |count: u64| match volume.f_files {
            0 => u64::MAX,
            _ => count,
        };
        Ok(Space {
            free_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
            total_bytes: volume.f_blocks.saturating_mul(volume.f_frsize),
            free_inodes: inodes(volume.f_favail),
            total_inodes: inodes(volume.f_files),
        })
    }
}

/// A child process that is being started by the last holder has a copy of the lock until it runs its
/// own program: that moment is waited for, not reported.
fn try_lock(file: &fs::File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_WAITS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_WAIT),
            other => return other,
        }
    }
    file.try_lock()
}

struct DirFile {
    file: fs::File,
}

impl File for DirFile {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self
                .file
                .read_at(&mut buf[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&mut self, offset: u64, buf: &[u8]) -> io::Result<()> {
        self.file.write_all_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                write_zeros(bytes, |at, zeros| self.write_at(at, zeros))
            }
            allocated => Ok(allocated?),
        }
    }
}

/// What a directory holds, sorted.
pub(super) fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Opens a file to be read; the system refuses to write it.
pub(super) fn open_to_read(path: &Path) -> io::Result<Box<dyn File>> {
    let file = OpenOptions::new().read(true).open(path)?;
    Ok(Box::new(DirFile { file }))
}

/// Opens for reading and writing, for nobody but the owner.
fn open_private(path: &Path, options: &mut OpenOptions) -> io::Result<fs::File> {
    options.read(true).write(true).mode(0o600).open(path)
}

/// Creates `dir` and its missing parents, each name synced in its parent, so that a power cut after
/// the first acknowledged write cannot take the directory away.
fn create_durably(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_durably(parent)?;
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        other => other?,
    }
    fs::File::open(parent)?.sync_all()
}
