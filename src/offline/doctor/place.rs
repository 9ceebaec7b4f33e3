//! The directory, its volume and its disk.
//!
//! Owns the checks of where data lies. It may not look into a file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::{Cause, Finding};
use crate::clock::Clock;
use crate::offline::volume::{FileSystem, Volume};

/// Less than this free and a node soon has no room to write, 64 MiB.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Less than this share free is worth a look: a tenth.
const FREE_SHARE: u64 = 10;
/// Fewer inodes than this and neither snapshot nor log can make a file.
const FREE_INODES_MIN: u64 = 64;

/// Syncs of the probe, at most, and the time they may take in all.
const PROBE_SYNCS: usize = 50;
const PROBE_MAX: Duration = Duration::from_secs(2);
/// Bytes written before each sync: one page.
const PROBE_BYTES: usize = 4_096;
/// A median above this makes every write slow; etcd's bound for a disk it recommends.
const SYNC_SLOW: Duration = Duration::from_millis(10);
/// A median above this makes leaders change.
const SYNC_HOPELESS: Duration = Duration::from_millis(250);

/// Whether there is a directory at all.
pub(super) fn exists(root: &Path) -> Finding {
    let id = "dir.exists";
    match fs::metadata(root) {
        Ok(found) if found.is_dir() => Finding::ok(id, root.display().to_string()),
        Ok(_) => Finding::fail(
            id,
            Cause::Configuration,
            format!("{} is no directory", root.display()),
            "set node.data_dir to a directory",
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::fail(
            id,
            Cause::Identity,
            format!("{} does not exist", root.display()),
            "is its volume mounted? is node.data_dir right? a first start creates it",
        ),
        Err(error) => Finding::fail(id, Cause::Storage, error.to_string(), "check the disk"),
    }
}

/// Owner, mode, volume and disk of a directory that exists.
pub(super) fn examine(root: &Path, clock: &dyn Clock) -> Vec<Finding> {
    let mut found = Vec::new();
    match fs::metadata(root) {
        Ok(metadata) => found.extend([owner(&metadata), mode(&metadata)]),
        Err(error) => found.push(Finding::skipped("dir.owner", error.to_string())),
    }
    match Volume::of(root) {
        Ok(volume) => found.extend([kind(&volume), bytes(&volume), inodes(&volume)]),
        Err(error) => found.push(Finding::skipped("volume.kind", error.to_string())),
    }
    found.push(sync_time(root, clock));
    found
}

fn owner(metadata: &fs::Metadata) -> Finding {
    let id = "dir.owner";
    let me = fs::metadata("/proc/self").map_or(metadata.uid(), |own| own.uid());
    let owner = metadata.uid();
    if owner == me || me == 0 {
        return Finding::ok(id, format!("uid {owner}"));
    }
    Finding::fail(
        id,
        Cause::Configuration,
        format!("it belongs to uid {owner}, and this is uid {me}"),
        "run as the user of the node, or chown the directory to it",
    )
}

fn mode(metadata: &fs::Metadata) -> Finding {
    let mode = metadata.mode() & 0o777;
    let evidence = format!("mode {mode:04o}");
    match mode & 0o077 {
        0 => Finding::ok("dir.mode", evidence),
        _ => Finding::warn(
            "dir.mode",
            evidence,
            "chmod 700 it: others can read the registry",
        ),
    }
}

fn kind(volume: &Volume) -> Finding {
    let id = "volume.kind";
    match volume.kind {
        FileSystem::Local(name) => Finding::ok(id, name),
        FileSystem::Memory(name) => Finding::warn(
            id,
            format!("{name}: in memory"),
            "move it to a disk: a power cut takes everything that was acknowledged",
        ),
        FileSystem::Remote(name) => Finding::warn(
            id,
            format!("{name}: on another machine"),
            "move it to a local disk: a sync there promises what the other machine keeps",
        ),
        FileSystem::Layered(name) => Finding::warn(
            id,
            format!("{name}: a layer over another file system"),
            "mount a volume: a container's own layer goes with the container",
        ),
        FileSystem::Unknown(magic) => Finding::warn(
            id,
            format!("a kind unknown here, {magic:#x}"),
            "make sure that it keeps what was synced through a power cut",
        ),
    }
}

fn bytes(volume: &Volume) -> Finding {
    let evidence = format!(
        "{} of {} MiB free",
        volume.bytes_free >> 20,
        volume.bytes >> 20
    );
    let id = "volume.space";
    let next = "make room; see docs/runbooks/disk-full.md";
    if volume.bytes_free < FREE_BYTES_MIN {
        return Finding::fail(id, Cause::Storage, evidence, next);
    }
    if volume.bytes_free < volume.bytes / FREE_SHARE {
        return Finding::warn(id, evidence, next);
    }
    Finding::ok(id, evidence)
}

fn inodes(volume: &Volume) -> Finding {
    let id = "volume.inodes";
    if volume.inodes == 0 {
        return Finding::ok(id, "this volume has no bound");
    }
    let evidence = format!("{} of {} free", volume.inodes_free, volume.inodes);
    if volume.inodes_free < FREE_INODES_MIN {
        let next = "remove files of others on this volume; see docs/runbooks/disk-full.md";
        return Finding::fail(id, Cause::Storage, evidence, next);
    }
    Finding::ok(id, evidence)
}

/// Writes and syncs a file without a name: nothing of it stays, whatever happens.
fn sync_time(root: &Path, clock: &dyn Clock) -> Finding {
    let id = "disk.sync";
    let mut times = match probe(root, clock) {
        Ok(times) => times,
        Err(error) => {
            let next = "check the disk, and that this user may write to the directory";
            return Finding::fail(id, Cause::Storage, format!("a write failed: {error}"), next);
        }
    };
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let worst = times.last().copied().unwrap_or_default();
    let ms = |time: Duration| {
        format!(
            "{}.{:02} ms",
            time.as_millis(),
            time.as_micros() % 1_000 / 10
        )
    };
    let evidence = format!(
        "{} syncs, median {}, longest {}",
        times.len(),
        ms(median),
        ms(worst)
    );
    match median {
        fast if fast <= SYNC_SLOW => Finding::ok(id, evidence),
        slow if slow <= SYNC_HOPELESS => Finding::warn(
            id,
            evidence,
            "each write waits for two of these: use a faster disk",
        ),
        _ => Finding::fail(
            id,
            Cause::Storage,
            evidence,
            "leadership moves away from a disk like this: look at what else writes to it",
        ),
    }
}

fn probe(root: &Path, clock: &dyn Clock) -> io::Result<Vec<Duration>> {
    let file = nameless(root)?;
    let started = clock.monotonic();
    let mut times = Vec::with_capacity(PROBE_SYNCS);
    while times.len() < PROBE_SYNCS && clock.monotonic() - started < PROBE_MAX {
        let before = clock.monotonic();
        let at = times.len() * PROBE_BYTES;
        file.write_all_at(&[0xE5; PROBE_BYTES], at as u64)?;
        file.sync_data()?;
        times.push(clock.monotonic() - before);
    }
    Ok(times)
}

fn nameless(root: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .mode(0o600)
        .open(root)
}
