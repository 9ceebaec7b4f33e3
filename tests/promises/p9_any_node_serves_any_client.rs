//! P9: any client works against any node; followers forward, nobody redirects.

use crate::support::cluster::Cluster;

#[test]
fn p9_every_write_works_on_every_node_and_none_answers_3xx() {
    let cluster = Cluster::started(3, &[]);
    for (i, node) in cluster.nodes.iter().enumerate() {
        let id = format!("i-{i}");
        let path = format!("/eureka/v2/apps/ANY/{id}");
        let registered = node.register("ANY", &id, 3_600);
        assert_eq!((registered.status, registered.body.len()), (204, 0));
        let steps = [
            ("PUT", path.clone(), 200),
            (
                "PUT",
                format!("{path}?status=UP&lastDirtyTimestamp=1700000000000"),
                200,
            ),
            ("PUT", format!("{path}/status?value=OUT_OF_SERVICE"), 200),
            ("DELETE", format!("{path}/status?value=UP"), 200),
            ("PUT", format!("{path}/metadata?color=blue"), 200),
            ("DELETE", path.clone(), 200),
            ("DELETE", path.clone(), 404),
            ("PUT", path.clone(), 404),
        ];
        for (method, path, status) in steps {
            let answer =
                crate::support::http::request(node.http, method, &path).expect("an answer");
            assert_eq!(
                (answer.status, answer.body.len()),
                (status, 0),
                "{method} {path} on {}",
                node.name
            );
        }
    }
    cluster.await_equal_state();
}

#[test]
fn p9_each_write_has_its_own_place_in_the_log() {
    let cluster = Cluster::started(3, &[]);
    let mut places = std::collections::BTreeSet::new();
    for i in 0..30 {
        let answer = cluster.nodes[i % 3].register("PLACE", &format!("i-{i}"), 3_600);
        let seq: u32 = answer
            .header("x-eureka-raft-seq")
            .expect("a position")
            .parse()
            .unwrap();
        assert!(
            places.insert((answer.index(), seq)),
            "two writes at one place"
        );
    }
}
