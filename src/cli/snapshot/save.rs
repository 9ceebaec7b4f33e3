//! `snapshot save`: a backup of a running cluster.
//!
//! Owns the way from a server to a file: beside it, checked, synced, renamed. It may not leave a file
//! under the wanted name that is not whole: what a kill leaves behind ends in `.tmp`.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::super::download::download;
use super::super::http_client::AskError;
use super::super::servers::Servers;
use super::super::{output, runtime};
use super::{open, show};
use crate::server::config::BaseUrl;
use crate::server::exit::ExitReason;

/// How often the bar on a terminal moves, in bytes.
const BAR_BYTES: u64 = 1 << 20;

/// Saves a backup of the cluster that `servers` belong to as `path`.
pub(super) fn run(path: &Path, servers: &[BaseUrl]) -> Result<(), ExitReason> {
    let temp = beside(path);
    let server = runtime()?.block_on(Servers::new(servers).one_that_answers());
    let server = server.expect("clap asks for at least one server");
    let taken = fetch(&temp, &server).and_then(|()| {
        let backup = open(&temp)?;
        put_in_place(&temp, path).map_err(|error| not_written(path, &error))?;
        Ok(show::line(path, &backup))
    });
    match taken {
        Ok(line) => output::print(&line),
        Err(reason) => {
            // The reason is what matters; a file that ends in .tmp is never taken for a backup.
            drop(fs::remove_file(&temp));
            Err(reason)
        }
    }
}

/// `FILE.tmp`, in the same directory, so that it can be renamed.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

fn fetch(temp: &Path, server: &BaseUrl) -> Result<(), ExitReason> {
    let file = File::create(temp).map_err(|error| not_written(temp, &error))?;
    let failed = RefCell::new(None);
    let mut bar = Bar::new();
    let received = runtime()?.block_on(download(server, "/v1/snapshot", |piece| {
        bar.advance(piece.len() as u64);
        (&file).write_all(piece).map_err(|error| {
            let text = error.to_string();
            *failed.borrow_mut() = Some(error);
            AskError::Strange(text)
        })
    }));
    bar.end();
    if let Some(error) = failed.into_inner() {
        return Err(not_written(temp, &error));
    }
    received.map_err(|error| not_received(server, &error))?;
    file.sync_all().map_err(|error| not_written(temp, &error))
}

fn put_in_place(temp: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temp, path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

fn not_written(path: &Path, error: &io::Error) -> ExitReason {
    ExitReason::storage(
        "the backup was not written",
        format!("{}: {error}", path.display()),
        "check the directory and its free space",
    )
}

fn not_received(server: &BaseUrl, error: &AskError) -> ExitReason {
    ExitReason::unfinished(
        format!("{server} gave no whole backup"),
        error.to_string(),
        "try again, or another node with --server",
    )
}

/// Bytes so far, on a terminal only.
struct Bar {
    shown: bool,
    bytes: u64,
    printed: u64,
}

impl Bar {
    fn new() -> Self {
        Self {
            shown: io::stderr().is_terminal(),
            bytes: 0,
            printed: 0,
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.shown && self.bytes - self.printed >= BAR_BYTES {
            self.printed = self.bytes;
            eprint!("\r{} MiB", self.bytes >> 20);
        }
    }

    fn end(&self) {
        if self.printed > 0 {
            eprintln!();
        }
    }
}
