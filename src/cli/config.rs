//! `config show` and `config check`.
//!
//! Owns how an effective configuration is printed. It may not judge one: `server::config` does.

use serde::Serialize;

use super::args::{ConfigCommand, Format};
use super::{import, output};
use crate::server::config::{ConfigError, Effective};
use crate::server::exit::ExitReason;

pub(super) fn run(command: ConfigCommand) -> Result<(), ExitReason> {
    match command {
        ConfigCommand::Show {
            configured,
            output: format,
        } => {
            let effective = configured.sources().load()?.effective;
            output::print(&match format.output {
                Format::Table => show_table(&effective),
                Format::Json => show_json(&effective),
            })
        }
        ConfigCommand::Import(arguments) => import::run(&arguments),
        ConfigCommand::Check(configured) => {
            configured.sources().load()?;
            output::print("OK\n")
        }
    }
}

impl From<ConfigError> for ExitReason {
    fn from(error: ConfigError) -> Self {
        Self::configuration(
            "the configuration is refused",
            error.to_string(),
            "see raft-config/reference.toml, then try eureka-raft config check",
        )
    }
}

fn show_table(effective: &[Effective]) -> String {
    let mut table = output::table(["KEY", "VALUE", "FROM"]);
    for row in effective {
        table.add_row([row.key, &row.value, &row.source.to_string()]);
    }
    output::render(&table)
}

/// One key as `config show --output json` prints it.
#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    value: &'a str,
    from: String,
}

fn show_json(effective: &[Effective]) -> String {
    let shown: Vec<Shown<'_>> = effective
        .iter()
        .map(|row| Shown {
            key: row.key,
            value: &row.value,
            from: row.source.to_string(),
        })
        .collect();
    output::json(&shown)
}
