//! `doctor --offline` and `log dump` name what is wrong with a stopped node's directory, and change
//! nothing in it.
//!
//! Owns the table of damages and the finding each of them must give. The directory is a real node's,
//! copied for each damage.
#![expect(clippy::unwrap_used, reason = "a broken given of a test may end it")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use support::cluster::{Cluster, SOON, free_ports};
use support::eventually::eventually;
use support::http::request;
use tempfile::TempDir;

/// The directory of a node that has purged and snapshotted, and was stopped; made once.
fn stopped() -> &'static Path {
    static KEPT: OnceLock<PathBuf> = OnceLock::new();
    KEPT.get_or_init(|| {
        let often = ["raft.snapshot_every_entries=20", "raft.keep_entries=5"];
        let mut cluster = Cluster::started(1, &often);
        let node = &mut cluster.nodes[0];
        let mut registered = 0;
        eventually("the log was purged behind a second snapshot", SOON, || {
            let id = format!("hello-{registered}");
            assert_eq!(node.register("HELLO", &id, 90).status, 204);
            registered += 1;
            let log = &node.status()?["log"];
            (log["purged"].as_u64()? > 25 && log["snapshot"].as_u64()? > 30).then_some(())
        });
        node.signal("TERM");
        assert!(node.await_exit(SOON).success());
        // Where cargo lets tests keep files: nobody would drop it at the end of this process.
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-offline");
        let _ = fs::remove_dir_all(&kept);
        copy_dir(&node.data, &kept);
        kept
    })
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The node's directory after `damage`.
fn damaged(damage: impl FnOnce(&Path)) -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    copy_dir(stopped(), &dir);
    damage(&dir);
    (parent, dir)
}

fn eureka_raft(arguments: &[&str], dir: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(arguments)
        .arg("--data-dir")
        .arg(dir)
        .args(more)
        .output()
        .expect("the binary runs")
}

fn doctor(dir: &Path, more: &[&str]) -> (BTreeMap<String, Value>, Option<i32>) {
    let output = eureka_raft(&["doctor", "--offline", "--output", "json"], dir, more);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON, not {output:?}"));
    let checks = report["checks"].as_array().expect("a list").iter();
    let by_id = checks.map(|check| (check["id"].as_str().unwrap().to_owned(), check.clone()));
    (by_id.collect(), output.status.code())
}

/// The verdict of one check, with everything else to be shown when it is another.
fn verdict(checks: &BTreeMap<String, Value>, id: &str) -> String {
    let check = checks.get(id);
    check.map_or_else(
        || format!("none of {checks:#?}"),
        |check| check["verdict"].as_str().unwrap_or_default().to_owned(),
    )
}

fn dump(dir: &Path) -> (String, Option<i32>) {
    let output = eureka_raft(&["log", "dump"], dir, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text, output.status.code())
}

/// Flips a bit of the byte at `at`, from the end if negative.
fn flip(path: &Path, at: i64) {
    let mut bytes = fs::read(path).unwrap();
    let place = if at < 0 { bytes.len() as i64 + at } else { at };
    bytes[usize::try_from(place).unwrap()] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// The snapshots, oldest first: of one term, their names sort by index as numbers.
fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(dir.join("snapshots")).unwrap();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort_by_key(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        name.split('-').nth(1).unwrap().parse::<u64>().unwrap()
    });
    paths
}

#[test]
fn a_node_that_was_stopped_passes_every_check_that_is_not_about_the_machine() {
    let (_parent, dir) = damaged(|_| {});
    let (checks, _) = doctor(&dir, &["--set", "node.name=node-1"]);
    assert!(checks.len() >= 25, "{}", checks.len());
    let of_the_machine = ["volume.", "disk.", "limit.", "clock.", "port.", "peer."];
    for (id, check) in &checks {
        if !of_the_machine.iter().any(|prefix| id.starts_with(prefix)) {
            assert_eq!(check["verdict"], "ok", "{check}");
        }
    }
    let (text, code) = dump(&dir);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("register HELLO/hello-"), "{text}");
}

type Harm = fn(&Path);

/// What is done to the directory, the check that names it, its verdict, and the least exit code.
const DAMAGES: &[(&str, Harm, &str, &str, i32)] = &[
    (
        "a command was killed",
        |dir| fs::create_dir(dir.join("rebuild")).unwrap(),
        "dir.unfinished",
        "fail",
        77,
    ),
    (
        "the ancestry is rubbish",
        |dir| fs::write(dir.join("ANCESTRY"), b"x").unwrap(),
        "dir.ancestry",
        "fail",
        74,
    ),
    (
        "the peers' memory is rubbish",
        |dir| fs::write(dir.join("PEERS.a"), b"x").unwrap(),
        "peers.memory",
        "warn",
        1,
    ),
    (
        "a slot rots",
        |dir| flip(&dir.join("META.a"), 30),
        "identity.a",
        "warn",
        1,
    ),
    (
        "both slots rot",
        |dir| {
            flip(&dir.join("META.a"), 30);
            flip(&dir.join("META.b"), 30);
        },
        "identity.agree",
        "fail",
        74,
    ),
    (
        "the identity is gone",
        |dir| {
            fs::remove_file(dir.join("META.a")).unwrap();
            fs::remove_file(dir.join("META.b")).unwrap();
        },
        "identity.agree",
        "fail",
        74,
    ),
    (
        "the log is gone",
        |dir| {
            fs::remove_dir_all(dir.join("log")).unwrap();
        },
        "log.opens",
        "fail",
        77,
    ),
    (
        "the end mark is gone",
        |dir| {
            fs::remove_file(dir.join("LOG.end")).unwrap();
        },
        "log.end",
        "warn",
        0,
    ),
    (
        "a value lies outside",
        |dir| {
            fs::write(dir.join("log/blobs/123"), b"x").unwrap();
        },
        "log.strays",
        "fail",
        74,
    ),
    (
        "sled was killed while opening",
        |dir| {
            fs::write(dir.join("log/snap.0F.generating"), b"x").unwrap();
        },
        "log.strays",
        "warn",
        1,
    ),
    (
        "the newest snapshot rots",
        |dir| flip(&snapshots(dir)[1], 200),
        "log.reach",
        "fail",
        74,
    ),
    (
        "the oldest snapshot rots",
        |dir| flip(&snapshots(dir)[0], 200),
        "snapshots.whole",
        "warn",
        1,
    ),
    (
        "a snapshot is cut short",
        |dir| {
            let newest = &snapshots(dir)[1];
            let bytes = fs::read(newest).unwrap();
            fs::write(newest, &bytes[..bytes.len() - 20]).unwrap();
        },
        "snapshots.whole",
        "warn",
        74,
    ),
    (
        "the snapshots are gone",
        |dir| {
            fs::remove_dir_all(dir.join("snapshots")).unwrap();
        },
        "log.reach",
        "fail",
        74,
    ),
    (
        "a snapshot was never finished",
        |dir| {
            fs::write(dir.join("snapshots/1-2-3.tmp"), b"x").unwrap();
        },
        "snapshots.strays",
        "warn",
        1,
    ),
    (
        "everybody may read it",
        |dir| {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        },
        "dir.mode",
        "warn",
        1,
    ),
    (
        "it is not there",
        |dir| fs::remove_dir_all(dir).unwrap(),
        "dir.exists",
        "fail",
        77,
    ),
    (
        "it is a file",
        |dir| {
            fs::remove_dir_all(dir).unwrap();
            fs::write(dir, b"x").unwrap();
        },
        "dir.exists",
        "fail",
        78,
    ),
];

#[test]
fn each_damage_is_named_by_its_check() {
    for &(what, harm, id, expected, code) in DAMAGES {
        let (_parent, dir) = damaged(harm);
        let (checks, found) = doctor(&dir, &[]);
        assert_eq!(verdict(&checks, id), expected, "{what}");
        // A later check may find worse: that the log's end is not what is left of it.
        assert!(found >= Some(code), "{what}: {found:?}, {checks:#?}");
        let next = &checks[id]["next"];
        assert!(next.is_string(), "{what}: {next}");
    }
}

#[test]
fn a_rotten_log_fails_and_the_dump_goes_on_behind_the_damage() {
    let log = fs::read(stopped().join("log/db")).unwrap();
    // sled allocates ahead: what follows the last byte that was written is no log yet.
    let size = log.iter().rposition(|byte| *byte != 0).unwrap();
    let mut failed = 0;
    for part in 1..8 {
        let at = i64::try_from(size * part / 8).unwrap();
        let (_parent, dir) = damaged(|dir| flip(&dir.join("log/db"), at));
        let (checks, code) = doctor(&dir, &[]);
        let fails: Vec<&String> = checks
            .iter()
            .filter(|(_, check)| check["verdict"] == "fail")
            .map(|(id, _)| id)
            .collect();
        let (text, dumped) = dump(&dir);
        assert!(text.contains("META.a     generation"), "byte {at}: {text}");
        // A bit in what sled no longer uses is no damage; the two commands agree on which are.
        if fails.is_empty() {
            assert!(code < Some(74), "byte {at}: {code:?}");
            continue;
        }
        failed += 1;
        assert!(matches!(code, Some(74 | 77)), "byte {at}: {code:?}");
        assert!(
            fails.iter().all(|id| id.starts_with("log.")),
            "byte {at}: {fails:?}"
        );
        if dumped == Some(74) {
            assert!(text.contains("DAMAGE     log/db at "), "byte {at}: {text}");
        }
    }
    assert!(failed > 0, "no flip of {size} bytes was damage");
}

#[test]
fn entries_are_carved_out_of_a_log_that_sled_cannot_open() {
    let (_parent, dir) = damaged(|dir| flip(&dir.join("log/conf"), 3));
    let (text, code) = dump(&dir);
    assert_eq!(code, Some(74), "{text}");
    assert!(
        text.contains("DAMAGE     log/db at opening: log/conf "),
        "{text}"
    );
    assert!(text.contains("  carved: register HELLO/hello-"), "{text}");
}

#[test]
fn a_missing_entry_is_named_and_the_ones_behind_it_are_shown() {
    let (_parent, dir) = damaged(|dir| {
        let db = sled::open(dir.join("log")).unwrap();
        let log = db.open_tree("log").unwrap();
        let keys: Vec<_> = log.iter().keys().map(Result::unwrap).collect();
        log.remove(&keys[keys.len() / 2]).unwrap();
        db.flush().unwrap();
    });
    let (checks, code) = doctor(&dir, &[]);
    assert_eq!(verdict(&checks, "log.whole"), "fail");
    assert!(code >= Some(74), "{code:?}");
    let evidence = checks["log.whole"]["evidence"].as_str().unwrap();
    assert!(evidence.contains(" is missing"), "{evidence}");
    let (text, code) = dump(&dir);
    assert_eq!(code, Some(74), "{text}");
    let (before, behind) = text
        .split_once("DAMAGE     log/db at entries ")
        .expect("named");
    assert!(
        before.contains("  commands ") && behind.contains("  commands "),
        "{text}"
    );
}

#[test]
fn an_older_log_is_another_moments() {
    let (_parent, dir) = damaged(|_| {});
    let older = dir.with_file_name("older");
    copy_dir(&dir.join("log"), &older);
    goes_on(&dir);
    fs::remove_dir_all(dir.join("log")).unwrap();
    fs::rename(&older, dir.join("log")).unwrap();
    let (_, code) = doctor(&dir, &[]);
    assert_eq!(code, Some(77));
    let (text, code) = dump(&dir);
    assert_eq!(code, Some(74), "{text}");
    assert!(text.contains("DAMAGE     log/db at its end: "), "{text}");
}

/// Lets a node run on `dir` until it has committed entries of its own, and kills it.
fn goes_on(dir: &Path) {
    let ports = free_ports(2);
    let set = [
        format!("node.data_dir=\"{}\"", dir.display()),
        format!("listen.http=127.0.0.1:{}", ports[0]),
        format!("listen.peer=127.0.0.1:{}", ports[1]),
    ];
    let mut node = Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .arg("serve")
        .args(set.iter().flat_map(|setting| ["--set", setting]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], ports[0]));
    let last = entries(&[]).last().copied().expect("an entry");
    eventually("entries of its own are committed", SOON, || {
        let status = request(http, "GET", "/v1/status").ok()?.json();
        (status["log"]["committed"].as_u64()? >= last + 3).then_some(())
    });
    node.kill().unwrap();
    node.wait().unwrap();
}

#[test]
fn what_an_operator_wrote_is_checked_too() {
    let (_parent, dir) = damaged(|_| {});
    let (checks, code) = doctor(&dir, &["--set", "node.name=node-2"]);
    assert_eq!(
        (verdict(&checks, "identity.name").as_str(), code),
        ("fail", Some(77))
    );
    let (checks, code) = doctor(&dir, &["--set", "raft.hartbeat=1s"]);
    assert_eq!(
        (verdict(&checks, "config.valid").as_str(), code),
        ("fail", Some(78))
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen.http={}", taken.local_addr().unwrap());
    let (checks, _) = doctor(&dir, &["--set", &listen]);
    assert_eq!(verdict(&checks, "port.http"), "warn");
}

#[test]
fn a_directory_in_use_is_not_read_and_its_process_is_named() {
    let (_parent, dir) = damaged(|_| {});
    let lock = fs::File::open(dir.join("LOCK")).unwrap();
    lock.lock().unwrap();
    let (checks, code) = doctor(&dir, &[]);
    assert_eq!(
        (verdict(&checks, "dir.in-use").as_str(), code),
        ("fail", Some(77))
    );
    let evidence = checks["dir.in-use"]["evidence"].as_str().unwrap();
    let pid = format!("(pid {})", std::process::id());
    assert!(evidence.ends_with(&pid), "{evidence}");
    assert!(!checks.contains_key("log.whole"));
    assert_eq!(dump(&dir).1, Some(77));
}

#[test]
fn looking_changes_nothing_and_leaves_no_copy() {
    // After a kill, and with a slot that a start would heal: there is something to write for whoever
    // opens it.
    let (parent, dir) = damaged(|dir| {
        goes_on(dir);
        flip(&dir.join("META.b"), 30);
    });
    let scratch = parent.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let before = contents(&dir);
    for arguments in [&["log", "dump"][..], &["doctor", "--offline"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
            .args(arguments)
            .arg("--data-dir")
            .arg(&dir)
            .env("TMPDIR", &scratch)
            .output()
            .unwrap();
        assert!(!output.stdout.is_empty(), "{output:?}");
        assert_eq!(contents(&dir), before, "{arguments:?}");
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "{arguments:?}");
    }
}

/// Every file below `dir` with its length and checksum.
fn contents(dir: &Path) -> BTreeMap<PathBuf, (usize, u32)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, (bytes.len(), crc32fast::hash(&bytes)));
        }
    }
    found
}

#[test]
fn a_range_limits_the_entries_and_json_is_one_object_a_line() {
    let all = entries(&[]);
    assert!(all.len() >= 5, "{all:?}");
    let (from, to) = (all[1].to_string(), all[3].to_string());
    assert_eq!(entries(&["--from", &from, "--to", &to]), all[1..=3]);
}

/// The indexes a dump shows as JSON.
fn entries(more: &[&str]) -> Vec<u64> {
    let more = [&["--output", "json"], more].concat();
    let output = eureka_raft(&["log", "dump"], stopped(), &more);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.last().unwrap()["line"], "end");
    let entries = lines.iter().filter(|line| line["line"] == "entry");
    entries
        .map(|line| line["index"].as_u64().unwrap())
        .collect()
}
