//! Overload and leaderlessness are refusals that say what did not happen; the queue never grows.

use std::time::Duration;

use crate::support::cluster::{Cluster, SOON};
use crate::support::eventually::{eventually, timed};

/// A write waits so long for a leader before it is refused (`limits.leader_wait`).
const LEADER_WAIT: Duration = Duration::from_secs(3);

/// A follower of three, alone, with room for two waiting writes, once it knows that nobody leads.
fn a_node_without_a_leader() -> Cluster {
    let mut cluster = Cluster::started(3, &["limits.queue=2"]);
    let leader = cluster.leader();
    let survivor = cluster.follower();
    let other = 3 - leader - survivor;
    cluster.nodes[leader].kill();
    cluster.nodes[other].kill();
    cluster.nodes.swap(0, survivor);
    eventually("the survivor knows of no leader", SOON, || {
        cluster.nodes[0].status()?["cluster"]["leader"]
            .is_null()
            .then_some(())
    });
    cluster
}

#[test]
fn a_write_beyond_the_queue_is_503_at_once_and_not_executed() {
    let cluster = a_node_without_a_leader();
    let node = &cluster.nodes[0];
    std::thread::scope(|scope| {
        let writes: Vec<_> = (0..8)
            .map(|i| scope.spawn(move || timed(|| node.register("FULL", &format!("i-{i}"), 90))))
            .collect();
        let answers: Vec<_> = writes
            .into_iter()
            .map(|write| write.join().unwrap())
            .collect();
        for (answer, _) in &answers {
            assert_eq!((answer.status, answer.body.len()), (503, 0));
            assert!(answer.header("retry-after").is_some());
        }
        let at_once = answers.iter().filter(|(answer, took)| {
            *took < LEADER_WAIT / 2
                && answer.header("x-eureka-raft-outcome") == Some("not-executed")
        });
        assert_eq!(at_once.count(), 6, "two wait, the others are refused");
    });
}

#[test]
fn a_write_waits_for_a_leader_as_long_as_an_election_takes() {
    let mut cluster = Cluster::started(3, &[]);
    let leader = cluster.leader();
    let follower = cluster.follower();
    cluster.nodes[leader].kill();
    let (answer, took) = timed(|| cluster.nodes[follower].register("WAIT", "one", 90));
    // Refused at once it would say `not-executed`; only what was on its way to the dead leader is unknown.
    match answer.status {
        204 => assert!(answer.index() > 0),
        status => {
            let outcome = answer.header("x-eureka-raft-outcome");
            assert_eq!((status, outcome), (503, Some("unknown")), "after {took:?}");
        }
    }
}
