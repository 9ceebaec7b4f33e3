//! An order, until it is carried out.
//!
//! Owns the loop around an order that takes its time: it goes on by itself, and is repeated to hear how
//! far it is. It may not decide whether a change is allowed: the leader does.
//!
//! Invariant: what is repeated is an order that the leader carries out once, however often it hears it.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::args::Changing;
use super::progress::{self, Progress};
use super::report::Report;
use crate::cli::api::Members;
use crate::cli::args::Format;
use crate::cli::http_client::{OrderError, Refusal};
use crate::cli::servers::Servers;
use crate::cli::{output, runtime};
use crate::server::exit::{ExitCode, ExitReason};

/// How often the order is repeated and the line about it renewed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long an election, or another change, is waited for before the order was taken once.
const LEADER_WAIT: Duration = Duration::from_secs(10);

/// What a node is to be in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    Voter,
    Learner,
}

/// Whether an order is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Mode {
    Execute,
    DryRun,
}

impl Mode {
    /// Of the flag `--dry-run`.
    pub(in crate::cli) fn of(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Execute }
    }
}

/// An order as it is sent.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Order {
    /// Behind `/v1`, without the question mark.
    path: String,
    body: Value,
    /// Whom it is about, for the line about progress.
    subject: String,
    /// The same as a command line, to go on with.
    again: String,
}

impl Order {
    pub(super) fn add(name: &str, peer: &str, seat: Seat) -> Self {
        let learner = seat == Seat::Learner;
        let flag = if learner { " --learner" } else { "" };
        Self {
            path: "/v1/members".to_owned(),
            body: json!({ "name": name, "peer": peer, "learner": learner }),
            subject: name.to_owned(),
            again: format!("members add {name} --peer {peer}{flag}"),
        }
    }

    /// `promote` or `remove`.
    pub(super) fn simple(action: &str, name: &str) -> Self {
        Self {
            path: member_path(name, action),
            body: json!({}),
            subject: name.to_owned(),
            again: format!("members {action} {name}"),
        }
    }

    pub(super) fn replace(name: &str, with: &str) -> Self {
        Self {
            path: member_path(name, "replace"),
            body: json!({ "with": with }),
            subject: with.to_owned(),
            again: format!("members replace {name} --with {with}"),
        }
    }

    pub(super) fn update(name: &str, peer: Option<&str>, http: Option<&str>) -> Self {
        let flag = |key: &str, value: Option<&str>| {
            value.map_or_else(String::new, |value| format!(" --{key} {value}"))
        };
        Self {
            path: member_path(name, "update"),
            body: json!({ "peer": peer, "http": http }),
            subject: name.to_owned(),
            again: format!(
                "members update {name}{}{}",
                flag("peer", peer),
                flag("http", http)
            ),
        }
    }

    pub(in crate::cli) fn transfer(to: Option<&str>) -> Self {
        Self {
            path: "/v1/leader/transfer".to_owned(),
            body: json!({ "to": to }),
            subject: to.unwrap_or("another voter").to_owned(),
            again: "leader show".to_owned(),
        }
    }

    fn target(&self, mode: Mode) -> String {
        let query = match mode {
            Mode::DryRun => "?dry_run=true",
            Mode::Execute => "",
        };
        format!("{}{query}", self.path)
    }
}

fn member_path(name: &str, action: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("/v1/members/{name}/{action}")
}

/// Carries an order out, or shows what it would do, and prints the report.
pub(super) fn run(order: &Order, changing: &Changing) -> Result<(), ExitReason> {
    let servers = Servers::new(&changing.asking.server);
    let format = changing.asking.output.output;
    let report = if changing.dry_run {
        runtime()?.block_on(once(servers, order, Mode::DryRun))?
    } else {
        let waiting = Waiting {
            servers,
            order,
            timeout: changing.timeout,
            progress: Progress::new(format),
        };
        runtime()?.block_on(waiting.until_done())?
    };
    print(&report, format)
}

pub(in crate::cli) fn print(report: &Report, format: Format) -> Result<(), ExitReason> {
    output::print(&match format {
        Format::Table => report.to_table(),
        Format::Json => output::json(report),
    })
}

/// One order, one report.
pub(in crate::cli) async fn once(
    mut servers: Servers,
    order: &Order,
    mode: Mode,
) -> Result<Report, ExitReason> {
    let given = servers.order(&order.target(mode), &order.body).await;
    given.map_err(|error| failed(order, &servers, &error))
}

struct Waiting<'a> {
    servers: Servers,
    order: &'a Order,
    timeout: Duration,
    progress: Progress,
}

impl Waiting<'_> {
    async fn until_done(mut self) -> Result<Report, ExitReason> {
        let result = self.repeat().await;
        self.progress.end();
        result
    }

    async fn repeat(&mut self) -> Result<Report, ExitReason> {
        let started = Instant::now();
        let mut taken = Taken::NotYet;
        loop {
            let step = match self.give().await {
                Ok(report) if report.done => return Ok(report),
                Ok(report) => {
                    taken = Taken::Once;
                    report.steps.last().unwrap_or(&report.message).clone()
                }
                Err(error)
                    if may_pass(&error, taken) && started.elapsed() < self.patience(taken) =>
                {
                    if let OrderError::Lost(_) = error {
                        self.servers.turn_to_the_next();
                    }
                    error.to_string()
                }
                Err(error) => return Err(failed(self.order, &self.servers, &error)),
            };
            if started.elapsed() >= self.timeout {
                return Err(self.not_in_time(&step));
            }
            self.show(&step).await;
            sleep(LOOK_AGAIN).await;
        }
    }

    fn patience(&self, taken: Taken) -> Duration {
        match taken {
            Taken::Once => self.timeout,
            Taken::NotYet => self.timeout.min(LEADER_WAIT),
        }
    }

    async fn give(&mut self) -> Result<Report, OrderError> {
        let target = self.order.target(Mode::Execute);
        self.servers.order(&target, &self.order.body).await
    }

    async fn show(&mut self, step: &str) {
        let members = self.servers.ask::<Members>("/v1/members").await;
        let members = members.map(Members::into_rows).unwrap_or_default();
        self.servers.learn(&members);
        let line = progress::line(&self.order.subject, &members, step);
        self.progress.show(&line);
    }

    fn not_in_time(&self, step: &str) -> ExitReason {
        let timeout = humantime::format_duration(self.timeout);
        ExitReason::unfinished(
            format!("not done within {timeout}"),
            format!("it goes on by itself; last: {step}"),
            format!(
                "the same command goes on waiting: eureka-raft {}",
                self.order.again
            ),
        )
    }
}

/// Whether a leader has taken the order before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    NotYet,
    Once,
}

/// Whether the same order may be taken a moment later: the leader changes, somebody is silent, or a
/// change that the leader makes by itself is under way.
fn may_pass(error: &OrderError, taken: Taken) -> bool {
    match error {
        OrderError::Refused(Refusal { status, code, .. }) => {
            *status == 503 || code == "change_in_progress"
        }
        OrderError::Lost(_) => true,
        OrderError::Silent(_) => taken == Taken::Once,
        OrderError::Strange(_) => false,
    }
}

fn failed(order: &Order, servers: &Servers, error: &OrderError) -> ExitReason {
    match error {
        OrderError::Silent(why) => super::no_answer(&servers.first(), why),
        OrderError::Strange(why) => ExitReason::unfinished(
            format!("{} does not answer as expected", servers.first()),
            why,
            "check that --server names an eureka-raft node of this release",
        ),
        OrderError::Lost(why) => ExitReason::unfinished(
            "what became of the order is not known",
            why,
            format!("see with: eureka-raft {}", order.again),
        ),
        OrderError::Refused(refusal) => refused(refusal),
    }
}

/// Nothing was changed: what is wrong with the order is 64, what is wrong with the moment 75.
fn refused(refusal: &Refusal) -> ExitReason {
    let code = match refusal.status {
        400 | 404 | 405 | 413 | 414 | 415 => ExitCode::Usage,
        _ => ExitCode::Unfinished,
    };
    let what = format!("refused ({})", refusal.code);
    ExitReason::new(code, what, &refusal.message, &refusal.hint)
}
