//! One cluster from one list, one process from one directory, one member from one name.

use std::time::Duration;

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, outlast};
use crate::support::http::request;

/// Both lists hold node-2: whichever plan it stores, the other founder never gets its quorum.
#[test]
fn two_first_starts_with_different_lists_do_not_both_succeed() {
    let mut ours = Cluster::new(2, &[]);
    let mut theirs = Cluster::new(1, &[]);
    let list = format!(
        "cluster.initial_members=[{{ name = \"node-1\", peer = \"{}\" }}, {{ name = \"node-2\", peer = \"{}\" }}]",
        theirs.nodes[0].peer, ours.nodes[1].peer
    );
    theirs.nodes[0].set(&list);
    theirs.nodes[0].start();
    ours.start_all();
    let cluster_of = |cluster: &Cluster| -> Option<String> {
        let answer = request(cluster.nodes[0].http, "GET", "/readyz").ok()?;
        let id = request(cluster.nodes[0].http, "GET", "/v1/status")
            .ok()?
            .json()["cluster"]["id"]
            .clone();
        (answer.status == 200).then(|| id.as_str().expect("an id is a string").to_owned())
    };
    let first = eventually("one of the two founders is ready", SOON, || {
        match (cluster_of(&ours), cluster_of(&theirs)) {
            (Some(_), Some(_)) => panic!("two clusters were founded with one member"),
            (None, None) => None,
            (ready, other) => ready.or(other),
        }
    });
    outlast(Duration::from_secs(1));
    assert!(!(cluster_of(&ours).is_some() && cluster_of(&theirs).is_some()));
    eventually(
        "the member of both is in the one that was founded",
        SOON,
        || {
            let status = request(ours.nodes[1].http, "GET", "/v1/status")
                .ok()?
                .json();
            (status["cluster"]["id"] == first).then_some(())
        },
    );
}

#[test]
fn the_directory_of_one_node_is_refused_to_another_name() {
    let mut cluster = Cluster::started(1, &[]);
    cluster.nodes[0].signal("TERM");
    assert_eq!(cluster.nodes[0].await_exit(SOON).code(), Some(0));
    cluster.nodes[0].set("node.name=\"node-9\"");
    cluster.nodes[0].set("cluster.initial_members=[]");
    cluster.nodes[0].start();
    let exit = cluster.nodes[0].await_exit(SOON);
    assert_eq!(exit.code(), Some(77), "{}", cluster.nodes[0].log());
    assert!(cluster.nodes[0].log().contains("belongs to \"node-1\""));
}

#[test]
fn a_copy_of_a_directory_ends_where_the_member_itself_answers() {
    let mut cluster = Cluster::started(1, &[]);
    assert_eq!(cluster.nodes[0].register("ONCE", "one", 3_600).status, 204);
    cluster.nodes[0].kill();
    let place = cluster.newcomer("copy");
    let (original, copy) = cluster.nodes.split_at_mut(place);
    copy[0].become_a_copy_of(&original[0]);
    original[0].start();
    original[0].await_ready();
    copy[0].start();
    assert_eq!(copy[0].await_exit(SOON).code(), Some(77));
    assert!(copy[0].log().contains("twice"), "{}", copy[0].log());
    // Whichever was started first: the member is who answers at the address the cluster knows.
    original[0].kill();
    copy[0].start();
    copy[0].await_ready();
    original[0].start();
    assert_eq!(copy[0].await_exit(SOON).code(), Some(77));
    original[0].await_ready();
}
