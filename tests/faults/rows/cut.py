"""Networks that are cut: rows 6 to 9. Clients reach every node all the time."""

import time

from ..row import ALWAYS, row

# limits.leader_wait (3 s), and what a busy machine adds.
REFUSED_SECONDS_MAX = 5.0


@row(6, "full partition of the leader", seconds=20, ci=ALWAYS, runs=10, root=True)
def leader_cut_off(run):
    cluster = run.cluster(network=True)
    load = run.load(cluster)
    run.rest(1, 2)
    old = cluster.leader()
    others = cluster.others(old)
    since = run.fault(f"{old.name} is cut off")
    cluster.net.isolate(old, cluster.nodes)
    cluster.leader(among=others)
    until = time.monotonic()
    run.rest(1.5)
    refused_after_its_wait(run, old)
    stale_with_growing_age(run, old)
    run.gap(load, since, until, ms_max=5000)
    cluster.net.heal()
    run.settle(cluster, load)


def refused_after_its_wait(run, node):
    """A write in the minority is not left hanging, and says that it was not executed."""
    began = time.monotonic()
    answer = node.ask("PUT", "/eureka/apps/APP-000/host-000-0000")
    took = time.monotonic() - began
    label = answer.headers.get("x-eureka-raft-outcome")
    run.expect(answer.status == 503, f"{node.name} without a quorum answered {answer.status} to a write")
    run.expect(label == "not-executed", f"{node.name} without a quorum labelled a new write {label}")
    run.expect(took <= REFUSED_SECONDS_MAX, f"{node.name} took {took:.1f} s to refuse a write; its limit is 3 s")
    run.note(f"minority write refused after {took:.1f} s")


def stale_with_growing_age(run, node):
    """Local reads go on, and say how old they are; linearizable ones are refused."""
    path = "/eureka/apps/APP-000/host-000-0000"
    ages = []
    for _ in range(2):
        answer = node.ask("GET", f"{path}?consistency=local")
        run.expect(answer.status == 200, f"{node.name} answered {answer.status} to a local read")
        ages.append(answer.number("x-eureka-raft-age-ms") or 0)
        time.sleep(0.5)
    run.expect(ages[1] >= ages[0] + 400, f"the age of local reads went from {ages[0]} to {ages[1]} ms within 500 ms")
    run.note(f"stale read {ages[1]} ms old")
    answer = node.ask("GET", f"{path}?consistency=linearizable")
    run.expect(answer.status == 503, f"{node.name} without a quorum answered {answer.status} to a linearizable read")
