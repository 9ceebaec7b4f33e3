//! Files in memory, on a disk that can lose power.
//!
//! Owns the model of what a crash may keep: of what was not synced, anything. Writes are lost or torn
//! at a sector, one by one; so are creations, renames and removals of names. It may not be used by the
//! product: it is for tests and simulations.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::files::{File, Files};
use super::space::Space;

/// What a disk writes in one piece.
const SECTOR: usize = 512;

/// A disk. Clones share it.
#[derive(Clone)]
pub struct MemFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    dirs: BTreeMap<String, Dir>,
    /// Changes made, syncs included.
    steps: u64,
    /// The step from which on everything fails, if it is to.
    fails_at: Option<u64>,
    /// How many bytes it holds, if it has a bound.
    capacity: Option<u64>,
    /// How many more files may be created, if that is bounded.
    inodes_left: Option<u64>,
}

#[derive(Default, Clone)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Write>,
}

#[derive(Clone)]
enum Write {
    At(usize, Vec<u8>),
    Truncate,
}

#[derive(Default, Clone)]
struct Dir {
    /// Whether the directory's own name is durable.
    durable_name: bool,
    now: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    unsynced: Vec<Naming>,
}

#[derive(Clone)]
enum Naming {
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

impl Default for MemFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl MemFiles {
    /// An empty, healthy disk.
    pub fn new() -> Self {
        let mut disk = Disk::default();
        let root = Dir {
            durable_name: true,
            ..Dir::default()
        };
        disk.dirs.insert(String::new(), root);
        Self::of(disk)
    }

    fn of(disk: Disk) -> Self {
        Self {
            disk: Arc::new(Mutex::new(disk)),
        }
    }

    /// How many changes, syncs included, have been made.
    pub fn steps(&self) -> u64 {
        self.disk().steps
    }

    /// From the change number `step` (the first is 0) on, every change fails and does nothing.
    pub fn fail_from(&self, step: u64) {
        self.disk().fails_at = Some(step);
    }

    /// From now on the disk holds `bytes` in all, and `inodes` more files; a write beyond is refused.
    pub fn bound(&self, bytes: u64, inodes: u64) {
        let mut disk = self.disk();
        (disk.capacity, disk.inodes_left) = (Some(bytes), Some(inodes));
    }

    /// The disk after a power cut now, healthy: everything synced, and of the rest what `seed` says.
    pub fn crash(&self, seed: u64) -> Self {
        let disk = self.disk();
        let mut rng = StdRng::seed_from_u64(seed);
        let inodes = disk.inodes.iter().map(|i| i.crash(&mut rng)).collect();
        let mut dirs = BTreeMap::new();
        for (name, dir) in &disk.dirs {
            if dir.durable_name || rng.random_bool(0.5) {
                dirs.insert(name.clone(), dir.crash(&mut rng));
            }
        }
        Self::of(Disk {
            inodes,
            dirs,
            ..Disk::default()
        })
    }

    /// Flips one bit of a file, as rot does.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidInput` if the file is shorter.
    pub fn flip(&self, name: &str, bit: usize) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.find(name)?;
        let inode = &mut disk.inodes[inode];
        for copy in [&mut inode.now, &mut inode.durable] {
            let byte = copy.get_mut(bit / 8).ok_or(io::ErrorKind::InvalidInput)?;
            *byte ^= 1 << (bit % 8);
        }
        Ok(())
    }

    /// A change is one step under the lock, so a panic of another holder leaves the disk whole.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemFiles")
            .field("steps", &self.steps())
            .finish_non_exhaustive()
    }
}

impl Disk {
    /// Counts one change, or refuses it.
    fn step(&mut self) -> io::Result<()> {
        if self.fails_at.is_some_and(|at| self.steps >= at) {
            return Err(io::Error::other("the simulated disk fails"));
        }
        self.steps += 1;
        Ok(())
    }

    /// Bytes in files that have a name.
    fn used(&self) -> u64 {
        let named = self.dirs.values().flat_map(|dir| dir.now.values());
        named
            .map(|inode| self.inodes[*inode].now.len() as u64)
            .sum()
    }

    /// Refuses `more` bytes if they do not fit.
    fn check_room(&self, more: usize) -> io::Result<()> {
        match self.capacity {
            Some(capacity) if self.used() + more as u64 > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn take_inode(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.inodes_left {
            *left = left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        }
        Ok(())
    }

    fn dir(&mut self, name: &str) -> io::Result<&mut Dir> {
        let found = self.dirs.get_mut(name);
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn find(&mut self, name: &str) -> io::Result<usize> {
        let (dir, file) = split(name);
        let found = self.dir(dir)?.now.get(file).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Inode {
    fn crash(&self, rng: &mut StdRng) -> Self {
        let mut kept = self.durable.clone();
        for write in &self.unsynced {
            match rng.random_range(0..3) {
                0 => {}
                1 => write.apply(&mut kept, usize::MAX),
                _ => write.apply(&mut kept, SECTOR * rng.random_range(0..8_usize)),
            }
        }
        Self {
            now: kept.clone(),
            durable: kept,
            unsynced: Vec::new(),
        }
    }
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>, at_most: usize) {
        match self {
            Self::Truncate => bytes.clear(),
            Self::At(offset, written) => {
                let written = &written[..written.len().min(at_most)];
                let end = offset + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }
}

impl Dir {
    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.now);
        self.unsynced.push(naming);
    }

    fn crash(&self, rng: &mut StdRng) -> Self {
        let mut kept = self.durable.clone();
        for naming in self.unsynced.iter().filter(|_| rng.random_bool(0.5)) {
            naming.apply(&mut kept);
        }
        Self {
            durable_name: true,
            now: kept.clone(),
            durable: kept,
            unsynced: Vec::new(),
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Self::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

/// Directory and file of a name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

impl Files for MemFiles {
    fn create_dir(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.dirs.entry(name.to_owned()).or_default();
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut disk = self.disk();
        disk.step()?;
        let (dir, file) = split(name);
        let inode = match disk.dir(dir)?.now.get(file) {
            Some(inode) => *inode,
            None => {
                disk.take_inode()?;
                disk.inodes.push(Inode::default());
                let inode = disk.inodes.len() - 1;
                disk.dir(dir)?.name(Naming::Link(file.to_owned(), inode));
                inode
            }
        };
        disk.inodes[inode].now.clear();
        disk.inodes[inode].unsynced.push(Write::Truncate);
        let disk = self.clone();
        Ok(Box::new(MemFile { disk, inode }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let inode = self.disk().find(name)?;
        let disk = self.clone();
        Ok(Box::new(MemFile { disk, inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let inode = disk.find(from)?;
        let ((from_dir, from), (to_dir, to)) = (split(from), split(to));
        if from_dir != to_dir {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let naming = Naming::Rename(from.to_owned(), to.to_owned(), inode);
        disk.dir(from_dir)?.name(naming);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.find(name)?;
        let (dir, file) = split(name);
        disk.dir(dir)?.name(Naming::Unlink(file.to_owned()));
        disk.inodes_left = disk.inodes_left.map(|left| left + 1);
        Ok(())
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let dir = disk.dir(name)?;
        dir.durable = dir.now.clone();
        dir.unsynced.clear();
        if name.is_empty() {
            disk.dirs
                .values_mut()
                .for_each(|dir| dir.durable_name = true);
        }
        Ok(())
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let mut disk = self.disk();
        let mut names: Vec<String> = disk.dir(name)?.now.keys().cloned().collect();
        if name.is_empty() {
            names.extend(disk.dirs.keys().filter(|dir| !dir.is_empty()).cloned());
            names.sort();
        }
        Ok(names)
    }

    fn space(&self) -> io::Result<Space> {
        let disk = self.disk();
        let Some(total_bytes) = disk.capacity else {
            return Ok(Space::BOUNDLESS);
        };
        let files: usize = disk.dirs.values().map(|dir| dir.now.len()).sum();
        let free_inodes = disk.inodes_left.unwrap_or(u64::MAX);
        Ok(Space {
            free_bytes: total_bytes.saturating_sub(disk.used()),
            total_bytes,
            free_inodes,
            total_inodes: free_inodes.saturating_add(files as u64),
        })
    }
}

struct MemFile {
    disk: MemFiles,
    inode: usize,
}

impl File for MemFile {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk.disk();
        let bytes = &disk.inodes[self.inode].now;
        let start = usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
        let read = buf.len().min(bytes.len() - start);
        buf[..read].copy_from_slice(&bytes[start..start + read]);
        Ok(read)
    }

    fn write_at(&mut self, offset: u64, buf: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.step()?;
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let held = disk.inodes[self.inode].now.len();
        disk.check_room((offset + buf.len()).saturating_sub(held))?;
        let write = Write::At(offset, buf.to_vec());
        let inode = &mut disk.inodes[self.inode];
        write.apply(&mut inode.now, usize::MAX);
        inode.unsynced.push(write);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.disk().inodes[self.inode].now.len() as u64)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.step()?;
        let inode = &mut disk.inodes[self.inode];
        inode.durable = inode.now.clone();
        inode.unsynced.clear();
        Ok(())
    }
}
