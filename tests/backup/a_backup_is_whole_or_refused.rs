//! `snapshot save` gives everything acknowledged before it; any damage is named, never believed.

use std::fs;

use crate::support::cluster::Cluster;
use crate::support::command::{run, text};

const SEED: u64 = 1;
const FLIPS: usize = 60;

#[test]
fn a_backup_from_any_node_holds_every_write_acknowledged_before_it() {
    let cluster = Cluster::started(3, &[]);
    let folder = tempfile::tempdir().unwrap();
    for (at, node) in cluster.nodes.iter().enumerate() {
        let id = format!("i-{at}");
        let other = &cluster.nodes[(at + 1) % 3];
        assert_eq!(other.register("BACKED", &id, 90).status, 204);
        let file = folder.path().join(format!("{at}.snap"));
        let server = format!("http://{}", node.http);
        run(&["snapshot", "save", text(&file), "--server", &server]).fine();
        let said = run(&["snapshot", "inspect", text(&file), "--output", "json"]);
        let shown: serde_json::Value = serde_json::from_str(said.fine()).unwrap();
        assert_eq!(shown["instances"], at + 1, "{shown}");
        let status = node.status().unwrap();
        assert_eq!(shown["cluster"], status["cluster"]["id"]);
        assert_eq!(shown["members"].as_array().unwrap().len(), 3);
        assert!(!folder.path().join(format!("{at}.snap.tmp")).exists());
    }
}

#[test]
fn a_flipped_bit_or_a_missing_end_is_exit_74_and_restores_nothing() {
    let cluster = Cluster::started(1, &[]);
    let node = &cluster.nodes[0];
    for id in ["a", "b", "c"] {
        assert_eq!(node.register("BACKED", id, 90).status, 204);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whole.snap");
    let server = format!("http://{}", node.http);
    run(&["snapshot", "save", text(&file), "--server", &server]).fine();
    let ok = run(&["snapshot", "verify", text(&file)]);
    assert!(ok.fine().starts_with("OK "), "{ok:?}");
    let whole = fs::read(&file).unwrap();
    let bad = folder.path().join("bad.snap");
    let data = folder.path().join("data");
    for turn in 0..FLIPS {
        let mut bytes = whole.clone();
        let place = (SEED as usize + turn * 7_919) % (bytes.len() * 8);
        bytes[place / 8] ^= 1 << (place % 8);
        fs::write(&bad, bytes).unwrap();
        let said = run(&["snapshot", "verify", text(&bad)]);
        assert!(matches!(said.code, 74 | 78), "bit {place}: {said:?}");
        assert!(said.err.contains("bad.snap"), "bit {place}: {said:?}");
    }
    for kept in [0, 1, 13, whole.len() / 2, whole.len() - 1] {
        fs::write(&bad, &whole[..kept]).unwrap();
        let refused = run(&["snapshot", "verify", text(&bad)]);
        assert!(refused.refused(74).contains("byte"), "{kept}: {refused:?}");
    }
    let arguments = ["snapshot", "restore", text(&bad), "--data-dir", text(&data)];
    run(&[&arguments[..], &["--name", "node-1"]].concat()).refused(74);
    assert!(!data.exists(), "a refused restore makes nothing");
}
