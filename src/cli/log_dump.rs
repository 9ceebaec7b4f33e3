//! `log dump`: what a stopped node's data directory holds.
//!
//! Owns how a dump is printed. It may not read the directory: `offline::dump` does.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::{Format, Output};
use super::{output, panics};
use crate::offline::dump::{DumpError, EntryText, Line, SlotText, Summary, dump};
use crate::offline::scratch::CopyError;
use crate::server::Server;
use crate::server::exit::{ExitCode, ExitReason};
use crate::store::StoppedDir;

/// Commands of one entry that a table shows; JSON has them all.
const COMMANDS_SHOWN: usize = 4;

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Identity, vote, marks, snapshots and every entry, also of a damaged log; changes nothing.
    #[command(
        after_help = "Example: eureka-raft log dump --data-dir /var/lib/eureka-raft --from 1000\n\n\
                      The log is copied to TMPDIR and read there. Exit 74 if anything is damaged; \
                      JSON is one object a line."
    )]
    Dump(DumpArguments),
}

#[derive(Debug, Args)]
pub(super) struct DumpArguments {
    /// The data directory of a node that does not run.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The first entry shown.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,
    /// The last entry shown.
    #[arg(long, value_name = "INDEX", default_value_t = u64::MAX - 1)]
    to: u64,
    #[command(flatten)]
    output: Output,
}

/// Prints the dump; damage is exit 74.
pub(super) fn run(command: LogCommand) -> Result<(), ExitReason> {
    let LogCommand::Dump(arguments) = command;
    panics::read_as_damage();
    let dir = StoppedDir::open(&arguments.data_dir).map_err(|error| Server::refused(&error))?;
    let format = arguments.output.output;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut first_damage = None;
    let range = arguments.from..arguments.to.saturating_add(1);
    let dumped = dump(dir, range, &std::env::temp_dir(), |line| {
        if let (Line::Damage(damage), None) = (&line, &first_damage) {
            first_damage = Some(format!(
                "{} at {}: {}",
                damage.file, damage.place, damage.reason
            ));
        }
        print(&mut out, format, &line)
    });
    let summary =
        match dumped.and_then(|found| out.flush().map(|()| found).map_err(DumpError::Reader)) {
            Ok(summary) => summary,
            Err(DumpError::Reader(error)) => return output::unwritten(&error),
            Err(DumpError::Copy(error)) => return Err(no_copy(&error)),
        };
    judge(summary, first_damage)
}

fn judge(summary: Summary, first_damage: Option<String>) -> Result<(), ExitReason> {
    let Some(first) = first_damage else {
        return Ok(());
    };
    Err(ExitReason::storage(
        format!("{} places are damaged", summary.damages),
        format!("the first is {first}"),
        "keep the directory, then eureka-raft doctor --offline says what to do",
    ))
}

fn no_copy(error: &CopyError) -> ExitReason {
    ExitReason::new(
        ExitCode::Unfinished,
        "the log was not read",
        error.to_string(),
        "set TMPDIR to a directory with room for a copy",
    )
}

fn print(out: &mut impl Write, format: Format, line: &Line) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)
        }
        Format::Table => print_text(out, line),
    }
}

fn print_text(out: &mut impl Write, line: &Line) -> io::Result<()> {
    match line {
        Line::Slot {
            file,
            generation,
            identity,
        } => writeln!(
            out,
            "{file:<10} generation {generation}, {}",
            slot(identity)
        ),
        Line::EndMark { index: Some(index) } => writeln!(out, "LOG.end    entry {index}"),
        Line::EndMark { index: None } => writeln!(out, "LOG.end    none"),
        Line::Snapshot {
            file,
            index,
            bytes,
            records,
        } => writeln!(
            out,
            "snapshot   {file}: up to entry {index}, {records} records, {bytes} bytes"
        ),
        Line::Log {
            bytes,
            purged,
            begins,
        } => {
            let purged = purged.map_or("nothing purged".to_owned(), |(index, term)| {
                format!("purged up to entry {index} of term {term}")
            });
            let begins = begins.map_or("empty".to_owned(), |index| format!("begins at {index}"));
            writeln!(out, "log        {bytes} bytes, {purged}, {begins}\n")?;
            writeln!(out, "     INDEX   TERM LEADER  KIND        CONTENT")
        }
        Line::Entry(entry) => print_entry(out, entry, ""),
        Line::Carved(entry) => print_entry(out, entry, "carved: "),
        Line::Damage(damage) => {
            let (file, place, reason) = (&damage.file, &damage.place, &damage.reason);
            writeln!(out, "DAMAGE     {file} at {place}: {reason}")
        }
        Line::End(summary) => print_end(out, summary),
    }
}

fn slot(identity: &SlotText) -> String {
    let id = identity.id.map_or("none".to_owned(), |id| id.to_string());
    let cluster = identity.cluster.as_deref().unwrap_or("none");
    let vote = identity
        .vote
        .map_or("none".to_owned(), |(term, node, led)| {
            let led = if led { ", who led it" } else { "" };
            format!("term {term} for node {node}{led}")
        });
    format!(
        "name {}, id {id}, cluster {cluster}, incarnation {}, vote {vote}, mark {}",
        identity.name, identity.incarnation, identity.mark
    )
}

fn print_entry(out: &mut impl Write, entry: &EntryText, mark: &str) -> io::Result<()> {
    let shown = entry.content.len().min(COMMANDS_SHOWN);
    let mut content = entry.content[..shown].join("; ");
    if entry.content.len() > shown {
        content.push_str(&format!("; and {} more", entry.content.len() - shown));
    }
    if entry.kind == "commands" && entry.content.is_empty() {
        content.push_str("tick");
    }
    let (index, term, leader, kind) = (entry.index, entry.term, entry.leader, entry.kind);
    let line = format!("{index:>10} {term:>6} {leader:>6}  {kind:<10}  {mark}{content}");
    writeln!(out, "{}", line.trim_end())
}

fn print_end(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let held = match (summary.first, summary.last) {
        (Some(first), Some(last)) => {
            format!(
                "{} entries, {first} to {last}, checksums right",
                summary.entries
            )
        }
        _ if summary.carved > 0 => format!(
            "sled cannot open the log: {} versions of entries carved, of which an older one may count",
            summary.carved
        ),
        _ => "no entries".to_owned(),
    };
    writeln!(out, "\n{held}; {} places damaged", summary.damages)
}
