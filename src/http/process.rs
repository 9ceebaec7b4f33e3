//! What the operating system says about this process.
//!
//! Owns the reading of `/proc`, for people and metrics. Nothing is decided by it; where it cannot be
//! read the figures are zero.

use std::fs;

/// Memory in use by this process, in bytes.
pub(super) fn resident_bytes() -> u64 {
    figure_of("/proc/self/status", "VmRSS:")
}

/// Memory of the machine, in bytes.
pub(super) fn machine_bytes() -> u64 {
    figure_of("/proc/meminfo", "MemTotal:")
}

/// Processors this process may use; at least 1.
pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The figure of a `Name:   123 kB` line, in bytes.
fn figure_of(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        * 1_024
}
