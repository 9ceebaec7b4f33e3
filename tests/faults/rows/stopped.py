"""Nodes that are asked to stop: rows 62 and 63."""

import time

from ..row import row
from .behind import LOW_POLICY, await_caught_up, await_purged_beyond, log_of

# What systemd's default is a multiple of: a stop that takes longer is a hang.
STOP_SECONDS_MAX = 15
GAP_MS_MAX = 500


@row(62, "rolling restart of all with SIGTERM under load (20 times in a full run)", seconds=15, runs=1)
def rolling_restart(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(1)
    rounds = 20 if run.full else 2
    began = run.fault(f"{rounds} rolling restarts")
    stops = []
    for _ in range(rounds):
        for node in cluster.nodes:
            led = cluster.leader() is node
            since = time.monotonic()
            stops.append(node.stop())
            node.start()
            node.await_ready()
            run.gap(load, since, ms_max=GAP_MS_MAX if led else 200)
    failed = [what for at, what in load.history.given_up if at >= began]
    run.expect(not failed, f"{len(failed)} requests failed on every server in turn, first: {failed[:1]}")
    run.note(f"{len(stops)} stops, the longest took {max(stops):.1f} s")
    run.settle(cluster, load)


@row(63, "SIGTERM while joining, while a snapshot is installed, while the log is read", seconds=15, runs=3, root=True)
def stopped_in_the_middle(run):
    while_it_waits_for_the_others(run)
    while_something_comes_in(run)


def while_it_waits_for_the_others(run):
    """A first start that cannot finish: the others are not there. It stops at once, and resumes."""
    cluster = run.cluster(start=False, name="first")
    node = cluster.nodes[0]
    node.start()
    run.rest(0.3, 1.5)
    run.fault("SIGTERM while it waits for the others")
    took = node.stop(STOP_SECONDS_MAX)
    run.begin(cluster)
    run.note(f"stopped in {took:.1f} s while joining")


def while_something_comes_in(run):
    cluster = run.cluster(settings=LOW_POLICY, network=True)
    follower = run.rng.choice(cluster.followers())
    leader = cluster.leader()
    load = run.load(cluster, nodes=cluster.others(follower))
    had = log_of(follower)["last"]
    follower.kill()
    await_purged_beyond(leader, had)
    cluster.net.limit(follower, "64kbit")
    follower.start()
    run.rest(1.5, 3)
    run.fault("SIGTERM while a snapshot comes in")
    run.expect("snapshot installed" not in follower.log_text(), "the snapshot was in before the stop: nothing was shown")
    took = [follower.stop(STOP_SECONDS_MAX)]
    cluster.net.limit(follower, None)
    for _ in range(3):
        follower.start()
        run.rest(0.02, 0.5)
        run.fault("SIGTERM while it starts")
        took.append(stop_while_starting(run, follower))
    follower.start()
    await_caught_up(follower, leader, 60)
    run.note(f"stopped in at most {max(took):.1f} s while installing or starting")
    run.settle(cluster, load)


def stop_while_starting(run, node):
    """Before it handles signals SIGTERM ends it at once, which loses nothing either; after that it must end with 0."""
    began = time.monotonic()
    node.process.terminate()
    code = node.await_exit(STOP_SECONDS_MAX)
    run.expect(code in (0, -15), f"{node.name} ended with {code} on SIGTERM while it started: {node.last_line()}")
    return time.monotonic() - began
