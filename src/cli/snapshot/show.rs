//! `snapshot inspect` and `snapshot verify`.
//!
//! Owns how a backup is shown. Both check all of it: what is shown is what is there.

use std::path::Path;

use serde::Serialize;

use super::super::args::Format;
use super::super::output;
use super::open;
use crate::raft::succession::BackupFile;
use crate::server::exit::ExitReason;

/// What `inspect` shows.
#[derive(Serialize)]
struct Shown {
    file: String,
    cluster: Option<String>,
    index: u64,
    term: u64,
    state_hash: String,
    applications: u64,
    instances: u64,
    records: u64,
    bytes: u64,
    format: String,
    members: Vec<ShownMember>,
}

#[derive(Serialize)]
struct ShownMember {
    name: String,
    id: u64,
    role: &'static str,
    peer: String,
}

/// Prints what the backup says, having checked all of it.
pub(super) fn inspect(path: &Path, format: Format) -> Result<(), ExitReason> {
    let shown = shown(path, &open(path)?);
    output::print(&match format {
        Format::Table => table(&shown),
        Format::Json => output::json(&shown),
    })
}

/// Checks all of the backup and prints one line.
pub(super) fn verify(path: &Path) -> Result<(), ExitReason> {
    let backup = open(path)?;
    output::print(&format!("OK {}", line(path, &backup)))
}

/// A backup in one line.
pub(super) fn line(path: &Path, backup: &BackupFile) -> String {
    let shown = shown(path, backup);
    format!(
        "{}: cluster {}, index {}, {} instances, hash {}, {} bytes\n",
        shown.file,
        shown.cluster.as_deref().unwrap_or("unknown"),
        shown.index,
        shown.instances,
        shown.state_hash,
        shown.bytes,
    )
}

fn shown(path: &Path, backup: &BackupFile) -> Shown {
    let view = backup.registry().view();
    let members = backup.members().into_iter().map(|known| ShownMember {
        name: known.member.name,
        id: known.member.id,
        role: if known.voter { "voter" } else { "learner" },
        peer: known.member.peer_addr,
    });
    Shown {
        file: path.display().to_string(),
        cluster: backup.cluster().map(|id| format!("{id:032x}")),
        index: backup.last().index,
        term: backup.last().term,
        state_hash: format!("{:032x}", view.state_hash()),
        applications: view.application_count(),
        instances: view.instance_count(),
        records: backup.records(),
        bytes: backup.size(),
        format: backup.format(),
        members: members.collect(),
    }
}

fn table(shown: &Shown) -> String {
    let mut table = output::table(["BACKUP", ""]);
    let cluster = shown.cluster.as_deref().unwrap_or("not recorded");
    let rows = [
        ("file", shown.file.clone()),
        ("cluster", cluster.to_owned()),
        ("index", shown.index.to_string()),
        ("term", shown.term.to_string()),
        ("state hash", shown.state_hash.clone()),
        ("applications", shown.applications.to_string()),
        ("instances", shown.instances.to_string()),
        ("records", shown.records.to_string()),
        ("bytes", shown.bytes.to_string()),
        ("format", shown.format.clone()),
    ];
    for (key, value) in rows {
        table.add_row([key, &value]);
    }
    for member in &shown.members {
        let who = format!("{} (id {}, {})", member.name, member.id, member.peer);
        table.add_row([member.role, &who]);
    }
    output::render(&table)
}
