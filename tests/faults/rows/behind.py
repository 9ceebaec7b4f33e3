"""Nodes that fall behind, and big states: rows 14, 64 and 65."""

import time

from runner.waiting import Within, eventually, require

from ..bulk import register_many
from ..history import quantile
from ..row import NEVER, row
from .paused import compare_latency

# Snapshots by a low policy, so that a follower that is away needs one soon.
SNAPSHOT_EVERY, KEEP = 600, 200
LOW_POLICY = [f"raft.snapshot_every_entries={SNAPSHOT_EVERY}", f"raft.keep_entries={KEEP}"]
PURGED_SECONDS_MAX = 60
CATCH_UP_SECONDS_MAX = 60
# What a voter may lack and still count as caught up.
LAG_ENTRIES_MAX = 100
# The log may hold what came during a snapshot, too; PURGE works in batches of KEEP.
LOG_ENTRIES_MAX = 3 * (SNAPSHOT_EVERY + KEEP)

LARGE_INSTANCES = 250_000
PEAK_FACTOR_MAX = 2.0
PAUSE_MS_MAX = 250


def log_of(node):
    return node.status()["log"]


def await_purged_beyond(node, index):
    """Waits until the log of `node` no longer holds what comes after `index`."""

    def probe():
        purged = log_of(node)["purged"]
        require(purged > index + 1, f"purged to {purged}")

    eventually(f"{node.name} purges beyond {index}", Within(PURGED_SECONDS_MAX), probe)


def await_next_snapshot(node, index):
    def probe():
        require(log_of(node)["snapshot"] > index, "none")

    eventually(f"{node.name} builds a snapshot beyond {index}", Within(PURGED_SECONDS_MAX), probe)


def await_caught_up(node, leader, seconds_max):
    """How long until `node` lacks at most LAG_ENTRIES_MAX entries of what `leader` has, in seconds."""
    began = time.monotonic()

    def probe():
        have, want = log_of(node)["applied"], log_of(leader)["applied"]
        require(have + LAG_ENTRIES_MAX >= want, f"{have} of {want}")

    eventually(f"{node.name} has caught up", Within(seconds_max), probe)
    return time.monotonic() - began


def installed(node):
    """How many snapshots `node` says it has installed; by its log, which a slow link does not delay."""
    return node.log_text().count("snapshot installed")


def log_is_bounded(run, node, when):
    log = log_of(node)
    held = log["last"] - log["purged"]
    run.expect(held <= LOG_ENTRIES_MAX, f"{node.name} holds {held} entries {when}; its policy allows {LOG_ENTRIES_MAX}")
    return log


@row(64, "a follower is down until its place in the log is purged, and returns", seconds=25, runs=2)
def follower_long_gone(run):
    cluster = run.cluster(settings=LOW_POLICY)
    follower = run.rng.choice(cluster.followers())
    leader = cluster.leader()
    load = run.load(cluster, nodes=cluster.others(follower))
    quiet = time.monotonic()
    run.rest(4)
    had = log_of(follower)["last"]
    down = run.fault(f"{follower.name} is down")
    follower.kill()
    await_purged_beyond(leader, had)
    run.rest(60 if run.full else 4)
    disk = log_is_bounded(run, leader, "while a follower is down")
    follower.start()
    back = time.monotonic()
    took = await_caught_up(follower, leader, CATCH_UP_SECONDS_MAX)
    run.expect("snapshot installed" in follower.log_text(), f"{follower.name} caught up without a snapshot: nothing was shown")
    run.rest(2)
    run.gap(load, down, ms_max=500)
    compare_latency(run, load, (quiet, down), (back, time.monotonic()), 1.5)
    run.note(f"purged to {disk['purged']}, caught up in {took:.1f} s, leader's disk {leader.disk_bytes() / 2**20:.1f} MiB")
    run.settle(cluster, load)


@row(14, "64 kbit/s to a follower that needs a snapshot", seconds=30, runs=2, root=True)
def slow_link_and_a_snapshot(run):
    cluster = run.cluster(settings=LOW_POLICY, network=True)
    follower = run.rng.choice(cluster.followers())
    leader = cluster.leader()
    load = run.load(cluster, nodes=cluster.others(follower))
    quiet = time.monotonic()
    had = log_of(follower)["last"]
    follower.kill()
    await_purged_beyond(leader, had)
    run.rest(4)
    cluster.net.limit(follower, "64kbit")
    since = run.fault(f"64 kbit/s to {follower.name}")
    follower.start()
    before = log_of(leader)
    run.rest(60 if run.full else 15)
    until = time.monotonic()
    after = log_is_bounded(run, leader, "while a snapshot crawls")
    run.expect(after["snapshot"] > before["snapshot"], "the leader built no snapshot while one was being sent slowly")
    run.expect(after["purged"] > before["purged"], "the leader purged nothing while a snapshot was being sent slowly")
    crawled, built = installed(follower), (after["snapshot"] - before["snapshot"]) // SNAPSHOT_EVERY
    run.expect(crawled < built, f"{crawled} snapshots came in while {built} were built: they were not slowed down, nothing was shown")
    run.gap(load, since, until, ms_max=500)
    compare_latency(run, load, (quiet, since), (since, until), 1.5)
    cluster.net.limit(follower, None)
    took = await_caught_up(follower, leader, CATCH_UP_SECONDS_MAX)
    run.note(f"leader's snapshot {before['snapshot']} to {after['snapshot']} meanwhile; {crawled} crawled in; caught up {took:.1f} s after the limit")
    run.settle(cluster, load)


@row(65, f"a state of {LARGE_INSTANCES:,} instances: snapshot built, sent, installed", seconds=80, ci=NEVER)
def large_state(run):
    cluster = run.cluster(settings=["raft.snapshot_every_entries=1500", "raft.keep_entries=100"])
    leader, follower = cluster.leader(), run.rng.choice(cluster.followers())
    others = cluster.others(follower)
    had = log_of(follower)["last"]
    run.fault(f"{follower.name} is down while {LARGE_INSTANCES} instances are registered")
    follower.kill()
    run.note(f"registered in {register_many(others, LARGE_INSTANCES):.0f} s")
    load = run.load(cluster, nodes=others)
    since = time.monotonic()
    await_purged_beyond(leader, had)
    calm = {node: node.resident_bytes() for node in others}
    follower.start()
    took = await_caught_up(follower, leader, CATCH_UP_SECONDS_MAX)
    run.expect("snapshot installed" in follower.log_text(), f"{follower.name} caught up without a snapshot: nothing was shown")
    built = log_of(leader)["snapshot"]
    await_next_snapshot(leader, built)
    pause = quantile(load.history.latencies_ms(since, time.monotonic()), 0.99)
    run.gap(load, since)
    run.expect(pause <= PAUSE_MS_MAX, f"p99 of writes was {pause:.0f} ms while snapshots were built and sent")
    for node in others:
        memory_is_bounded(run, node, calm[node])
    memory_is_bounded(run, follower, max(calm.values()))
    held = follower.status()["registry"]["instances"]
    run.expect(held >= LARGE_INSTANCES, f"{follower.name} holds {held} instances")
    run.note(f"caught up in {took:.1f} s; p99 of writes meanwhile {pause:.0f} ms")
    run.settle(cluster, load, seconds_max=60)


def memory_is_bounded(run, node, calm):
    factor = node.peak_bytes() / calm
    run.expect(factor <= PEAK_FACTOR_MAX, f"the memory of {node.name} rose to {factor:.2f} times what it is at rest")
    run.note(f"{node.name}: peak {node.peak_bytes() / 2**20:.0f} MiB, {factor:.2f} of {calm / 2**20:.0f} MiB at rest")
