"""Networks that are cut: rows 6 to 9. Clients reach every node all the time."""

import time

from ..row import ALWAYS, row

# limits.leader_wait (3 s), and what a busy machine adds.
REFUSED_SECONDS_MAX = 5.0
# By when another leads, once the leader hears nothing.
STEPPED_ASIDE_SECONDS_MAX = 5


@row(6, "full partition of the leader", seconds=16, ci=ALWAYS, runs=10, root=True)
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


@row(7, "partial partition: leader and a follower lose each other, the third sees both", seconds=20, runs=2, root=True)
def leader_and_one_follower_apart(run):
    cluster = run.cluster(network=True)
    load = run.load(cluster)
    run.rest(1, 2)
    leader = cluster.leader()
    follower = run.rng.choice(cluster.others(leader))
    since = run.fault(f"{leader.name} and {follower.name} lose each other")
    # Both ways, or so that only the leader's connections die: odd and even seeds.
    if run.seed % 2:
        cluster.net.cut(leader, follower)
    else:
        cluster.net.bar(leader, follower)
    run.rest(60 if run.full else 12)
    until = time.monotonic()
    run.gap(load, since, until, ms_max=5000)
    changes = leaders_between(run, cluster, since, until) - 1
    run.expect(changes <= 2, f"the leader changed {changes} times during the cut")
    run.note(f"{changes} leader changes in {until - since:.0f} s")
    cluster.net.heal()
    run.settle(cluster, load)


def leaders_between(run, cluster, since, until):
    """How many terms had a leader in a span of time."""
    low, high = run.watch(cluster).terms_between(since, until)
    return len({term for term, _ in run.watch(cluster).claims if low <= term <= high})


@row(8, "one-way: the leader can send and hears nothing", seconds=16, runs=5, root=True)
def leader_is_deaf(run):
    cluster = run.cluster(network=True)
    load = run.load(cluster)
    run.rest(1, 2)
    old = cluster.leader()
    since = run.fault(f"{old.name} hears nothing")
    cluster.net.deafen(old, cluster.nodes)
    cluster.leader(among=cluster.others(old))
    took = time.monotonic() - since
    run.expect(took <= STEPPED_ASIDE_SECONDS_MAX, f"the deaf leader was replaced only after {took:.1f} s")
    run.rest(5)
    refused_after_its_wait(run, old)
    run.gap(load, since, ms_max=5000)
    run.note(f"replaced after {took:.1f} s")
    cluster.net.heal()
    run.settle(cluster, load)


@row(9, "one-way: a follower hears and cannot send", seconds=17, runs=5, root=True)
def follower_is_mute(run):
    cluster = run.cluster(network=True)
    load = run.load(cluster)
    run.rest(1, 2)
    leader = cluster.leader()
    term = leader.status()["cluster"]["term"]
    follower = run.rng.choice(cluster.others(leader))
    since = run.fault(f"{follower.name} cannot send")
    cluster.net.mute(follower, cluster.nodes)
    run.rest(8)
    cluster.net.heal()
    run.rest(4)
    run.gap(load, since)
    run.expect(cluster.leader() is leader, "the leader changed when a follower that was mute came back")
    after = leader.status()["cluster"]["term"]
    run.expect(after <= term + 1, f"the term went from {term} to {after}")
    run.note(f"terms {term} to {after}")
    run.settle(cluster, load)
