//! `recover`: what is done to the directory of a node that does not run.
//!
//! Owns the questions that are asked before something is given up for good. It may not give anything up
//! by itself.

use super::args::{ForceArguments, RecoverCommand};
use super::snapshot::offline_error;
use super::{output, replace_disk};
use crate::raft::succession::{self, FreshIds, LastEntry, Past, Survivor, SurvivorReport};
use crate::server::exit::{ExitCode, ExitReason};
use crate::server::random_id;

pub(super) fn run(command: &RecoverCommand) -> Result<(), ExitReason> {
    match command {
        RecoverCommand::Force(arguments) => force(arguments),
        RecoverCommand::ReplaceDisk(arguments) => replace_disk::run(arguments),
    }
}

fn force(arguments: &ForceArguments) -> Result<(), ExitReason> {
    let not_done = |error| offline_error("the node was not recovered", &error);
    let survivor =
        match succession::survivor_at(&arguments.data_dir, &arguments.name).map_err(not_done)? {
            Past::Stopped(survivor) => *survivor,
            Past::Completed(identity) => {
                let cluster = identity.cluster_id.unwrap_or_default();
                return output::print(&format!(
                    "an interrupted command was completed: {} is of cluster {cluster:032x} now\n",
                    identity.name
                ));
            }
        };
    let report = survivor.report();
    output::print(&told(&report, &survivor))?;
    consent(arguments, &report)?;
    let kept = survivor.kept();
    let ids = FreshIds {
        cluster: random_id(),
        incarnation: random_id(),
    };
    let founded = survivor.force(ids).map_err(not_done)?;
    output::print(&format!(
        "done: {} is the one voter of the new cluster {:032x}, at index {}, with {} instances\n\
         what was in the directory is kept in {}\n\
         never start the other old nodes on their directories again; wipe them, start this one, then \
         eureka-raft members add\n",
        founded.name,
        founded.cluster,
        founded.index,
        founded.instances,
        kept.display(),
    ))
}

fn told(report: &SurvivorReport, survivor: &Survivor) -> String {
    let voters = report.members.iter().filter(|known| known.voter);
    let others: Vec<&str> = voters
        .filter(|known| known.member.id != report.id)
        .map(|known| known.member.name.as_str())
        .collect();
    format!(
        "cluster {:032x}; other voters: {}\n\
         the log here ends at term {}, index {}; known to be committed: {} (up to a second old)\n\
         the state there: {} instances, hash {:032x}\n\
         lost for good: whatever other nodes acknowledged beyond index {}\n\
         what is in the directory will be kept in {}\n",
        report.cluster,
        if others.is_empty() {
            "none".to_owned()
        } else {
            others.join(", ")
        },
        report.last.term,
        report.last.index,
        report.committed,
        report.instances,
        report.state_hash,
        report.last.index,
        survivor.kept().display(),
    )
}

/// The operator has accepted the loss, or has shown that there is none: a log at least as new as every
/// other voter's holds whatever any quorum of them acknowledged.
fn consent(arguments: &ForceArguments, report: &SurvivorReport) -> Result<(), ExitReason> {
    if arguments.accept_data_loss {
        return Ok(());
    }
    let others = report.members.iter().filter(|known| known.voter);
    let others = others.filter(|known| known.member.id != report.id).count();
    let newest = arguments.others_last.iter().max();
    let why = match newest {
        None => "nothing says what the other voters acknowledged".to_owned(),
        Some(newest) if *newest > report.last => format!(
            "another log ends at term {}, index {}: later than this one",
            newest.term, newest.index
        ),
        Some(_) if arguments.others_last.len() < others => format!(
            "{} of {others} other voters' logs are named",
            arguments.others_last.len()
        ),
        Some(_) => return Ok(()),
    };
    Err(ExitReason::new(
        ExitCode::Usage,
        "nothing was changed",
        why,
        "add --accept-data-loss, or --others-last TERM/INDEX for each other voter",
    ))
}

/// `TERM/INDEX`.
pub(super) fn parse_last_entry(text: &str) -> Result<LastEntry, String> {
    let parsed = text.split_once('/').and_then(|(term, index)| {
        Some(LastEntry {
            term: term.parse().ok()?,
            index: index.parse().ok()?,
        })
    });
    parsed.ok_or_else(|| "TERM/INDEX, for example 7/1200".to_owned())
}
