//! The machine a figure was measured on.
//!
//! Owns the line without which a figure means nothing: cores, processor, and what a sync costs where
//! the data lies.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// Syncs measured: enough for a median, done in well under a second on any disk that will do.
const SYNCS: usize = 101;

/// What is written before each sync: a block, as the log does.
const BLOCK: [u8; 4_096] = [7; 4_096];

/// A machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Logical processors.
    pub cores: usize,
    /// The processor's name; empty if unknown.
    pub processor: String,
    /// Median time of a write of 4 KiB with `fdatasync`, µs; absent when there was nowhere to write.
    pub fsync_p50_us: Option<u64>,
}

impl Machine {
    /// This machine, with syncs measured in `directory` if there is one.
    pub(super) fn here(directory: Option<&Path>) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor(&cpuinfo),
            fsync_p50_us: directory.and_then(|directory| fsync_p50_us(directory).ok()),
        }
    }
}

fn processor(cpuinfo: &str) -> String {
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = model.and_then(|rest| rest.split_once(':'));
    name.map_or_else(String::new, |(_, name)| name.trim().to_owned())
}

fn fsync_p50_us(directory: &Path) -> io::Result<u64> {
    let path = directory.join("fsync-probe");
    let mut file = File::create(&path)?;
    let mut times: Vec<Duration> = (0..SYNCS)
        .map(|_| {
            let before = Instant::now();
            file.write_all(&BLOCK)?;
            file.sync_data()?;
            Ok(before.elapsed())
        })
        .collect::<io::Result<_>>()?;
    fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(u64::try_from(times[SYNCS / 2].as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_cores_a_processor_and_a_disk() {
        let directory = tempfile::tempdir().unwrap();
        let machine = Machine::here(Some(directory.path()));
        assert!(machine.cores >= 1);
        assert!(machine.fsync_p50_us.is_some());
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "the probe is gone"
        );
        assert_eq!(processor("a: b\nmodel name\t: EPYC 9 \n"), "EPYC 9");
    }
}
