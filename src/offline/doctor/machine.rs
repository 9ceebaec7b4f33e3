//! The machine around a node.
//!
//! Owns the checks of limits and clock. It may not change them.

use std::fs;

use super::Finding;
use crate::clock::Clock;

/// Fewer open files than this, and a registry of some thousand clients runs out of connections.
const OPEN_FILES_MIN: u64 = 4_096;
/// 2024-01-01: no release is older, so no clock should be.
const EPOCH_MS: u64 = 1_704_067_200_000;
/// 2100-01-01.
const HORIZON_MS: u64 = 4_102_444_800_000;

pub(super) fn examine(clock: &dyn Clock) -> [Finding; 2] {
    [open_files(), wall_clock(clock.wall_ms())]
}

fn open_files() -> Finding {
    let id = "limit.files";
    let limits = match fs::read_to_string("/proc/self/limits") {
        Ok(limits) => limits,
        Err(error) => return Finding::skipped(id, error.to_string()),
    };
    match soft_limit(&limits) {
        Some(soft) if soft < OPEN_FILES_MIN => Finding::warn(
            id,
            format!("{soft} open files"),
            "ulimit -n 65536, or LimitNOFILE= of the unit, for the node's user",
        ),
        Some(soft) => Finding::ok(id, format!("{soft} open files")),
        None => Finding::ok(id, "no limit on open files"),
    }
}

/// The soft limit in `/proc/self/limits`; `None` is unlimited.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn wall_clock(wall_ms: u64) -> Finding {
    let id = "clock.sane";
    let evidence = format!("{wall_ms} ms since 1970");
    if (EPOCH_MS..HORIZON_MS).contains(&wall_ms) {
        return Finding::ok(id, evidence);
    }
    let next = "set the clock: people read wrong times, though no lease depends on it";
    Finding::warn(id, evidence, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::doctor::Verdict;

    #[test]
    fn the_limit_on_open_files_is_the_soft_one() {
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files    1024   524288   files\n";
        assert_eq!(soft_limit(limits), Some(1_024));
        assert_eq!(
            soft_limit("Max open files   unlimited unlimited files"),
            None
        );
    }

    #[test]
    fn a_clock_of_1970_or_of_the_next_century_is_noticed() {
        for (wall_ms, verdict) in [
            (0, Verdict::Warn),
            (1_800_000_000_000, Verdict::Ok),
            (HORIZON_MS, Verdict::Warn),
        ] {
            assert_eq!(wall_clock(wall_ms).verdict, verdict, "{wall_ms}");
        }
    }
}
