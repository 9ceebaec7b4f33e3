"""Processes that are killed: rows 1 to 4."""

import time

from runner.waiting import Within

from ..row import ALWAYS, row

# A snapshot every second or so, and so little log behind it that whoever was away for a moment needs one.
SNAPSHOTS_ALL_THE_TIME = ["raft.snapshot_every_entries=150", "raft.keep_entries=50"]
KILLS_MIN = 20
# Leases short enough that a run outlives them.
SHORT_LEASES = {"lease_s": 8, "renew_every_s": 2, "applications": 10, "answer_seconds": 1.5}
# About as long as it takes to elect another leader.
LEADERLESS_SECONDS = 1.5
UNPROTECTED = ["protection.enabled=false"]


@row(1, "kill -9 of the leader", seconds=10, ci=ALWAYS, runs=20)
def leader_killed(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(1, 3)
    leader = cluster.leader()
    since = run.fault(f"kill -9 {leader.name}")
    leader.kill()
    stale_reads_go_on(run, cluster.others(leader))
    cluster.leader()
    run.rest(2, 3)
    run.gap(load, since, ms_max=8000)
    leader.start()
    run.settle(cluster, load)


def stale_reads_go_on(run, survivors):
    """While nobody leads, local reads are answered by every live node."""
    ends = time.monotonic() + LEADERLESS_SECONDS
    while time.monotonic() < ends:
        for node in survivors:
            answer = node.ask("GET", "/eureka/apps/APP-000?consistency=local", seconds_max=1)
            run.expect(answer.status == 200, f"{node.name} answered {answer.status} to a local read after the leader's death")
        time.sleep(0.02)


@row(2, "kill -9 of a follower, and its return", seconds=10, ci=ALWAYS, runs=10)
def follower_killed(run):
    cluster = run.cluster()
    size = {"applications": 200, "instances": 50, "renew_every_s": 30, "lease_s": 90} if run.full else {}
    load = run.load(cluster, **size)
    run.rest(1, 3)
    follower = run.rng.choice(cluster.followers())
    since = run.fault(f"kill -9 {follower.name}")
    follower.kill()
    run.rest(2)
    run.gap(load, since, ms_max=200)
    follower.start()
    took = follower.await_ready(seconds_max=10)
    run.note(f"{len(load.instances)} instances, ready after {took:.1f} s")
    run.settle(cluster, load)


@row(3, "kill -9 of any node, 20 times while snapshots are built and sent and logs purged", seconds=60, runs=2)
def any_killed_at_any_moment(run):
    """The release binary has no failpoints, so the moments are drawn: with a snapshot each second, many fall inside one."""
    cluster = run.cluster(settings=SNAPSHOTS_ALL_THE_TIME)
    load = run.load(cluster)
    kills = 60 if run.full else KILLS_MIN
    began = run.fault(f"{kills} kills at drawn moments")
    for _ in range(kills):
        run.rest(0.05, 0.6)
        node = run.rng.choice(cluster.nodes)
        node.kill()
        # Briefly, or until the others have purged what it would need.
        run.rest(*run.rng.choice([(0.0, 0.3), (1.8, 2.8)]))
        node.start()
        cluster.await_ready()
    run.gap(load, began)
    snapshots = sum(node.log_text().count("snapshot built") for node in cluster.nodes)
    installs = sum(node.log_text().count("snapshot installed") for node in cluster.nodes)
    run.expect(snapshots >= kills / 2, f"only {snapshots} snapshots were built: the kills missed them")
    run.expect(installs >= kills / 10, f"only {installs} snapshots were installed: the kills missed that")
    run.note(f"{kills} kills among {snapshots} snapshots built and {installs} installed")
    run.settle(cluster, load)


@row(4, "kill -9 of all three at once", seconds=26, runs=5)
def all_killed(run):
    cluster = run.cluster(settings=UNPROTECTED)
    load = run.load(cluster, **SHORT_LEASES)
    run.rest(1, 2)
    since = run.fault("kill -9 of all")
    for node in cluster.nodes:
        node.kill()
    # At once, or after longer than a lease: time in which nobody leads ends no lease.
    run.rest(run.rng.choice([0, 10]))
    for node in cluster.nodes:
        node.start()
    within = Within(10)
    cluster.await_ready(within.seconds)
    run.expect(not within.has_passed, "writes were not accepted within 10 s after the start")
    run.rest(SHORT_LEASES["lease_s"] + 2)
    run.gap(load, since)
    run.settle(cluster, load)
