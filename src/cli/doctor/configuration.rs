//! What an operator wrote, as the doctor judges it.
//!
//! Owns the checks of a configuration: that it is one, that peers are not in the clear by accident, that
//! its ports are free. It may not look at data.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::offline::doctor::{Cause, Finding};
use crate::server::config::{Config, HostPort, Sources};

/// The configuration, if it is one, and its checks.
pub(super) fn examine(sources: &Sources) -> (Option<Config>, Vec<Finding>) {
    let config = match sources.load() {
        Ok(loaded) => loaded.config,
        Err(error) => {
            let next = "see raft-config/reference.toml, then try eureka-raft config check";
            let finding = Finding::fail(
                "config.valid",
                Cause::Configuration,
                error.to_string(),
                next,
            );
            return (None, vec![finding]);
        }
    };
    let file = sources.file.as_ref();
    let from = file.map_or("no --config: the embedded default".to_owned(), |file| {
        file.display().to_string()
    });
    let found = vec![
        Finding::ok("config.valid", from),
        plaintext(&config),
        port("port.http", &config.listen.http),
        port("port.peer", &config.listen.peer),
    ];
    (Some(config), found)
}

fn plaintext(config: &Config) -> Finding {
    let id = "peer.plaintext";
    let peer = &config.listen.peer;
    if peer.is_loopback() {
        return Finding::ok(id, format!("{peer} is reached from this machine alone"));
    }
    // It would not be valid otherwise.
    Finding::warn(
        id,
        format!("{peer} talks without TLS: whoever reaches it can change the registry"),
        "keep that port inside a network you trust",
    )
}

fn port(id: &'static str, addr: &HostPort) -> Finding {
    match TcpListener::bind(addr.as_str()) {
        Ok(_) => Finding::ok(id, format!("{addr} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::warn(
            id,
            format!("something listens on {addr}"),
            "stop it, or set listen.http and listen.peer; ss -ltnp shows who it is",
        ),
        Err(error) => Finding::fail(
            id,
            Cause::Configuration,
            format!("{addr} cannot be listened on: {error}"),
            "set listen.http and listen.peer to addresses of this machine",
        ),
    }
}
