//! How far a node is that catches up.
//!
//! Owns the line about it: redrawn on a terminal, one a second elsewhere, none beside JSON. It may not
//! ask anybody.

use std::io::{IsTerminal, Write};

use super::super::api::Member;
use super::super::args::Format;

/// Cells of the bar.
const CELLS: u64 = 30;

/// Where the line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    /// Redrawn in place.
    Terminal,
    /// A line each time.
    Lines,
    /// Nothing: the answer is for a program.
    Quiet,
}

/// The line about a change that is under way.
#[derive(Debug)]
pub(super) struct Progress {
    screen: Screen,
    drawn: bool,
}

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        let screen = match (format, std::io::stderr().is_terminal()) {
            (Format::Json, _) => Screen::Quiet,
            (Format::Table, true) => Screen::Terminal,
            (Format::Table, false) => Screen::Lines,
        };
        Self {
            screen,
            drawn: false,
        }
    }

    /// Shows how things are.
    pub(super) fn show(&mut self, line: &str) {
        let mut out = std::io::stderr().lock();
        // Progress that cannot be shown stops nothing.
        let _ = match self.screen {
            Screen::Quiet => Ok(()),
            Screen::Lines => writeln!(out, "{line}"),
            Screen::Terminal => write!(out, "\r\x1b[K{line}").and_then(|()| out.flush()),
        };
        self.drawn = true;
    }

    /// Leaves the line behind, before something else is printed.
    pub(super) fn end(&mut self) {
        if self.drawn && self.screen == Screen::Terminal {
            eprintln!();
        }
        self.drawn = false;
    }
}

/// How far `name` is, by the rows of `/v1/members`.
pub(super) fn line(name: &str, members: &[Member], step: &str) -> String {
    let goal = members.iter().filter_map(|member| member.matched).max();
    let row = members.iter().find(|member| member.name == name);
    let transfer = row.and_then(|row| row.snapshot_receiving.as_ref());
    let entries = || Some((row?.matched?, goal?));
    match (transfer, entries()) {
        (Some(transfer), _) if transfer.size > 0 => format!(
            "{name}  {}  snapshot {} of {}",
            bar(transfer.bytes, transfer.size),
            mebibytes(transfer.bytes),
            mebibytes(transfer.size),
        ),
        (_, Some((held, goal))) => {
            format!("{name}  {}  entry {held} of {goal}", bar(held, goal))
        }
        _ => format!("{name}  {step}"),
    }
}

fn bar(part: u64, whole: u64) -> String {
    let part = part.min(whole);
    let share =
        |of: u64| u64::try_from(u128::from(part) * u128::from(of) / u128::from(whole.max(1)));
    let full = usize::try_from(share(CELLS).unwrap_or(CELLS)).unwrap_or_default();
    let empty = usize::try_from(CELLS).unwrap_or_default() - full;
    let percent = share(100).unwrap_or(100);
    format!("[{}{}] {percent:>3} %", "#".repeat(full), ".".repeat(empty))
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024)
}

#[cfg(test)]
mod tests {
    use super::super::super::api::SnapshotReceiving;
    use super::*;

    fn member(name: &str, matched: u64) -> Member {
        Member {
            name: name.to_owned(),
            matched: Some(matched),
            ..Member::default()
        }
    }

    #[test]
    fn a_node_that_catches_up_is_shown_by_bytes_then_by_entries() {
        let mut members = vec![member("node-1", 200), member("node-4", 50)];
        assert_eq!(
            line("node-4", &members, "…"),
            "node-4  [#######.......................]  25 %  entry 50 of 200"
        );
        members[1].snapshot_receiving = Some(SnapshotReceiving {
            bytes: 3 << 19,
            size: 3 << 20,
        });
        assert_eq!(
            line("node-4", &members, "…"),
            "node-4  [###############...............]  50 %  snapshot 1.5 MiB of 3.0 MiB"
        );
        assert_eq!(
            line("node-5", &members, "it is asked"),
            "node-5  it is asked"
        );
    }
}
