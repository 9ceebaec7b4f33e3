//! Whether a stopped node would start, and what is wrong if not.
//!
//! Owns the list of checks, each with its evidence and the next command, and their order. It may not
//! change the directory; the one thing written is a nameless file that measures the disk.

mod beside;
mod identity;
mod log;
mod machine;
mod place;
mod replay;
mod snapshots;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::SharedClock;
use crate::store::files::SharedFiles;
use crate::store::{OpenError, StoppedDir, holder};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not looked at: something before it is missing.
    Skipped,
    /// It works, and should not stay so.
    Warn,
    /// A node would not start, or should not.
    Fail,
}

/// Which exit code a failed check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// 78: what an operator wrote.
    Configuration,
    /// 74: the disk, or what is on it.
    Storage,
    /// 77: it is not this node's directory, or not all of it.
    Identity,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name; never changes.
    pub id: &'static str,
    /// What it found.
    pub verdict: Verdict,
    /// What it means for the exit code, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What was seen.
    pub evidence: String,
    /// The next command, or what to change, unless it is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    /// A check that found everything as it should be.
    pub fn ok(id: &'static str, evidence: impl Into<String>) -> Self {
        Self {
            id,
            verdict: Verdict::Ok,
            cause: None,
            evidence: evidence.into(),
            next: None,
        }
    }

    /// A check that could not be made, because of `why`.
    pub fn skipped(id: &'static str, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            ..Self::ok(id, why)
        }
    }

    /// A check whose result works and should not stay so.
    pub fn warn(id: &'static str, evidence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            next: Some(next.into()),
            ..Self::ok(id, evidence)
        }
    }

    /// A check that says that a node would not, or should not, start.
    pub fn fail(
        id: &'static str,
        cause: Cause,
        evidence: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Fail,
            cause: Some(cause),
            ..Self::warn(id, evidence, next)
        }
    }

    /// What the store's refusal means.
    fn refused(id: &'static str, error: &OpenError) -> Self {
        let (cause, next) = match error {
            OpenError::InUse { .. } => (Cause::Identity, "stop the process that serves it"),
            OpenError::Interrupted { .. } => (Cause::Identity, "run the interrupted command again"),
            OpenError::Regressed { .. } | OpenError::Foreign { .. } => (Cause::Identity, REPLACE),
            OpenError::Newer { .. } => (Cause::Configuration, "run the newer release"),
            OpenError::Corrupt { .. } => (Cause::Storage, REPLACE),
            OpenError::Io { .. } => (Cause::Storage, "check the disk, its mount and its owner"),
        };
        Self::fail(id, cause, error.to_string(), next)
    }
}

/// What becomes of a directory that can no longer be trusted.
const REPLACE: &str = "eureka-raft recover replace-disk --data-dir DIR --server URL";

/// What the checks are made with.
pub struct Examination<'a> {
    /// The data directory.
    pub root: &'a Path,
    /// Where a copy of the log may lie for a while.
    pub scratch: &'a Path,
    /// The wall clock, to be judged, and the monotonic one, to measure the disk.
    pub clock: SharedClock,
    /// `node.name` of the configuration, if there is one to compare with.
    pub name: Option<&'a str>,
}

/// Makes every check of the directory, in the order in which a start would meet them. Blocks.
pub fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let root = examination.root;
    let exists = place::exists(root);
    let mut found = vec![exists.clone()];
    if exists.verdict == Verdict::Fail {
        return found;
    }
    found.extend(place::examine(root, examination.clock.as_ref()));
    found.extend(machine::examine(examination.clock.as_ref()));
    let (held, in_use) = hold(root);
    found.push(in_use);
    let stopped = held.is_some();
    let dir = Arc::new(held.unwrap_or_else(|| StoppedDir::unheld(root)));
    let files: SharedFiles = Arc::clone(&dir) as SharedFiles;
    let (identity, about_identity) = identity::examine(&files, examination.name);
    found.extend(about_identity);
    found.extend(beside::examine(&files));
    if stopped {
        let (snapshots, about_snapshots) = snapshots::examine(&files);
        found.extend(about_snapshots);
        let log = log::Log {
            dir: dir.as_ref(),
            files: &files,
            scratch: examination.scratch,
            identity: identity.as_ref(),
            wall_ms: examination.clock.wall_ms(),
        };
        found.extend(log::examine(&log, snapshots));
    } else {
        found.push(Finding::skipped(
            "log.opens",
            "snapshots and log are not read while a node writes them",
        ));
    }
    found
}

fn hold(root: &Path) -> (Option<StoppedDir>, Finding) {
    match StoppedDir::open(root) {
        Ok(dir) => (Some(dir), Finding::ok("dir.in-use", "no process serves it")),
        Err(error @ OpenError::InUse { .. }) => {
            let by = holder(root).map_or(String::new(), |pid| format!(" (pid {pid})"));
            let mut finding = Finding::refused("dir.in-use", &error);
            finding.evidence.push_str(&by);
            (None, finding)
        }
        Err(error) => (None, Finding::refused("dir.in-use", &error)),
    }
}
