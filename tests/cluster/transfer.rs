//! Handing leadership over on purpose.

use serde_json::Value::Null;
use serde_json::json;

use crate::support::cluster::Cluster;

use super::orders::{order, order_done, refusal};

#[test]
fn leadership_goes_to_whom_it_is_given_and_to_nobody_else() {
    let mut cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    let (next, third) = ((leader + 1) % 3, (leader + 2) % 3);
    let name = cluster.nodes[next].name.clone();
    // Through a follower, which forwards it.
    let report = order_done(
        &cluster.nodes[third],
        "/v1/leader/transfer",
        &json!({"to": name}),
    );
    assert_eq!(report["leader"], json!(name));
    assert!(report["gap_ms"].as_u64().expect("a gap") < 3_000);
    assert_eq!(cluster.leader(), next);
    assert_eq!(
        cluster.nodes[leader].register("NEXT", "one", 3_600).status,
        204
    );
    let again = order(
        &cluster.nodes[next],
        "/v1/leader/transfer",
        &json!({"to": name}),
    );
    assert_eq!((again.status, &again.json()["done"]), (200, &json!(true)));
    order_done(&cluster.nodes[next], "/v1/leader/transfer", &Null);
    assert_ne!(cluster.leader(), next);
    let leader = cluster.leader();
    let down = (leader + 1) % 3;
    cluster.nodes[down].kill();
    let (leading, gone) = (&cluster.nodes[leader], cluster.nodes[down].name.clone());
    assert_eq!(
        refusal(leading, "/v1/leader/transfer", &json!({"to": gone})),
        "not_alive"
    );
    assert_eq!(
        refusal(leading, "/v1/leader/transfer", &json!({"to": "nobody"})),
        "unknown_member"
    );
}

#[test]
fn a_cluster_of_one_has_nobody_to_hand_over_to() {
    let cluster = Cluster::started(1, &[]);
    assert_eq!(
        refusal(&cluster.nodes[0], "/v1/leader/transfer", &Null),
        "no_target"
    );
}
