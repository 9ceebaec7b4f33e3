//! P10: a heartbeat answered 404 is a linearizable statement, for Eureka's three reasons.

use crate::support::cluster::Cluster;

#[test]
fn p10_a_heartbeat_is_404_for_three_reasons_on_every_node() {
    let cluster = Cluster::started(3, &[]);
    for node in &cluster.nodes {
        assert_eq!(node.put("/eureka/apps/NOBODY/one").status, 404, "no lease");
    }
    assert_eq!(cluster.nodes[0].register("SOME", "one", 3_600).status, 204);
    for node in &cluster.nodes {
        let newer = node.put("/eureka/apps/SOME/one?lastDirtyTimestamp=1700000000001");
        assert_eq!(
            (newer.status, newer.body.len()),
            (404, 0),
            "the client is newer"
        );
        assert_eq!(
            node.put("/eureka/apps/SOME/one?lastDirtyTimestamp=1699999999999")
                .status,
            200
        );
    }
    assert_eq!(
        cluster.nodes[1]
            .put("/eureka/apps/SOME/one/status?value=OUT_OF_SERVICE")
            .status,
        200
    );
    assert_eq!(
        cluster.nodes[2]
            .delete("/eureka/apps/SOME/one/status")
            .status,
        200
    );
    for node in &cluster.nodes {
        assert_eq!(
            node.put("/eureka/apps/SOME/one").status,
            404,
            "stored status UNKNOWN"
        );
    }
}

#[test]
fn p10_a_heartbeat_right_after_a_registration_elsewhere_is_never_404() {
    let cluster = Cluster::started(3, &[]);
    for i in 0..60 {
        let id = format!("i-{i}");
        assert_eq!(
            cluster.nodes[i % 3].register("FRESH", &id, 3_600).status,
            204
        );
        assert_eq!(
            cluster.nodes[(i + 1) % 3]
                .put(&format!("/eureka/apps/FRESH/{id}"))
                .status,
            200
        );
        assert_eq!(
            cluster.nodes[(i + 2) % 3]
                .register("FRESH", &id, 3_600)
                .status,
            204
        );
        assert_eq!(
            cluster.nodes[(i + 1) % 3]
                .put(&format!("/eureka/apps/FRESH/{id}"))
                .status,
            200
        );
    }
}
