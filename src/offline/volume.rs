//! The volume a directory lies on.
//!
//! Owns what the operating system says of it: its kind and what is free. It may not judge it.

use std::io;
use std::path::Path;

/// A volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// What keeps the files.
    pub kind: FileSystem,
    /// All bytes of it.
    pub bytes: u64,
    /// Bytes an ordinary process may still write.
    pub bytes_free: u64,
    /// All inodes; 0 where there is no such bound.
    pub inodes: u64,
    /// Inodes left.
    pub inodes_free: u64,
}

/// What keeps the files of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// On a disk of this machine, as far as is known.
    Local(&'static str),
    /// In memory: gone with the power.
    Memory(&'static str),
    /// On another machine: when a sync returns is that machine's affair.
    Remote(&'static str),
    /// A layer over another one, as in a container's image.
    Layered(&'static str),
    /// None of the known ones; its magic number.
    Unknown(u64),
}

/// Magic numbers of statfs(2), from the kernel's `magic.h`.
const KNOWN: [(u64, FileSystem); 11] = [
    (0xEF53, FileSystem::Local("ext4")),
    (0x5846_5342, FileSystem::Local("xfs")),
    (0x9123_683E, FileSystem::Local("btrfs")),
    (0x2FC1_2FC1, FileSystem::Local("zfs")),
    (0xF2F5_2010, FileSystem::Local("f2fs")),
    (0x0102_1994, FileSystem::Memory("tmpfs")),
    (0x8584_58F6, FileSystem::Memory("ramfs")),
    (0x794C_7630, FileSystem::Layered("overlay")),
    (0x6969, FileSystem::Remote("nfs")),
    (0xFF53_4D42, FileSystem::Remote("cifs")),
    (0x6573_5546, FileSystem::Layered("fuse")),
];

impl Volume {
    /// The volume that `path`, which exists, lies on.
    ///
    /// # Errors
    /// The operating system's.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statfs(path)?;
        let block = u64::try_from(found.f_bsize).unwrap_or_default();
        Ok(Self {
            kind: kind(u64::try_from(found.f_type).unwrap_or_default()),
            bytes: found.f_blocks.saturating_mul(block),
            bytes_free: found.f_bavail.saturating_mul(block),
            inodes: found.f_files,
            inodes_free: found.f_ffree,
        })
    }
}

fn kind(magic: u64) -> FileSystem {
    let known = KNOWN.iter().find(|(number, _)| *number == magic);
    known.map_or(FileSystem::Unknown(magic), |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_volumes_are_told_apart() {
        let proc = Volume::of(Path::new("/proc")).unwrap();
        assert_eq!(proc.kind, FileSystem::Unknown(0x9FA0));
        assert_eq!(kind(0x0102_1994), FileSystem::Memory("tmpfs"));
        let here = Volume::of(Path::new(".")).unwrap();
        assert!(here.bytes >= here.bytes_free && here.bytes_free > 0);
    }
}
