//! What a survey means.
//!
//! Owns when a cluster is ok, degraded or down, and what to do about it. It may not ask or print.

use serde::Serialize;

use super::Survey;
use crate::cli::api::{Member, Status};

/// Entries behind the commit index from which a node counts as behind: far more than is in flight
/// on a busy cluster, far less than a node that was away.
const LAG_MAX: u64 = 5_000;

/// How a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    /// Nothing to do.
    Ok,
    /// It works; something needs a look.
    Degraded,
    /// It takes no writes.
    Down,
}

/// One thing that is not as it should be, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) health: Health,
    pub(super) sentence: String,
}

/// Everything wrong, worst first.
pub(super) fn findings(survey: &Survey) -> Vec<Finding> {
    let mut found: Vec<Finding> = leadership(survey).into_iter().collect();
    found.extend(differing_states(survey));
    found.extend(survey.members.iter().filter_map(silent));
    found.extend(statuses(survey).filter_map(|status| lagging(status, committed(survey))));
    found.extend(statuses(survey).filter_map(starting));
    found.extend(statuses(survey).filter_map(differing_file));
    found.extend(protection(survey));
    found.extend(statuses(survey).flat_map(alarms));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.health));
    found
}

/// The statuses that were had.
pub(super) fn statuses(survey: &Survey) -> impl Iterator<Item = &Status> {
    survey
        .members
        .iter()
        .filter_map(|(_, status)| status.as_ref().ok())
}

/// The highest commit index anybody knows.
pub(super) fn committed(survey: &Survey) -> u64 {
    let known = statuses(survey).map(|status| status.log.committed);
    known.max().unwrap_or(survey.asked.log.committed)
}

/// The leader by the status with the highest term: an old leader that was cut off still names
/// itself.
pub(super) fn leading(survey: &Survey) -> &Status {
    let newest = statuses(survey).max_by_key(|status| {
        let cluster = &status.cluster;
        (cluster.term, cluster.leader.is_some())
    });
    newest.unwrap_or(&survey.asked)
}

fn leadership(survey: &Survey) -> Option<Finding> {
    if leading(survey).cluster.leader.is_some() {
        return None;
    }
    let voters: Vec<_> = survey.members.iter().filter(|(m, _)| m.votes()).collect();
    let answering = voters.iter().filter(|(_, status)| status.is_ok()).count();
    let quorum = voters.len() / 2 + 1;
    let sentence = match (voters.is_empty(), answering < quorum) {
        (true, _) => format!(
            "{} is starting and in no cluster yet: start the other members",
            survey.asked.node.name
        ),
        (false, true) => format!(
            "no leader: {answering} of {} voters answer, {quorum} are needed: start the silent ones",
            voters.len()
        ),
        (false, false) => "no leader although a quorum answers: wait for the election to end, \
                           then look into the logs"
            .to_owned(),
    };
    Some(Finding {
        health: Health::Down,
        sentence,
    })
}

/// Two nodes that applied the same entries and hold different states: the worst there is.
fn differing_states(survey: &Survey) -> Option<Finding> {
    let all: Vec<&Status> = statuses(survey).collect();
    let differs =
        |a: &Status, b: &Status| a.state.index == b.state.index && a.state.hash != b.state.hash;
    let pair = all.iter().enumerate().find_map(|(place, a)| {
        let b = all[..place].iter().find(|b| differs(a, b))?;
        Some((*b, *a))
    });
    pair.map(|(a, b)| {
        degraded(format!(
            "{} and {} hold different states at index {}: stop one, keep its data, report it",
            a.node.name, b.node.name, a.state.index
        ))
    })
}

fn silent((member, status): &(Member, Result<Status, String>)) -> Option<Finding> {
    let reason = status.as_ref().err()?;
    Some(degraded(format!(
        "{} does not answer at {} ({reason}): start it",
        member.name, member.http
    )))
}

fn lagging(status: &Status, committed: u64) -> Option<Finding> {
    let lag = committed.saturating_sub(status.log.applied);
    (lag > LAG_MAX).then(|| {
        degraded(format!(
            "{} is {lag} entries behind: if that does not shrink, look at its disk",
            status.node.name
        ))
    })
}

fn starting(status: &Status) -> Option<Finding> {
    (status.node.role == "starting").then(|| {
        degraded(format!(
            "{} is starting: if that does not end, its log says whom it waits for",
            status.node.name
        ))
    })
}

fn differing_file(status: &Status) -> Option<Finding> {
    status.cluster.settings_differ.then(|| {
        degraded(format!(
            "the file of {} differs from the replicated settings: make the files equal",
            status.node.name
        ))
    })
}

fn alarms(status: &Status) -> impl Iterator<Item = Finding> {
    let by = &status.node.name;
    status.alarms.iter().map(move |up| {
        degraded(format!(
            "{by} raised {} about {}: {}: {}",
            up.alarm, up.node, up.message, up.hint
        ))
    })
}

fn protection(survey: &Survey) -> Option<Finding> {
    let protection = &leading(survey).protection;
    protection.active.then(|| {
        degraded(format!(
            "self-preservation is active: {} leases are silent, {} may be; nothing is evicted until \
             their clients are back",
            protection.silent, protection.allowed_silent
        ))
    })
}

fn degraded(sentence: String) -> Finding {
    Finding {
        health: Health::Degraded,
        sentence,
    }
}
