//! P6: who renews in time is never evicted, whatever happens to the cluster; the dead go in their
//! duration and a second of lease time.

use std::time::Duration;

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, outlast, timed};

#[test]
fn p6_a_dead_instance_goes_and_a_living_one_stays() {
    let cluster = Cluster::started(1, &[]);
    let node = &cluster.nodes[0];
    assert_eq!(node.register("LEASE", "dead", 3).status, 204);
    assert_eq!(node.register("LEASE", "alive", 3).status, 204);
    eventually("the dead one is evicted", Duration::from_secs(8), || {
        assert_eq!(node.put("/eureka/apps/LEASE/alive").status, 200);
        (node.get("/eureka/apps/LEASE/dead").status == 404).then_some(())
    });
    assert_eq!(node.get("/eureka/apps/LEASE/alive").status, 200);
    assert_eq!(node.put("/eureka/apps/LEASE/dead").status, 404);
}

#[test]
fn p6_an_outage_longer_than_the_lease_evicts_nobody_who_comes_back() {
    let mut cluster = Cluster::started(3, &[]);
    let ids: Vec<String> = (0..12).map(|i| format!("i-{i}")).collect();
    for id in &ids {
        assert_eq!(cluster.nodes[0].register("LEASE", id, 4).status, 204);
    }
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    // Longer than any of the leases.
    outlast(Duration::from_secs(5));
    cluster.start_all();
    cluster.await_ready();
    cluster.leader();
    for id in &ids {
        assert_eq!(
            cluster.nodes[1]
                .put(&format!("/eureka/apps/LEASE/{id}"))
                .status,
            200,
            "{id} was lost"
        );
    }
}

#[test]
fn p6_a_change_of_leader_costs_no_heartbeat_a_404() {
    let mut cluster = Cluster::started(3, &[]);
    for i in 0..10 {
        assert_eq!(
            cluster.nodes[0]
                .register("LEASE", &format!("i-{i}"), 30)
                .status,
            204
        );
    }
    let leader = cluster.leader();
    let follower = cluster.follower();
    cluster.nodes[leader].kill();
    for i in 0..10 {
        let answer = cluster.nodes[follower].put(&format!("/eureka/apps/LEASE/i-{i}"));
        assert!(
            matches!(answer.status, 200 | 503),
            "i-{i}: {}",
            answer.status
        );
    }
    cluster.leader();
    for i in 0..10 {
        assert_eq!(
            cluster.nodes[follower]
                .put(&format!("/eureka/apps/LEASE/i-{i}"))
                .status,
            200
        );
    }
}

#[test]
fn p6_a_leader_that_was_paused_longer_than_the_lease_evicts_nobody() {
    let cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    let others: Vec<usize> = (0..3).filter(|&i| i != leader).collect();
    let ids: Vec<String> = (0..6).map(|i| format!("i-{i}")).collect();
    for id in &ids {
        assert_eq!(cluster.nodes[leader].register("LEASE", id, 4).status, 204);
    }
    cluster.nodes[leader].signal("STOP");
    for round in 0..6 {
        outlast(Duration::from_secs(1));
        for id in &ids {
            let answer = cluster.nodes[others[round % 2]].put(&format!("/eureka/apps/LEASE/{id}"));
            assert!(
                matches!(answer.status, 200 | 503),
                "{id}: {}",
                answer.status
            );
        }
    }
    cluster.nodes[leader].signal("CONT");
    for round in 0..3 {
        for id in &ids {
            let node = &cluster.nodes[(leader + round) % 3];
            let answer = eventually("an answer that is one", SOON, || {
                Some(node.put(&format!("/eureka/apps/LEASE/{id}")))
                    .filter(|answer| answer.status != 503)
            });
            assert_eq!(answer.status, 200, "{id} was lost");
        }
    }
    cluster.await_equal_state();
}

#[test]
fn p6_a_dead_instance_goes_in_its_time_while_thousands_renew() {
    let cluster = Cluster::started(3, &[]);
    for i in 0..40 {
        assert_eq!(
            cluster.nodes[i % 3]
                .register("BUSY", &format!("i-{i}"), 60)
                .status,
            204
        );
    }
    assert_eq!(cluster.nodes[0].register("BUSY", "dead", 4).status, 204);
    let ((), took) = timed(|| {
        eventually(
            "the dead one is evicted under load",
            Duration::from_secs(12),
            || {
                std::thread::scope(|scope| {
                    for node in &cluster.nodes {
                        scope.spawn(move || {
                            for i in 0..40 {
                                assert_eq!(
                                    node.put(&format!("/eureka/apps/BUSY/i-{i}")).status,
                                    200
                                );
                            }
                        });
                    }
                });
                (cluster.nodes[1].get("/eureka/apps/BUSY/dead").status == 404).then_some(())
            },
        );
    });
    // A lease clock that lost time to busy entries would keep it far longer.
    assert!(took < Duration::from_secs(8), "{took:?}");
}
