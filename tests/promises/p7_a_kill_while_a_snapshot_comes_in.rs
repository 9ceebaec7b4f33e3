//! P7: a node killed at any moment at which a snapshot comes in to it, is judged, named, swapped in, or the
//! log behind it is purged, starts again by itself and ends with the state of the others.

use std::time::Duration;

use crate::support::cluster::{Cluster, Node, SOON};
use crate::support::eventually::{closely, eventually, outlast_closely};
use crate::support::http::post_json;
use crate::support::instance;

/// Where in the life of a snapshot the kill comes.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So many per cent of it are here.
    Received(u64),
    /// All of it is here: it is being synced, verified and decoded.
    Judged,
    /// It has its name: it is being swapped in, and the log purged.
    Named,
    /// The node says that it has it.
    Installed,
}

/// One after the other; each is struck after a delay of its own.
const MOMENTS: [Moment; 5] = [
    Moment::Received(30),
    Moment::Judged,
    Moment::Named,
    Moment::Installed,
    Moment::Named,
];
/// Instances of about 30 KiB: a snapshot that takes a while to come in.
const INSTANCES: usize = 80;

#[test]
fn p7_a_node_killed_at_any_step_of_a_snapshot_ends_with_the_state_of_the_others() {
    let mut cluster = Cluster::started(
        3,
        &["raft.snapshot_every_entries=20", "raft.keep_entries=5"],
    );
    let leader = cluster.leader();
    let away = cluster.follower();
    for id in 0..INSTANCES {
        register_large(&cluster.nodes[leader], id, 0);
    }
    cluster.await_equal_state();
    for (seed, moment) in (1u64..).zip(MOMENTS) {
        cluster.nodes[away].kill();
        leave_behind(&cluster, leader, away, seed);
        let delay = Duration::from_micros(seed * 7_919 % 20_000);
        let seen = strike(&mut cluster, (leader, away), moment, delay);
        println!("seed {seed}: {moment:?}, and {delay:?} later; killed with {seen:?}");
        cluster.nodes[away].start();
        cluster.nodes[away].await_ready();
        cluster.await_equal_state();
    }
    let floors = cluster.nodes.iter().map(|node| {
        let status = node.status().expect("a status");
        status["delta"]["oldest_index"].as_u64()
    });
    let floors: Vec<_> = floors.collect();
    assert!(floors.iter().all(|floor| *floor == floors[0]), "{floors:?}");
    let left = snapshot_files(&cluster.nodes[away]);
    let in_parts: Vec<_> = left
        .iter()
        .filter(|(name, _)| name.ends_with(".part"))
        .collect();
    assert!(in_parts.is_empty(), "{in_parts:?}");
}

/// Writes until the leader's log begins behind what the absent node holds: it will need a snapshot.
fn leave_behind(cluster: &Cluster, leader: usize, away: usize, seed: u64) {
    let leader = &cluster.nodes[leader];
    let held = leader.status().expect("a status")["log"]["last"].as_u64();
    let newest = newest(&cluster.nodes[away]).0;
    eventually(
        "the log is purged beyond what the absent node holds",
        SOON,
        || {
            register_large(leader, seed as usize % INSTANCES, seed);
            let purged = leader.status()?["log"]["purged"].as_u64()?;
            (Some(purged) > held && purged > newest).then_some(())
        },
    );
}

/// Starts the node that was away, kills it as soon as `moment` is seen and `delay` after that; answers
/// what it then had.
fn strike(
    cluster: &mut Cluster,
    (leader, away): (usize, usize),
    moment: Moment,
    delay: Duration,
) -> Vec<(String, u64)> {
    let before = newest(&cluster.nodes[away]).0;
    cluster.nodes[away].start();
    let (donor, node) = (&cluster.nodes[leader], &cluster.nodes[away]);
    closely("a snapshot comes in", SOON, || {
        let files = snapshot_files(node);
        let part = files.iter().find(|(name, _)| name.ends_with(".part"));
        // One of the donor's, not one the node has built itself.
        let named = snapshot_files(donor)
            .iter()
            .any(|file| index(&file.0) > Some(before) && files.contains(file));
        let come = match moment {
            Moment::Received(share) => {
                let size = newest(donor).1;
                part.is_some_and(|(_, len)| *len > 0 && len * 100 >= share * size)
            }
            Moment::Judged => part.is_some_and(|(_, len)| *len >= newest(donor).1),
            Moment::Named => named,
            Moment::Installed => named && node.status()?["log"]["snapshot"].as_u64()? > before,
        };
        // What was over before it was seen is a kill at a later step.
        (come || (named && !matches!(moment, Moment::Installed))).then_some(())
    });
    outlast_closely(delay);
    cluster.nodes[away].kill();
    snapshot_files(&cluster.nodes[away])
}

fn register_large(node: &Node, id: usize, seed: u64) {
    let body = instance::body("LARGE", &format!("i-{id}"), 3_600);
    let filled = format!(
        r#""metadata":{{"seed":"{seed}","filling":"{}","#,
        "x".repeat(30 << 10)
    );
    let body = body.replace(r#""metadata":{"#, &filled);
    let answer = post_json(node.http, "/eureka/apps/LARGE", &body).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// The files below `snapshots/`, with their sizes; one that goes while it is looked at is not there.
fn snapshot_files(node: &Node) -> Vec<(String, u64)> {
    let Ok(entries) = std::fs::read_dir(node.data.join("snapshots")) else {
        return Vec::new();
    };
    let sized = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((
            entry.file_name().into_string().ok()?,
            entry.metadata().ok()?.len(),
        ))
    });
    sized.collect()
}

/// Index and size of the newest whole snapshot.
fn newest(node: &Node) -> (u64, u64) {
    let files = snapshot_files(node);
    let whole = files
        .iter()
        .filter_map(|(name, len)| Some((index(name)?, *len)));
    whole.max().unwrap_or_default()
}

/// The log index that a whole snapshot's file name says it covers.
fn index(name: &str) -> Option<u64> {
    let name = name.strip_suffix(".snap")?;
    name.split('-').nth(1)?.parse().ok()
}
