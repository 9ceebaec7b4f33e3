//! Members that move.

use serde_json::json;

use crate::support::cluster::SOON;
use crate::support::cluster::{Cluster, free_ports};
use crate::support::eventually::eventually;

use super::orders::{await_voters, member, order_done, refusal};

#[test]
fn a_member_that_moved_is_followed_once_it_answers_at_its_new_address() {
    let mut cluster = Cluster::started(3, &[]);
    if cluster.leader() == 2 {
        order_done(
            &cluster.nodes[0],
            "/v1/leader/transfer",
            &json!({"to": "node-1"}),
        );
    }
    let path = "/v1/members/node-3/update";
    let nowhere = format!("127.0.0.1:{}", free_ports(1)[0]);
    let first = &cluster.nodes[0];
    assert_eq!(
        refusal(first, path, &json!({"peer": nowhere})),
        "unreachable"
    );
    let another = cluster.nodes[1].peer.to_string();
    assert_eq!(
        refusal(first, path, &json!({"peer": another})),
        "wrong_node"
    );
    let stranger = Cluster::started(1, &[]);
    let foreign = stranger.nodes[0].peer.to_string();
    assert_eq!(
        refusal(first, path, &json!({"peer": foreign})),
        "foreign_cluster"
    );
    cluster.nodes[2].kill();
    let moved = format!("127.0.0.1:{}", free_ports(1)[0]);
    cluster.nodes[2].set(&format!("listen.peer=\"{moved}\""));
    cluster.nodes[2].start();
    eventually("the moved node listens", SOON, || {
        let answer = crate::support::http::request(cluster.nodes[2].http, "GET", "/livez").ok()?;
        (answer.status == 200).then_some(())
    });
    order_done(
        &cluster.nodes[0],
        path,
        &json!({"peer": moved, "http": "http://localhost:1"}),
    );
    cluster.await_ready();
    await_voters(&cluster, &["node-1", "node-2", "node-3"]);
    let row = member(&cluster.nodes[1], "node-3").expect("a member");
    assert_eq!(
        (&row["peer"], &row["http"]),
        (&json!(moved), &json!("http://localhost:1"))
    );
    assert_eq!(cluster.nodes[2].register("MOVED", "one", 3_600).status, 204);
    cluster.await_equal_state();
}
