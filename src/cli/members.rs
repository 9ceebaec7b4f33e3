//! `members list` and `leader show`.
//!
//! Owns how the membership is printed. It may not change it.

use super::api::{Member, Members, Status};
use super::args::{Asking, Format};
use super::http_client::{AskError, ask};
use super::{output, runtime};
use crate::server::config::BaseUrl;
use crate::server::exit::ExitReason;

/// Prints every member as the asked node knows it.
pub(super) fn list(asking: &Asking) -> Result<(), ExitReason> {
    let members = members(&asking.server)?;
    output::print(&match asking.output.output {
        Format::Table => members_table(&members),
        Format::Json => output::json(&members),
    })
}

/// Prints the leader's name and addresses.
pub(super) fn show_leader(asking: &Asking) -> Result<(), ExitReason> {
    let status: Status = runtime()?
        .block_on(ask(&asking.server, "/v1/status"))
        .map_err(|error| no_answer(&asking.server, &error))?;
    let leader = members(&asking.server)?
        .into_iter()
        .find(|member| Some(&member.name) == status.cluster.leader.as_ref())
        .ok_or_else(|| {
            ExitReason::unfinished(
                "there is no leader",
                format!("as {} knows", status.node.name),
                "try eureka-raft status",
            )
        })?;
    output::print(&match asking.output.output {
        Format::Table => members_table(&[leader]),
        Format::Json => output::json(&leader),
    })
}

fn members(server: &BaseUrl) -> Result<Vec<Member>, ExitReason> {
    let members = runtime()?.block_on(ask::<Members>(server, "/v1/members"));
    members
        .map(Members::into_rows)
        .map_err(|error| no_answer(server, &error))
}

fn no_answer(server: &BaseUrl, error: &AskError) -> ExitReason {
    ExitReason::unfinished(
        format!("{server} does not answer"),
        error.to_string(),
        "start it with eureka-raft serve, or name another node with --server",
    )
}

fn members_table(members: &[Member]) -> String {
    let mut table = output::table(["NAME", "ID", "ROLE", "REACHABLE", "MATCHED", "HTTP", "PEER"]);
    for member in members {
        let reachable = if member.reachable { "yes" } else { "no" };
        let matched = member.matched.map_or("-".to_owned(), |m| m.to_string());
        table.add_row([
            &member.name,
            &member.id.to_string(),
            &member.role,
            reachable,
            &matched,
            &member.http,
            &member.peer,
        ]);
    }
    output::render(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_with_and_without_a_wrapper() {
        let row = r#"{"id":1,"name":"node-1","role":"leader","peer":"p:1","http":"http://h:1","reachable":true,"matched":7,"new":1}"#;
        for text in [format!("[{row}]"), format!("{{\"members\":[{row}]}}")] {
            let rows = serde_json::from_str::<Members>(&text).unwrap().into_rows();
            assert_eq!(
                members_table(&rows),
                "\
NAME    ID  ROLE    REACHABLE  MATCHED  HTTP        PEER
node-1  1   leader  yes        7        http://h:1  p:1
"
            );
        }
    }
}
