//! `status`: one screen about a cluster.
//!
//! Owns whom to ask. It may not judge: `verdict` does, and `report` prints.

mod report;
mod verdict;

use std::io::IsTerminal;
use std::sync::Arc;

use super::api::{Member, Members, Status};
use super::args::{Asking, Format};
use super::http_client::{AskError, ask};
use super::servers::Servers;
use super::{output, runtime};
use crate::server::config::BaseUrl;
use crate::server::exit::{ExitCode, ExitReason};
use report::Report;
use verdict::Health;

/// Asks, prints, and ends with 0, 1 or 2.
pub(super) fn run(asking: &Asking) -> Result<(), ExitReason> {
    let mut servers = Servers::new(&asking.server);
    let survey = match runtime()?.block_on(survey(&mut servers)) {
        Ok(survey) => survey,
        Err(error) => return Err(down(&servers.first(), &error)),
    };
    let report = Report::new(&survey);
    output::print(&match asking.output.output {
        Format::Table => report.to_table(),
        Format::Json => output::json(&report),
    })?;
    let code = match report.health() {
        Health::Ok => return Ok(()),
        Health::Degraded => ExitCode::Degraded,
        Health::Down => ExitCode::Down,
    };
    // The screen's last line has said it; standard error repeats it for whoever reads only that.
    let said = std::io::stdout().is_terminal() && matches!(asking.output.output, Format::Table);
    let what = if said {
        String::new()
    } else {
        report.last_line()
    };
    Err(ExitReason::new(code, what, "", ""))
}

fn down(server: &str, error: &AskError) -> ExitReason {
    ExitReason::new(
        ExitCode::Down,
        format!("{server} does not answer"),
        error.to_string(),
        "start it with eureka-raft serve, or name another node with --server",
    )
}

/// What everybody said.
#[derive(Debug)]
struct Survey {
    /// The status of the node that was asked first.
    asked: Status,
    /// Each member and its own status, or why there is none.
    members: Vec<(Member, Result<Status, String>)>,
}

async fn survey(servers: &mut Servers) -> Result<Survey, AskError> {
    let asked: Status = servers.ask("/v1/status").await?;
    // A node that is still starting has no members to tell.
    let members = match servers.ask::<Members>("/v1/members").await {
        Ok(members) => members.into_rows(),
        Err(AskError::Strange(_)) => Vec::new(),
        Err(silent) => return Err(silent),
    };
    let questions: Vec<_> = members
        .iter()
        .map(|member| tokio::spawn(own_status(Arc::from(member.http.as_str()))))
        .collect();
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        let answer = question.await;
        answers.push(answer.unwrap_or_else(|_| Err("the question was interrupted".to_owned())));
    }
    Ok(Survey {
        asked,
        members: members.into_iter().zip(answers).collect(),
    })
}

async fn own_status(http: Arc<str>) -> Result<Status, String> {
    let base: BaseUrl = http
        .parse()
        .map_err(|_| format!("{http} is not an address"))?;
    ask(&base, "/v1/status")
        .await
        .map_err(|error| error.to_string())
}
