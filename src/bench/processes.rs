//! What a process uses, by `/proc`.
//!
//! Owns reading CPU time, resident memory and bytes written. It may not start or stop a process.

use std::fs;
use std::time::Duration;

/// A tick of `/proc/PID/stat`: 100 a second on every Linux this runs on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of `pid` since its start, user and system; `None` when there is no such process.
pub(super) fn cpu(pid: u32) -> Option<Duration> {
    parse_cpu(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Resident memory of `pid` in bytes; `None` when there is no such process.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    parse_resident(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// Bytes that `pid` has caused to be written to disks since its start; `None` when there is no such process
/// or it is another user's.
pub(super) fn written_bytes(pid: u32) -> Option<u64> {
    parse_written(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?)
}

fn parse_written(io: &str) -> Option<u64> {
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes:"))?;
    line.trim().parse().ok()
}

fn parse_cpu(stat: &str) -> Option<Duration> {
    // The second field is the program's name in brackets, which may hold blanks and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11);
    let user: u32 = ticks.next()?.parse().ok()?;
    let system: u32 = ticks.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_system_ticks() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0 77 1 2 3";
        assert_eq!(parse_cpu(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(parse_cpu("nonsense"), None);
    }

    #[test]
    fn resident_memory_is_vm_rss() {
        assert_eq!(
            parse_resident("Name:\tx\nVmRSS:\t   2048 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(parse_resident("Name:\tx\n"), None);
    }

    #[test]
    fn bytes_written_are_those_that_reach_a_disk() {
        let io = "wchar: 9\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n";
        assert_eq!(parse_written(io), Some(4_096));
        assert_eq!(parse_written("nonsense"), None);
    }

    #[test]
    fn this_process_has_all_three() {
        let pid = std::process::id();
        assert!(cpu(pid).is_some());
        assert!(resident_bytes(pid).is_some_and(|bytes| bytes > 100_000));
        assert!(written_bytes(pid).is_some());
    }
}
