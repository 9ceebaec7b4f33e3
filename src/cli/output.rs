//! Answers on standard output.
//!
//! Owns how tables and JSON look, and the broken-pipe rule: a reader who has seen enough is no
//! error. It may not know what it prints.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::server::exit::{ExitCode, ExitReason};

/// A borderless table with `header`; [`render`] turns it into lines.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// The lines of `table`, without the padding at their ends.
pub(super) fn render(table: &Table) -> String {
    let lines = table.lines();
    lines.fold(String::new(), |mut text, line| {
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
        text
    })
}

/// `answer` as indented JSON.
pub(super) fn json(answer: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(answer).expect("answers have text keys and finite numbers");
    text.push('\n');
    text
}

/// Writes `text` to standard output.
///
/// # Errors
///
/// Exit 74 when the output cannot be written, as on a full disk; a closed pipe is none.
pub(super) fn print(text: &str) -> Result<(), ExitReason> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) => unwritten(&error),
    }
}

/// What an error of standard output means.
///
/// # Errors
///
/// Exit 74, unless a closed pipe is the reason.
pub(super) fn unwritten(error: &io::Error) -> Result<(), ExitReason> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(ExitReason::new(
        ExitCode::Storage,
        "standard output cannot be written",
        error.to_string(),
        "check where it is redirected to",
    ))
}
