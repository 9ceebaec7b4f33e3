//! P1: a power cut takes back nothing that was acknowledged. Root only, on a file system in a file:
//! `cargo test --test store power -- --ignored --nocapture`
//!
//! The cut is ext4's own shutdown without a journal flush: a drive without a write cache loses power.
//! The process is stopped first, and what it had begun to sync is given time to end, so that the cut
//! falls between syncs: what a sync in flight leaves is the disk's business, not ours.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use crate::log_survives_kills::{Acknowledged, life};

/// `EXT4_IOC_SHUTDOWN` and its flag `EXT4_GOING_FLAGS_NOLOGFLUSH`.
const EXT4_SHUTDOWN: libc::c_ulong = 0x8004_587D;
const WITHOUT_LOG_FLUSH: u32 = 2;

const CUTS: u64 = 40;

fn shell(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

#[expect(unsafe_code, reason = "no crate wraps this file system's ioctl")]
fn cut_power(mount: &Path) {
    let root = File::open(mount).unwrap();
    // SAFETY: the descriptor is open, and the ioctl reads one u32 from a pointer to one.
    let done = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_SHUTDOWN, &WITHOUT_LOG_FLUSH) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// A file system in a file, unmounted when dropped.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = Self { dir };
        shell(&format!(
            "cd {}; mkdir mnt; truncate -s 400M img; mkfs.ext4 -q img",
            disk.path()
        ));
        disk.mount();
        disk
    }

    fn path(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn mount(&self) {
        shell(&format!("cd {}; mount -o loop img mnt", self.path()));
    }

    fn cut(&self) {
        cut_power(&self.dir.path().join("mnt"));
    }

    fn remount(&self) {
        shell(&format!("umount {}/mnt", self.path()));
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        shell(&format!("umount {}/mnt || true", self.path()));
    }
}

#[test]
#[ignore = "needs root and a loop device"]
fn nothing_acknowledged_is_lost_when_the_power_is_cut() {
    let disk = Disk::new();
    let data = disk.dir.path().join("mnt/data");
    let mut acknowledged = Acknowledged::default();
    for seed in 1..=CUTS {
        let lines = 5 + (seed as usize * 37) % 150;
        life(&data, seed, lines, &mut acknowledged, |child| {
            shell(&format!("kill -STOP {}; sleep 0.1", child.id()));
            disk.cut();
            child.kill().unwrap();
        });
        disk.remount();
        acknowledged.check(&data, &format!("cut {seed}"));
        acknowledged.adopt(&data, seed as u8);
    }
}
