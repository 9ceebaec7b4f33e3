//! What `snapshot restore` makes: the same instances, another cluster, no old cursor, full leases.

use std::fs;

use crate::support::cluster::Cluster;
use crate::support::command::{Said, run, text};

fn restore(file: &str, into: &Cluster) -> Said {
    let node = &into.nodes[0];
    let data = text(&node.data);
    run(&[
        "snapshot",
        "restore",
        file,
        "--data-dir",
        data,
        "--name",
        &node.name,
    ])
}

#[test]
fn a_restored_cluster_has_the_instances_and_refuses_every_old_cursor() {
    let old = Cluster::started(1, &[]);
    let first = old.nodes[0].register("KEPT", "one", 90);
    assert_eq!(first.status, 204);
    let cursor = first.index();
    old.nodes[0].register("KEPT", "two", 90);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.snap");
    let server = format!("http://{}", old.nodes[0].http);
    run(&["snapshot", "save", text(&file), "--server", &server]).fine();

    let mut new = Cluster::new(1, &[]);
    restore(text(&file), &new).fine();
    new.start_all();
    new.await_ready();
    // The old cluster went on meanwhile: an index of its own is none of the new one's.
    let ahead = old.nodes[0].register("KEPT", "late", 90).index();
    let (old, new) = (&old.nodes[0], &new.nodes[0]);
    let whole = new.get("/eureka/apps/KEPT");
    assert_eq!(
        whole.json()["application"]["instance"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_ne!(
        whole.header("x-eureka-raft-cluster"),
        old.get("/eureka/apps").header("x-eureka-raft-cluster"),
        "clients see two clusters"
    );
    assert_eq!(
        old.get(&format!("/eureka/apps/delta?since={cursor}"))
            .status,
        200
    );
    let refused = new.get(&format!("/eureka/apps/delta?since={cursor}"));
    assert_eq!(refused.status, 410);
    let foreign = new.get(&format!("/eureka/apps/delta?since={ahead}"));
    assert_eq!(
        foreign.status, 410,
        "an index that only the old cluster has"
    );
    let from_here = format!("/eureka/apps/delta?since={}", refused.index());
    assert_eq!(new.get(&from_here).status, 200);
    assert_eq!(new.register("KEPT", "three", 90).status, 204);
    assert_eq!(new.put("/eureka/apps/KEPT/one").status, 200);
    let both = [old, new].map(|node| node.get("/eureka/apps/KEPT/three").status);
    assert_eq!(both, [404, 200], "no write crosses over");
}

#[test]
fn a_restored_node_survives_kills_and_restarts() {
    let old = Cluster::started(1, &[]);
    assert_eq!(old.nodes[0].register("KEPT", "one", 90).status, 204);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.snap");
    let server = format!("http://{}", old.nodes[0].http);
    run(&["snapshot", "save", text(&file), "--server", &server]).fine();
    let mut new = Cluster::new(1, &["raft.snapshot_every_entries=20"]);
    restore(text(&file), &new).fine();
    for turn in 0..3 {
        new.start_all();
        new.await_ready();
        for id in 0..15 {
            let id = format!("{turn}-{id}");
            assert_eq!(new.nodes[0].register("KEPT", &id, 90).status, 204);
        }
        new.nodes[0].kill();
    }
    new.start_all();
    new.await_ready();
    let instances = new.nodes[0].status().unwrap()["registry"]["instances"].clone();
    assert_eq!(instances, 46);
}

#[test]
fn a_restore_refuses_a_directory_that_is_not_empty() {
    let old = Cluster::started(1, &[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.snap");
    let server = format!("http://{}", old.nodes[0].http);
    run(&["snapshot", "save", text(&file), "--server", &server]).fine();
    let new = Cluster::new(1, &[]);
    fs::create_dir_all(&new.nodes[0].data).unwrap();
    fs::write(new.nodes[0].data.join("notes.txt"), "mine").unwrap();
    let refused = restore(text(&file), &new);
    assert!(refused.refused(77).contains("notes.txt"), "{refused:?}");
    let in_use = restore(text(&file), &old);
    assert!(in_use.refused(77).contains("in use"), "{in_use:?}");
}
