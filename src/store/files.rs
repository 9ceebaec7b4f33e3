//! The small file trait under identity and snapshots.
//!
//! Owns every call that names a file, so that a simulated disk can stand in. It may not know what a
//! file contains.

use std::io;
use std::sync::Arc;

use super::space::Space;

/// One directory of files. Names have no path separators except one sub-directory level (`snapshots/x`).
///
/// Nothing is durable until `sync` of the file, and its name not until `sync_dir`.
pub trait Files: Send + Sync + 'static {
    /// Creates the directory `name` under the root if absent ("" is the root itself).
    fn create_dir(&self, name: &str) -> io::Result<()>;
    /// Creates or truncates `name` and opens it for writing.
    fn create(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// Opens `name` for reading and writing in place.
    fn open(&self, name: &str) -> io::Result<Box<dyn File>>;
    /// Replaces `to` by `from` atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes `name`.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Syncs the directory `name`, so that creations, renames and removals in it last.
    fn sync_dir(&self, name: &str) -> io::Result<()>;
    /// The names in directory `name`, sorted.
    fn list(&self, name: &str) -> io::Result<Vec<String>>;
    /// What the volume has. A simulated disk has no bound unless it says so.
    fn space(&self) -> io::Result<Space> {
        Ok(Space::BOUNDLESS)
    }
}

/// One open file.
#[expect(
    clippy::len_without_is_empty,
    reason = "whether a file is empty decides nothing"
)]
pub trait File: Send + 'static {
    /// Reads at most `buf.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `buf` at `offset`.
    fn write_at(&mut self, offset: u64, buf: &[u8]) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Makes everything written so far durable (`fdatasync`). Never retried after an error.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes `bytes` of the volume for this empty file, whether or not anything is written to them.
    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        write_zeros(bytes, |at, zeros| self.write_at(at, zeros))
    }
}

/// Bytes written at a time where a file system cannot allocate.
const ALLOCATE_CHUNK: usize = 64 << 10;

/// [`File::allocate`] where there is no other way.
pub(super) fn write_zeros(
    bytes: u64,
    mut write_at: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let zeros = [0; ALLOCATE_CHUNK];
    let mut at = 0;
    while at < bytes {
        let chunk = usize::try_from(bytes - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        write_at(at, &zeros[..chunk])?;
        at += chunk as u64;
    }
    Ok(())
}

/// Files shared by the parts of one node.
pub type SharedFiles = Arc<dyn Files>;
