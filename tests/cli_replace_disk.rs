//! `recover replace-disk` puts an empty directory in the place of one that cannot be trusted, loses
//! nothing on the way, and refuses where it would do harm.
#![expect(clippy::unwrap_used, reason = "a broken given of a test may end it")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::cluster::{Cluster, SOON};
use support::eventually::eventually;
use support::http::request;

fn replace_disk(dir: &Path, server: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eureka-raft"))
        .args(["recover", "replace-disk", "--server", server, "--data-dir"])
        .arg(dir)
        .args(more)
        .output()
        .expect("the binary runs")
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn kept(dir: &Path, number: u32) -> PathBuf {
    let name = dir.file_name().unwrap().to_string_lossy();
    dir.with_file_name(format!("{name}.replaced-{number}"))
}

/// Waits until the first node knows that the second one is gone.
fn await_silence(cluster: &Cluster) {
    eventually("node-2 is not heard of", SOON, || {
        let members = request(cluster.nodes[0].http, "GET", "/v1/members")
            .ok()?
            .json();
        let rows = members["members"].as_array()?;
        let row = rows.iter().find(|row| row["name"] == "node-2")?;
        (row["reachable"] == false).then_some(())
    });
}

#[test]
fn a_rotten_directory_is_kept_and_its_node_comes_back_in_its_own_place() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(
        cluster.nodes[1].register("HELLO", "hello-1", 600).status,
        204
    );
    let server = format!("http://{}", cluster.nodes[0].http);
    let dir = cluster.nodes[1].data.clone();

    let in_use = replace_disk(&dir, &server, &[]);
    assert_eq!(in_use.status.code(), Some(77), "{in_use:?}");

    cluster.nodes[1].signal("TERM");
    assert!(cluster.nodes[1].await_exit(SOON).success());
    await_silence(&cluster);
    let whole = replace_disk(&dir, &server, &[]);
    assert_eq!(whole.status.code(), Some(75), "{whole:?}");
    assert!(
        last_line(&whole).contains("identity and log are whole"),
        "{whole:?}"
    );

    for slot in ["META.a", "META.b"] {
        fs::write(dir.join(slot), b"rot").unwrap();
    }
    let nameless = replace_disk(&dir, &server, &[]);
    assert_eq!(nameless.status.code(), Some(64), "{nameless:?}");
    let named = ["--set", "node.name=node-2"];
    let dry = replace_disk(&dir, &server, &[&named[..], &["--dry-run"]].concat());
    assert_eq!(dry.status.code(), Some(0), "{dry:?}");
    assert!(
        said(&dry).ends_with("nothing was changed\n"),
        "{}",
        said(&dry)
    );
    assert!(dir.join("log").exists() && !kept(&dir, 1).exists());

    let done = replace_disk(&dir, &server, &named);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(kept(&dir, 1).join("log/db").exists());
    assert!(!dir.join("log").exists());
    // Said again, and nothing is moved a second time.
    let again = replace_disk(&dir, &server, &[]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert!(
        said(&again).contains("takes the place of node-2 (id 2)"),
        "{}",
        said(&again)
    );
    assert!(!kept(&dir, 2).exists());

    cluster.nodes[1].start();
    cluster.await_ready();
    assert_eq!(
        cluster.nodes[1]
            .get("/eureka/apps/HELLO/hello-1?consistency=local")
            .status,
        200
    );
    eventually("three voters, node-2 under another id", SOON, || {
        let members = request(cluster.nodes[0].http, "GET", "/v1/members")
            .ok()?
            .json();
        let rows = members["members"].as_array()?.clone();
        let row = rows.iter().find(|row| row["name"] == "node-2")?;
        let votes = row["role"] != "learner" && row["id"] != 2;
        (votes && rows.len() == 3).then_some(())
    });
}

#[test]
fn an_interrupted_replacement_goes_on_and_strangers_are_refused() {
    let mut cluster = Cluster::started(3, &[]);
    let other = Cluster::started(1, &[]);
    let server = format!("http://{}", cluster.nodes[0].http);
    let dir = cluster.nodes[1].data.clone();
    cluster.nodes[1].kill();
    await_silence(&cluster);

    // Somebody's empty directory, under the name of a member that runs.
    let empty = dir.with_file_name("empty");
    let runs = replace_disk(&empty, &server, &["--set", "node.name=node-3"]);
    assert_eq!(runs.status.code(), Some(75), "{runs:?}");
    assert!(last_line(&runs).contains("answers its peers"), "{runs:?}");
    assert!(!empty.exists());

    let foreign = format!("http://{}", other.nodes[0].http);
    let strange = replace_disk(&dir, &foreign, &["--although-whole"]);
    assert_eq!(strange.status.code(), Some(77), "{strange:?}");
    assert!(dir.join("META.a").exists());

    // Killed between the two steps: the directory has moved, and there is no other yet.
    fs::rename(&dir, kept(&dir, 1)).unwrap();
    let resumed = replace_disk(&dir, &server, &[]);
    assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
    assert!(
        said(&resumed).contains("takes the place of node-2"),
        "{}",
        said(&resumed)
    );
    assert!(!kept(&dir, 2).exists());

    // Without a quorum nobody can join, and the directory may be what is left.
    cluster.nodes[2].kill();
    eventually("nobody leads", SOON, || {
        cluster.nodes[0].status()?["cluster"]["leader"]
            .is_null()
            .then_some(())
    });
    let last = cluster.nodes[2].data.clone();
    let lost = replace_disk(&last, &server, &["--although-whole"]);
    assert_eq!(lost.status.code(), Some(75), "{lost:?}");
    assert!(last_line(&lost).contains("recover force"), "{lost:?}");
    assert!(last.join("META.a").exists());
}
