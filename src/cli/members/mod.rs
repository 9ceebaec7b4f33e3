//! `members` and `leader show`.
//!
//! Owns how the membership is printed, and which order a command is. It may not change the membership:
//! the leader does.

mod args;
mod change;
mod progress;
mod report;

use super::api::{Member, Members, Status};
use super::args::{Asking, Format};
use super::http_client::AskError;
use super::servers::Servers;
use super::{output, runtime};
use crate::server::exit::ExitReason;

pub(super) use args::{LeaderCommand, MembersCommand};
use change::{Mode, Order, Seat};

/// Runs a command about the members.
pub(super) fn run(command: MembersCommand) -> Result<(), ExitReason> {
    let (order, changing) = match command {
        MembersCommand::List(asking) => return list(&asking),
        MembersCommand::Add {
            name,
            peer,
            learner,
            changing,
        } => {
            let seat = if learner { Seat::Learner } else { Seat::Voter };
            (Order::add(&name, peer.as_str(), seat), changing)
        }
        MembersCommand::Promote { name, changing } => (Order::simple("promote", &name), changing),
        MembersCommand::Remove { name, changing } => (Order::simple("remove", &name), changing),
        MembersCommand::Replace {
            name,
            with,
            changing,
        } => (Order::replace(&name, &with), changing),
        MembersCommand::Update {
            name,
            peer,
            http,
            changing,
        } => {
            let peer = peer.as_ref().map(|peer| peer.as_str());
            let http = http.as_ref().map(|http| http.as_str());
            (Order::update(&name, peer, http), changing)
        }
    };
    change::run(&order, &changing)
}

/// Runs a command about the leader.
pub(super) fn run_leader(command: LeaderCommand) -> Result<(), ExitReason> {
    match command {
        LeaderCommand::Show(asking) => show_leader(&asking),
        LeaderCommand::Transfer {
            to,
            dry_run,
            asking,
        } => {
            // Never repeated: a second hand-over may undo the first.
            let order = Order::transfer(to.as_deref());
            let servers = Servers::new(&asking.server);
            let report = runtime()?.block_on(change::once(servers, &order, Mode::of(dry_run)))?;
            change::print(&report, asking.output.output)
        }
    }
}

fn list(asking: &Asking) -> Result<(), ExitReason> {
    let mut servers = Servers::new(&asking.server);
    let members = members(&mut servers)?;
    output::print(&match asking.output.output {
        Format::Table => members_table(&members),
        Format::Json => output::json(&members),
    })
}

fn show_leader(asking: &Asking) -> Result<(), ExitReason> {
    let mut servers = Servers::new(&asking.server);
    let status: Status = runtime()?
        .block_on(servers.ask("/v1/status"))
        .map_err(|error| silent(&servers, &error))?;
    let leader = members(&mut servers)?
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

fn members(servers: &mut Servers) -> Result<Vec<Member>, ExitReason> {
    let members = runtime()?.block_on(servers.ask::<Members>("/v1/members"));
    members
        .map(Members::into_rows)
        .map_err(|error| silent(servers, &error))
}

fn silent(servers: &Servers, error: &AskError) -> ExitReason {
    no_answer(&servers.first(), &error.to_string())
}

fn no_answer(server: &str, why: &str) -> ExitReason {
    ExitReason::unfinished(
        format!("{server} does not answer"),
        why,
        "start it with eureka-raft serve, or name another node with --server",
    )
}

fn members_table(members: &[Member]) -> String {
    let mut table = output::table([
        "NAME",
        "ID",
        "ROLE",
        "REACHABLE",
        "MATCHED",
        "LAG",
        "HTTP",
        "PEER",
    ]);
    for member in members {
        let reachable = if member.reachable { "yes" } else { "no" };
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        table.add_row([
            &member.name,
            &member.id.to_string(),
            &member.standing(),
            reachable,
            &number(member.matched),
            &number(member.lag),
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
        let row = r#"{"id":1,"name":"node-1","role":"leader","peer":"p:1","http":"http://h:1","reachable":true,"matched":7,"lag":0,"new":1}"#;
        for text in [format!("[{row}]"), format!("{{\"members\":[{row}]}}")] {
            let rows = serde_json::from_str::<Members>(&text).unwrap().into_rows();
            assert_eq!(
                members_table(&rows),
                "\
NAME    ID  ROLE    REACHABLE  MATCHED  LAG  HTTP        PEER
node-1  1   leader  yes        7        0    http://h:1  p:1
"
            );
        }
    }
}
