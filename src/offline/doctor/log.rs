//! The log.
//!
//! Owns the checks of a copy of it: that it opens, is whole, reaches what was acknowledged, continues
//! the newest snapshot, and gives a state. It may not touch the original.

use std::ops::ControlFlow;
use std::path::Path;

use super::replay::Replay;
use super::snapshots::{Base, Restored};
use super::{Cause, Finding, REPLACE, Verdict};
use crate::offline::scratch::{CopyError, copy_log, rehearse};
use crate::registry::Registry;
use crate::store::files::SharedFiles;
use crate::store::identity::Identity;
use crate::store::sled_log::{Found, LogCopy, end_mark_of, strays};
use crate::store::{OpenError, StoppedDir};

/// How far the newest entry may be ahead of the wall clock, ms.
const AHEAD_MS: u64 = 60_000;

/// What the checks are made on.
pub(super) struct Log<'a> {
    pub(super) dir: &'a StoppedDir,
    pub(super) files: &'a SharedFiles,
    pub(super) scratch: &'a Path,
    pub(super) identity: Option<&'a Identity>,
    pub(super) wall_ms: u64,
}

impl Log<'_> {
    fn mark(&self) -> u64 {
        self.identity.map_or(0, |identity| identity.durable_mark)
    }
}

pub(super) fn examine(log: &Log<'_>, restored: Restored) -> Vec<Finding> {
    let mut found = vec![outside(log.files)];
    let copied = copy_log(log.dir, log.scratch);
    let (copy, bytes) = match copied {
        Ok(copied) => copied,
        Err(error) => {
            found.push(unopened(&error, log.mark()));
            return found;
        }
    };
    found.push(Finding::ok("log.opens", format!("{bytes} bytes")));
    let purged = match copy.purged() {
        Ok(purged) => purged.map(|(index, _note)| index),
        Err(reason) => {
            found.push(Finding::fail("log.purged", Cause::Storage, reason, REPLACE));
            None
        }
    };
    let Restored {
        reach: covered,
        damaged,
        base,
    } = restored;
    let replay = walk(&copy, log.mark(), base);
    found.push(whole(&replay, copy.origin().unwrap_or_default()));
    let end = replay.last.max(purged);
    found.push(mark(end, log.mark()));
    found.push(end_mark(log.files, end));
    found.push(reach(purged, covered, &damaged));
    found.push(state(&replay));
    drop(copy);
    found.push(rehearsal(log, &found));
    found.push(stop(end, log));
    found.push(wall_times(&replay, log.wall_ms));
    found
}

/// What sled keeps outside of its one file, or had begun to write.
fn outside(files: &SharedFiles) -> Finding {
    let id = "log.strays";
    let strays = match strays(files.as_ref()) {
        Ok(strays) => strays,
        Err(error) => return Finding::skipped(id, error.to_string()),
    };
    if let Some(blob) = strays.iter().find(|name| name.starts_with("blobs/")) {
        let evidence = format!("log/{blob}: a value outside of the log's file, never synced");
        return Finding::fail(id, Cause::Storage, evidence, REPLACE);
    }
    if strays.is_empty() {
        return Finding::ok(id, "nothing outside of the log's file");
    }
    let next = "half-written by a kill while opening: the next start removes it";
    Finding::warn(id, strays.join(", "), next)
}

fn unopened(error: &CopyError, mark: u64) -> Finding {
    let id = "log.opens";
    match error {
        CopyError::NoLog if mark == 0 => Finding::ok(id, "there is none yet"),
        CopyError::NoLog => Finding::refused(
            id,
            &OpenError::Regressed {
                known: mark,
                found: None,
            },
        ),
        CopyError::Log(error) => Finding::refused(id, error),
        CopyError::NoRoom { .. } | CopyError::Io(_) => Finding::skipped(id, error.to_string()),
    }
}

fn walk(copy: &LogCopy, mark: u64, base: Base) -> Replay {
    let state = match base {
        Base::State(registry) => Some(*registry),
        Base::Nothing => Some(Registry::new()),
        Base::Unusable => None,
    };
    let begins = copy.origin().unwrap_or_default();
    let mut replay = Replay::new(state, mark);
    copy.walk(|found| {
        match found {
            // Purged, and not yet removed.
            Found::Record(record) if begins.is_some_and(|begins| record.index < begins) => {}
            Found::Record(record) => replay.take(&record),
            Found::Damage { place, reason } => replay.breaks(format!("{place}: {reason}")),
        }
        ControlFlow::Continue(())
    });
    replay
}

fn whole(replay: &Replay, begins: Option<u64>) -> Finding {
    let id = "log.whole";
    if let Some(broken) = &replay.broken {
        return Finding::fail(id, Cause::Storage, format!("log/db: {broken}"), REPLACE);
    }
    match (replay.first, replay.last) {
        (Some(first), _) if begins.is_some_and(|begins| begins != first) => {
            let should = begins.unwrap_or_default();
            let evidence = format!("log/db begins at {first}, and should at {should}");
            Finding::fail(id, Cause::Storage, evidence, REPLACE)
        }
        (Some(first), Some(last)) => Finding::ok(
            id,
            format!(
                "{} entries, {first} to {last}, checksums right",
                replay.entries
            ),
        ),
        _ => Finding::ok(id, "no entries"),
    }
}

fn mark(end: Option<u64>, mark: u64) -> Finding {
    let id = "log.mark";
    if end.unwrap_or(0) < mark {
        return Finding::refused(
            id,
            &OpenError::Regressed {
                known: mark,
                found: end,
            },
        );
    }
    Finding::ok(
        id,
        format!("it ends at {end:?}, at or behind the mark {mark}"),
    )
}

fn end_mark(files: &SharedFiles, end: Option<u64>) -> Finding {
    let id = "log.end";
    match end_mark_of(files.as_ref()) {
        Ok(Some(noted)) if end.unwrap_or(0) < noted => Finding::refused(
            id,
            &OpenError::Regressed {
                known: noted,
                found: end,
            },
        ),
        Ok(Some(noted)) => Finding::ok(id, format!("LOG.end says {noted}")),
        Ok(None) if end.is_none() => Finding::ok(id, "there is none yet"),
        Ok(None) => Finding::warn(
            id,
            "LOG.end is missing or not whole",
            "the next start makes it anew; until then a shortened log is not noticed by it",
        ),
        Err(error) => Finding::skipped(id, error.to_string()),
    }
}

/// What the log no longer has must be in a snapshot.
fn reach(purged: Option<u64>, covered: Option<u64>, damaged: &[String]) -> Finding {
    let id = "log.reach";
    let Some(purged) = purged else {
        return Finding::ok(id, "nothing was purged: the log has everything");
    };
    match covered {
        Some(reach) if reach >= purged => Finding::ok(
            id,
            format!("purged up to {purged}, the newest whole snapshot covers {reach}"),
        ),
        reach => {
            let damaged = damaged.join(", ");
            let damaged = if damaged.is_empty() { "none" } else { &damaged };
            Finding::fail(
                id,
                Cause::Storage,
                format!(
                    "purged up to {purged}, the newest whole snapshot covers {reach:?} (damaged: {damaged})"
                ),
                REPLACE,
            )
        }
    }
}

fn state(replay: &Replay) -> Finding {
    let id = "log.replay";
    if let Some(why) = &replay.stopped {
        return Finding::fail(id, Cause::Storage, why.clone(), REPLACE);
    }
    let Some(registry) = &replay.registry else {
        return Finding::skipped(id, "the newest snapshot cannot be restored");
    };
    let view = registry.view();
    let at_mark = replay.at_mark.map_or(String::new(), |hash| {
        format!(", {hash:032x} at the mark (compare with /v1/status of the others)")
    });
    Finding::ok(
        id,
        format!(
            "{} instances, state {:032x} at index {}{at_mark}",
            view.instance_count(),
            view.state_hash(),
            view.index()
        ),
    )
}

/// What a start itself would say to identity and log.
fn rehearsal(log: &Log<'_>, found: &[Finding]) -> Finding {
    let id = "log.starts";
    let fails = |finding: &&Finding| finding.verdict == Verdict::Fail;
    if let Some(failed) = found.iter().find(fails) {
        return Finding::skipped(id, format!("{} says why not", failed.id));
    }
    match rehearse(log.dir, log.scratch) {
        Ok(()) => Finding::ok(id, "a start takes identity and log"),
        Err(error) => Finding::refused(id, &error),
    }
}

/// A clean stop leaves the mark at the last committed entry.
fn stop(end: Option<u64>, log: &Log<'_>) -> Finding {
    let id = "stop.clean";
    let behind = end.unwrap_or(0).saturating_sub(log.mark());
    if behind == 0 {
        return Finding::ok(id, "the log ends at the mark");
    }
    Finding::warn(
        id,
        format!("{behind} entries behind the mark: a kill, a power cut, or never committed"),
        "nothing to do: the next start reads them, and the leader says which count",
    )
}

fn wall_times(replay: &Replay, now_ms: u64) -> Finding {
    let id = "clock.log";
    let ahead = replay.wall_ms.saturating_sub(now_ms);
    if ahead <= AHEAD_MS {
        return Finding::ok(id, "no entry is from the future");
    }
    Finding::warn(
        id,
        format!("the newest entry is {ahead} ms ahead of this clock"),
        "set the clocks: people read wrong times, though no lease depends on it",
    )
}
