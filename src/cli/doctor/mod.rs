//! `doctor --offline`: whether a stopped node would start, and what is wrong if not.
//!
//! Owns how findings are printed and which exit code they are. It may not look at the directory:
//! `offline::doctor` does, and `configuration` at what an operator wrote.

mod configuration;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::args::{Configured, Format, Output};
use super::{output, panics, runtime};
use crate::clock::SystemClock;
use crate::offline::doctor::{Cause, Examination, Finding, Verdict, examine};
use crate::server::exit::{ExitCode, ExitReason};

#[derive(Debug, Args)]
#[command(
    after_help = "Example: eureka-raft doctor --offline --data-dir /var/lib/eureka-raft --config node.toml\n\n\
                  Exit 0 fine, 1 something needs a look, 74 storage, 77 identity, 78 configuration: the \
                  worst counts."
)]
pub(super) struct DoctorArguments {
    /// Look at a node that does not run; the only way there is.
    #[arg(long, required = true)]
    offline: bool,
    /// The data directory. Default: node.data_dir of the configuration.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    output: Output,
}

/// Examines, prints, and ends with the worst.
pub(super) fn run(arguments: DoctorArguments) -> Result<(), ExitReason> {
    panics::read_as_damage();
    let written = arguments.configured.is_given();
    let (config, mut found) = configuration::examine(&arguments.configured.sources());
    let name = config.as_ref().filter(|_| written);
    let name = name.map(|config| config.node.name.clone());
    let data_dir = arguments
        .data_dir
        .or(config.map(|config| config.node.data_dir));
    if let Some(root) = data_dir {
        // The monotonic clock is tokio's.
        let _inside = runtime()?.enter();
        found.extend(examine(&Examination {
            root: &root,
            scratch: &std::env::temp_dir(),
            clock: Arc::new(SystemClock::new()),
            name: name.as_deref(),
        }));
    }
    output::print(&match arguments.output.output {
        Format::Table => table(&found),
        Format::Json => output::json(&Findings {
            verdict: worst(&found).map_or(Verdict::Ok, |finding| finding.verdict),
            checks: &found,
        }),
    })?;
    judge(&found)
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Findings<'a> {
    /// The worst of all.
    verdict: Verdict,
    checks: &'a [Finding],
}

fn table(found: &[Finding]) -> String {
    let mut table = output::table(["CHECK", "RESULT", "EVIDENCE"]);
    for finding in found {
        table.add_row([finding.id, word(finding.verdict), &finding.evidence]);
    }
    let mut text = output::render(&table);
    let actions = found
        .iter()
        .filter_map(|finding| Some((finding.id, finding.next.as_ref()?)));
    for (place, (id, next)) in actions.enumerate() {
        let gap = if place == 0 { "\n" } else { "" };
        text.push_str(&format!("{gap}{id}: {next}\n"));
    }
    text
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Skipped => "skipped",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    }
}

/// The worst finding that is not fine; of two equally bad the first.
fn worst(found: &[Finding]) -> Option<&Finding> {
    let bad = found
        .iter()
        .filter(|finding| finding.verdict >= Verdict::Warn);
    bad.rev()
        .max_by_key(|finding| (finding.verdict, finding.cause))
}

fn judge(found: &[Finding]) -> Result<(), ExitReason> {
    let Some(worst) = worst(found) else {
        return Ok(());
    };
    let code = match worst.cause {
        None => ExitCode::Degraded,
        Some(Cause::Configuration) => ExitCode::Configuration,
        Some(Cause::Storage) => ExitCode::Storage,
        Some(Cause::Identity) => ExitCode::Identity,
    };
    let what = format!("{} {}", worst.id, word(worst.verdict));
    let next = worst.next.clone().unwrap_or_default();
    Err(ExitReason::new(code, what, &worst.evidence, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_the_exit_code() {
        let (ok, warn) = (Finding::ok("a", "x"), Finding::warn("b", "x", "y"));
        let fail = |id, cause| Finding::fail(id, cause, "x", "y");
        let (disk, name) = (fail("c", Cause::Storage), fail("d", Cause::Identity));
        let code = |found: &[Finding]| judge(found).err().map(|reason| reason.code);
        assert_eq!(code(std::slice::from_ref(&ok)), None);
        assert_eq!(code(&[ok, warn.clone()]), Some(ExitCode::Degraded));
        assert_eq!(code(&[warn.clone(), disk.clone()]), Some(ExitCode::Storage));
        assert_eq!(code(&[name, disk, warn]), Some(ExitCode::Identity));
        let first = judge(&[fail("e", Cause::Storage), fail("f", Cause::Storage)]);
        assert_eq!(first.unwrap_err().what, "e FAIL");
    }
}
