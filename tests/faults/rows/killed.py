"""Processes that are killed: rows 1 to 4."""

from ..row import ALWAYS, row


@row(1, "kill -9 of the leader", seconds=15, ci=ALWAYS, runs=20)
def leader_killed(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(1, 3)
    leader = cluster.leader()
    since = run.fault(f"kill -9 {leader.name}")
    leader.kill()
    cluster.leader()
    run.rest(2, 3)
    run.gap(load, since, ms_max=8000)
    leader.start()
    run.settle(cluster, load)
