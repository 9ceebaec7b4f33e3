//! Every command ends with its documented exit code and a last line that says what, why and what next.

use std::process::{Command, Output};

fn eureka_raft(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(arguments)
        .env_remove("EUREKA_RAFT_SERVER")
        .output()
        .expect("the binary runs")
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let output = eureka_raft(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let commands: [&[&str]; 19] = [
        &["serve"],
        &["status"],
        &["config", "show"],
        &["config", "check"],
        &["config", "import"],
        &["members", "list"],
        &["members", "add"],
        &["members", "promote"],
        &["members", "remove"],
        &["members", "replace"],
        &["members", "update"],
        &["leader", "show"],
        &["leader", "transfer"],
        &["log", "dump"],
        &["recover", "replace-disk"],
        &["doctor"],
        &["bench", "renew"],
        &["bench", "register"],
        &["bench", "memory"],
    ];
    for command in commands {
        let output = eureka_raft(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(
            help.contains("Example: eureka-raft "),
            "{command:?}: {help}"
        );
    }
}

#[test]
fn a_wrong_command_line_exits_64() {
    let table: [&[&str]; 14] = [
        &[],
        &["members", "add", "node-4"],
        &["members", "replace", "node-2"],
        &["members", "update", "node-2"],
        &["members", "remove", "node-2", "--timeout", "soon"],
        &["log", "dump"],
        &["doctor"],
        &["dance"],
        &["serve", "--confg", "x"],
        &["serve", "extra"],
        &["status", "--server", "ftp://x"],
        &["status", "--output", "yaml"],
        &["config"],
        &["bench", "renew", "--rate", "0"],
    ];
    for arguments in table {
        let output = eureka_raft(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let expected = "eureka-raft: the command line is wrong: see above; try eureka-raft --help";
        assert_eq!(last_line(&output), expected, "{arguments:?}");
    }
}

#[test]
fn a_refused_configuration_exits_78_before_anything_starts() {
    let unknown = ["--set", "raft.hartbeat=1s"];
    let contradictory = ["--set", "raft.heartbeat=1m"];
    let missing = ["--config", "no/such/file.toml"];
    for command in [&["serve"][..], &["config", "check"], &["config", "show"]] {
        for wrong in [&unknown, &contradictory, &missing] {
            let output = eureka_raft(&[command, &wrong[..]].concat());
            assert_eq!(output.status.code(), Some(78), "{command:?} {wrong:?}");
            assert!(output.stdout.is_empty(), "{command:?} {wrong:?}");
        }
    }
    let output = eureka_raft(&["serve", "--set", "raft.hartbeat=1s"]);
    assert_eq!(
        last_line(&output),
        "eureka-raft: the configuration is refused: unknown key raft.hartbeat (--set) (did you mean \
         raft.heartbeat?); see raft-config/reference.toml, then try eureka-raft config check"
    );
}

#[test]
fn the_environment_is_read_by_the_process() {
    let output = Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(["config", "show", "--output", "json"])
        .env("EUREKA_RAFT__LOG__LEVEL", "debug")
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(0));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = rows.as_array().expect("a list");
    let level = rows.iter().find(|row| row["key"] == "log.level");
    let expected = serde_json::json!({
        "key": "log.level",
        "value": "\"debug\"",
        "from": "environment EUREKA_RAFT__LOG__LEVEL",
    });
    assert_eq!(level, Some(&expected));
}

#[test]
fn a_good_configuration_is_ok() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/raft-config/three/node-2.toml");
    let output = eureka_raft(&["config", "check", "--config", file]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"OK\n");
}

/// An address where nobody listens: bound once, to be free, and closed again.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("bound"))
}

#[test]
fn status_of_a_server_that_does_not_answer_is_down() {
    let server = nobody();
    let output = eureka_raft(&["status", "--server", &server]);
    assert_eq!(output.status.code(), Some(2));
    let line = last_line(&output);
    let beginning = format!("eureka-raft: {server} does not answer: ");
    assert!(line.starts_with(&beginning), "{line}");
    assert!(
        line.ends_with("or name another node with --server"),
        "{line}"
    );
}

#[test]
fn members_of_a_server_that_does_not_answer_exit_75() {
    let server = nobody();
    for command in [["members", "list"], ["leader", "show"]] {
        let output = eureka_raft(&[&command[..], &["--server", &server]].concat());
        assert_eq!(output.status.code(), Some(75), "{command:?}");
        assert!(
            last_line(&output).contains(" does not answer: "),
            "{command:?}"
        );
    }
}
