//! The screen of `status`.
//!
//! Owns what is shown and how, as a table and as JSON. It may not ask or judge.

use serde::Serialize;

use super::Survey;
use super::verdict::{self, Finding, Health};
use crate::cli::api::{Member, Protection, Registry, State, Status};
use crate::cli::output;

/// How many digits of a state hash a table shows: enough to see a difference.
const HASH_DIGITS: usize = 16;

/// What is shown.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    health: Health,
    findings: Vec<String>,
    cluster: String,
    leader: Option<String>,
    term: u64,
    registry: Registry,
    protection: Protection,
    nodes: Vec<Row>,
}

/// One member.
#[derive(Debug, Serialize)]
struct Row {
    id: u64,
    name: String,
    role: String,
    http: String,
    applied: Option<u64>,
    lag: Option<u64>,
    state: Option<State>,
}

impl Report {
    pub(super) fn new(survey: &Survey) -> Self {
        let findings = verdict::findings(survey);
        let health = findings.first().map_or(Health::Ok, |worst| worst.health);
        let leading = verdict::leading(survey);
        let committed = verdict::committed(survey);
        let nodes = survey
            .members
            .iter()
            .map(|(member, status)| Row::new(member, status.as_ref().ok(), committed));
        Self {
            health,
            findings: findings.into_iter().map(sentence).collect(),
            cluster: leading.cluster.id.clone(),
            leader: leading.cluster.leader.clone(),
            term: leading.cluster.term,
            registry: leading.registry.clone(),
            protection: leading.protection.clone(),
            nodes: nodes.collect(),
        }
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// `OK`, or the first thing to do.
    pub(super) fn last_line(&self) -> String {
        match (self.health, self.findings.first()) {
            (Health::Down, Some(worst)) => format!("DOWN: {worst}"),
            (_, Some(worst)) => format!("DEGRADED: {worst}"),
            (_, None) => "OK".to_owned(),
        }
    }

    pub(super) fn to_table(&self) -> String {
        let leader = self.leader.as_deref().unwrap_or("none");
        let mut screen = format!(
            "cluster   {}  leader {leader}  term {}\n\
             registry  {} applications, {} instances, self-preservation {}\n\n",
            or_dash(&self.cluster),
            self.term,
            self.registry.applications,
            self.registry.instances,
            preservation(&self.protection),
        );
        screen.push_str(&self.nodes_table());
        screen.push('\n');
        for further in self.findings.iter().skip(1) {
            screen.push_str(&format!("also: {further}\n"));
        }
        screen.push_str(&self.last_line());
        screen.push('\n');
        screen
    }

    fn nodes_table(&self) -> String {
        let mut table = output::table(["NAME", "ID", "ROLE", "APPLIED", "LAG", "STATE", "HTTP"]);
        for row in &self.nodes {
            table.add_row([
                row.name.clone(),
                row.id.to_string(),
                row.role.clone(),
                number(row.applied),
                number(row.lag),
                row.state.as_ref().map_or_else(|| "-".to_owned(), short),
                row.http.clone(),
            ]);
        }
        output::render(&table)
    }
}

impl Row {
    fn new(member: &Member, status: Option<&Status>, committed: u64) -> Self {
        let applied = status.map(|status| status.log.applied);
        Self {
            id: member.id,
            name: member.name.clone(),
            role: status.map_or("silent".to_owned(), |status| status.node.role.clone()),
            http: member.http.clone(),
            applied,
            lag: applied.map(|applied| committed.saturating_sub(applied)),
            state: status.map(|status| status.state.clone()),
        }
    }
}

fn sentence(finding: Finding) -> String {
    finding.sentence
}

fn preservation(protection: &Protection) -> &'static str {
    match (protection.enabled, protection.active) {
        (_, true) => "ACTIVE",
        (true, false) => "ready",
        (false, false) => "disabled",
    }
}

fn short(state: &State) -> String {
    let digits = state.hash.get(..HASH_DIGITS).unwrap_or(&state.hash);
    format!("{}@{}", or_dash(digits), state.index)
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(name: &str, role: &str, applied: u64) -> Value {
        json!({
            "version": "0.1.0",
            "node": { "name": name, "id": 1, "role": role },
            "cluster": { "id": "00112233445566778899aabbccddeeff", "leader": "node-1", "term": 3,
                         "voters": 3, "learners": 0 },
            "log": { "last": applied, "committed": applied, "applied": applied, "snapshot": 0,
                     "purged": 0, "snapshots_refused": 0 },
            "state": { "index": applied, "hash": format!("{applied:032x}") },
            "registry": { "applications": 2, "instances": 5 },
            "protection": { "enabled": true, "active": false, "leases": 5, "silent": 0,
                            "allowed_silent": 1 },
            "delta": { "oldest_index": 1 },
            "alarms": []
        })
    }

    /// What three nodes say; `None` stands for a node that does not answer.
    fn survey(statuses: [Option<Value>; 3]) -> Survey {
        let read = |value: Value| serde_json::from_value::<Status>(value).unwrap();
        let asked = statuses
            .iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or(json!({}));
        let member = |number: u64| Member {
            id: number,
            name: format!("node-{number}"),
            role: "voter".to_owned(),
            http: format!("http://127.0.0.1:876{number}"),
            ..Member::default()
        };
        let answers = statuses.map(|value| value.map(read).ok_or("refused".to_owned()));
        Survey {
            asked: read(asked),
            members: (1..).map(member).zip(answers).collect(),
        }
    }

    fn three() -> [Value; 3] {
        [
            status("node-1", "leader", 120),
            status("node-2", "follower", 120),
            status("node-3", "follower", 118),
        ]
    }

    #[test]
    fn a_healthy_cluster_is_one_screen_that_ends_with_ok() {
        let report = Report::new(&survey(three().map(Some)));
        assert_eq!(
            report.to_table(),
            "\
cluster   00112233445566778899aabbccddeeff  leader node-1  term 3
registry  2 applications, 5 instances, self-preservation ready

NAME    ID  ROLE      APPLIED  LAG  STATE                 HTTP
node-1  1   leader    120      0    0000000000000000@120  http://127.0.0.1:8761
node-2  2   follower  120      0    0000000000000000@120  http://127.0.0.1:8762
node-3  3   follower  118      2    0000000000000000@118  http://127.0.0.1:8763

OK
"
        );
    }

    #[test]
    fn a_silent_member_is_degraded_and_named() {
        let [one, two, _] = three();
        let report = Report::new(&survey([Some(one), Some(two), None]));
        assert_eq!(report.health(), Health::Degraded);
        assert_eq!(
            report.last_line(),
            "DEGRADED: node-3 does not answer at http://127.0.0.1:8763 (refused): start it"
        );
        assert!(
            report
                .to_table()
                .contains("node-3  3   silent    -        -    -  ")
        );
    }

    #[test]
    fn a_cluster_without_a_leader_is_down_and_says_how_many_answer() {
        let [mut one, ..] = three();
        one["cluster"]["leader"] = Value::Null;
        let report = Report::new(&survey([Some(one), None, None]));
        assert_eq!(report.health(), Health::Down);
        assert_eq!(
            report.last_line(),
            "DOWN: no leader: 1 of 3 voters answer, 2 are needed: start the silent ones"
        );
    }

    #[test]
    fn a_leader_of_an_old_term_does_not_hide_that_there_is_no_newer_one() {
        let [one, mut two, mut three] = three();
        for newer in [&mut two, &mut three] {
            newer["cluster"]["leader"] = Value::Null;
            newer["cluster"]["term"] = json!(4);
        }
        let report = Report::new(&survey([Some(one), Some(two), Some(three)]));
        assert_eq!(report.health(), Health::Down);
        assert_eq!(report.term, 4);
    }

    #[test]
    fn each_defect_is_degraded_with_its_own_sentence() {
        let changes: [(&str, Value, &str); 5] = [
            (
                "/state/hash",
                json!("f".repeat(32)),
                "node-1 and node-2 hold different states",
            ),
            (
                "/log/committed",
                json!(9_000),
                "node-1 is 8880 entries behind",
            ),
            (
                "/cluster/settings_differ",
                json!(true),
                "the file of node-2 differs",
            ),
            (
                "/alarms",
                json!([{ "alarm": "disk_low", "node": "node-2", "message": "9 % free", "hint": "make room" }]),
                "node-2 raised disk_low about node-2: 9 % free: make room",
            ),
            (
                "/protection/active",
                json!(true),
                "self-preservation is active: 0 leases",
            ),
        ];
        for (pointer, value, beginning) in changes {
            let mut answers = three();
            // The first of the highest term speaks for the cluster: all three have the same.
            for (place, answer) in answers.iter_mut().enumerate() {
                answer["cluster"]["settings_differ"] = json!(false);
                let concerned = place == 1 || pointer.starts_with("/protection");
                if concerned {
                    *answer.pointer_mut(pointer).unwrap() = value.clone();
                }
            }
            let report = Report::new(&survey(answers.map(Some)));
            assert_eq!(report.health(), Health::Degraded, "{pointer}");
            let worst = format!("DEGRADED: {beginning}");
            assert!(
                report.last_line().starts_with(&worst),
                "{}",
                report.last_line()
            );
        }
    }

    #[test]
    fn the_json_report_has_the_health_and_whole_hashes() {
        let report = Report::new(&survey(three().map(Some)));
        let json: Value = serde_json::from_str(&output::json(&report)).unwrap();
        assert_eq!(json["health"], "ok");
        assert_eq!(json["nodes"][2]["lag"], 2);
        assert_eq!(json["nodes"][2]["state"]["hash"], format!("{:032x}", 118));
    }

    #[test]
    fn a_node_that_is_starting_is_down_and_asks_for_the_others() {
        let asked: Status =
            serde_json::from_value(json!({ "node": { "name": "node-1", "role": "starting" } }))
                .unwrap();
        let report = Report::new(&Survey {
            asked,
            members: Vec::new(),
        });
        assert_eq!(
            report.last_line(),
            "DOWN: node-1 is starting and in no cluster yet: start the other members"
        );
    }
}
