//! P8: a voter that lost its disk never votes nor acknowledges as if nothing had happened; and the
//! first start, which gives everybody an identity, survives a kill at any moment.

use std::time::Duration;

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, outlast};

#[test]
fn p8_a_wiped_node_exits_77_and_says_what_to_do() {
    let mut cluster = Cluster::started(3, &[]);
    assert_eq!(cluster.nodes[0].register("WIPED", "one", 3_600).status, 204);
    for wiped in 0..3 {
        cluster.nodes[wiped].kill();
        let kept = cluster.nodes[wiped].data.with_extension("kept");
        std::fs::rename(&cluster.nodes[wiped].data, &kept).expect("the directory can be put aside");
        cluster.nodes[wiped].start();
        assert_eq!(
            cluster.nodes[wiped].await_exit(SOON).code(),
            Some(77),
            "node-{}",
            wiped + 1
        );
        assert!(
            cluster.nodes[wiped]
                .log()
                .contains("another data directory")
        );
        std::fs::remove_dir_all(&cluster.nodes[wiped].data).expect("the empty directory goes");
        std::fs::rename(&kept, &cluster.nodes[wiped].data).expect("the directory comes back");
        cluster.nodes[wiped].start();
        cluster.await_ready();
    }
    cluster.await_equal_state();
}

#[test]
fn p8_a_first_start_survives_a_kill_of_any_node_at_any_moment() {
    for victim in 0..3 {
        for moment_ms in [0, 15, 40, 80, 150, 300] {
            let mut cluster = Cluster::new(3, &[]);
            cluster.start_all();
            outlast(Duration::from_millis(moment_ms));
            cluster.nodes[victim].kill();
            cluster.nodes[victim].start();
            cluster.await_ready();
            let answer = cluster.nodes[victim].register("FIRST", "one", 3_600);
            assert_eq!(answer.status, 204, "victim {victim} at {moment_ms} ms");
        }
    }
}

#[test]
fn p8_nodes_wait_for_who_is_missing_and_name_it() {
    let mut cluster = Cluster::new(3, &[]);
    cluster.nodes[0].start();
    cluster.nodes[2].start();
    eventually("node-1 names node-2 as missing", SOON, || {
        let answer =
            crate::support::http::request(cluster.nodes[0].http, "GET", "/readyz?verbose").ok()?;
        (answer.status == 503 && answer.text().contains("node-2")).then_some(())
    });
    cluster.nodes[1].start();
    cluster.await_ready();
}

#[test]
fn p8_a_directory_in_use_is_refused() {
    let mut cluster = Cluster::started(1, &[]);
    let data = cluster.nodes[0].data.clone();
    let mut second = Cluster::new(1, &[]);
    second.nodes[0].set(&format!("node.data_dir=\"{}\"", data.display()));
    second.nodes[0].start();
    assert_eq!(second.nodes[0].await_exit(SOON).code(), Some(77));
    assert_eq!(cluster.nodes[0].register("USED", "one", 3_600).status, 204);
    cluster.nodes[0].signal("TERM");
    assert_eq!(cluster.nodes[0].await_exit(SOON).code(), Some(0));
}
