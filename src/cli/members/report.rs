//! What an order did, or would do.
//!
//! Owns how a report of `/v1` is read and printed. It may not judge it.

use serde::{Deserialize, Serialize};

use crate::cli::output;

/// The answer to an order; what a newer server adds is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Report {
    /// Whether all of it has happened.
    pub(in crate::cli) done: bool,
    /// What happened so far, or would, a sentence each.
    pub(in crate::cli) steps: Vec<String>,
    pub(in crate::cli) before: Lineup,
    pub(in crate::cli) after: Lineup,
    pub(in crate::cli) message: String,
    /// The leader after a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) leader: Option<String>,
    /// How long nobody led, ms, after a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) gap_ms: Option<u64>,
}

/// Who counts, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Lineup {
    pub(in crate::cli) voters: Vec<String>,
    pub(in crate::cli) learners: Vec<String>,
    /// How many voters must live.
    pub(in crate::cli) quorum: usize,
    /// The voters heard of lately.
    pub(in crate::cli) live: Vec<String>,
}

impl Lineup {
    /// How many more voters may fail before writes stop, or that they have stopped.
    fn spare(&self) -> String {
        match self.live.len().checked_sub(self.quorum) {
            Some(spare) => format!("{spare} more"),
            None => "writes stand still".to_owned(),
        }
    }
}

impl Report {
    /// The steps, the quorum before and after, and last what happened in one sentence.
    pub(in crate::cli) fn to_table(&self) -> String {
        let mut text = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            text.push_str(&format!("{}. {step}\n", number + 1));
        }
        if !self.steps.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.quorum_table());
        text.push('\n');
        text.push_str(&self.message);
        text.push('\n');
        text
    }

    fn quorum_table(&self) -> String {
        let (before, after) = (&self.before, &self.after);
        let mut table = output::table(["", "BEFORE", "AFTER"]);
        table.add_row(["voters", &names(&before.voters), &names(&after.voters)]);
        table.add_row([
            "learners",
            &names(&before.learners),
            &names(&after.learners),
        ]);
        table.add_row(["live", &names(&before.live), &names(&after.live)]);
        table.add_row(["quorum", &quorum(before), &quorum(after)]);
        table.add_row(["may fail", &before.spare(), &after.spare()]);
        output::render(&table)
    }
}

fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "-".to_owned();
    }
    names.join(", ")
}

fn quorum(lineup: &Lineup) -> String {
    format!("{} of {}", lineup.quorum, lineup.voters.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineup(voters: &[&str], live: &[&str]) -> Lineup {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Lineup {
            voters: owned(voters),
            learners: Vec::new(),
            quorum: voters.len() / 2 + 1,
            live: owned(live),
        }
    }

    #[test]
    fn a_report_shows_the_quorum_before_and_after() {
        let report = Report {
            done: false,
            steps: vec!["node-2 is taken out".to_owned()],
            before: lineup(&["node-1", "node-2", "node-3"], &["node-1"]),
            after: lineup(&["node-1", "node-3"], &["node-1", "node-3"]),
            message: "nothing was changed".to_owned(),
            ..Report::default()
        };
        assert_eq!(
            report.to_table(),
            "\
1. node-2 is taken out

          BEFORE                  AFTER
voters    node-1, node-2, node-3  node-1, node-3
learners  -                       -
live      node-1                  node-1, node-3
quorum    2 of 3                  2 of 2
may fail  writes stand still      0 more

nothing was changed
"
        );
    }
}
