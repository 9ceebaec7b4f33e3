//! `serve`: runs a node.
//!
//! Owns the process around a node: configuration, telemetry, runtime, signals. It may not know what a
//! node does; `server` does.

use std::io::Write;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Configured;
use crate::server::config::Config;
use crate::server::exit::{ExitCode, ExitReason};
use crate::server::{Server, World, banner, telemetry};

/// How long the runtime may take to end its threads after the node has stopped.
const RUNTIME_STOP_MAX: Duration = Duration::from_millis(500);

/// How long after the first signal the process ends, stopped or not.
const STOP_HARD: Duration = Duration::from_secs(15);

/// Runs until the node ends; an end as asked is `Ok`.
pub(super) fn run(configured: Configured) -> Result<(), ExitReason> {
    let config = configured.sources().load()?.config;
    telemetry::init(&config.log);
    telemetry::install_panic_hook();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?;
    let reason = runtime.block_on(serve(config));
    runtime.shutdown_timeout(RUNTIME_STOP_MAX);
    match reason.code {
        ExitCode::Fine => Ok(()),
        _ => Err(reason),
    }
}

async fn serve(config: Config) -> ExitReason {
    let (terminate, interrupt) = match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return no_runtime(&error),
    };
    let world = match World::real(&config.node.data_dir, &config.disk.limits()) {
        Ok(world) => world,
        Err(error) => return Server::refused(&error),
    };
    let lines = banner::banner(&config.node.advertise_http, &config.node.data_dir);
    // Nobody reading standard output is no reason not to serve.
    let _ = std::io::stdout().write_all(lines.as_bytes());
    Server::run(config, world, asked_to_stop(terminate, interrupt)).await
}

/// Resolves at the first SIGTERM or SIGINT. A second one ends the process at once.
async fn asked_to_stop(mut terminate: Signal, mut interrupt: Signal) {
    either(&mut terminate, &mut interrupt).await;
    tokio::spawn(async move {
        // Whichever comes first: somebody who insists, or a stop that hangs in the disk.
        let insists = either(&mut terminate, &mut interrupt);
        let _ = tokio::time::timeout(STOP_HARD, insists).await;
        std::process::exit(i32::from(ExitCode::Unfinished.number()));
    });
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn no_runtime(error: &std::io::Error) -> ExitReason {
    ExitReason::unfinished(
        "the node did not start",
        format!("no runtime: {error}"),
        "check the limits on threads and open files",
    )
}
