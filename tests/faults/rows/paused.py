"""Processes that stand still and go on as if nothing had happened: rows 15 to 18.

Leases are shorter than the pauses and self-preservation is off: whoever counts the pause as time evicts everybody.
"""

import threading
import time

from ..history import quantile
from ..load import Client
from ..row import ALWAYS, row

LEASE_S = 8
SHORT_LEASES = {"lease_s": LEASE_S, "renew_every_s": 2, "applications": 10, "answer_seconds": 1.5}
UNPROTECTED = ["protection.enabled=false"]
# Clients whose requests lie in the paused leader's sockets when it wakes.
WAITING_CLIENTS = 12
WOKEN_SECONDS_MAX = 6
# What a busy machine may add to a latency that is compared.
NOISE_MS = 50


@row(15, "SIGSTOP of the leader for 10 s", seconds=24, ci=ALWAYS, runs=5)
def leader_paused(run):
    pause_the_leader(run, 10)


@row(16, "SIGSTOP of the leader for many leases (10 min with --long)", seconds=60, runs=1)
def leader_paused_for_many_leases(run):
    pause_the_leader(run, 600 if run.long else 5 * LEASE_S)


def pause_the_leader(run, seconds):
    cluster = run.cluster(settings=UNPROTECTED)
    load = run.load(cluster, **SHORT_LEASES)
    run.rest(1, 2)
    old = cluster.leader()
    others = cluster.others(old)
    since = run.fault(f"{old.name} is paused for {seconds} s")
    old.pause()
    run.on_end(resume, old)
    cluster.leader(among=others, seconds_max=5)
    elected = time.monotonic()
    time.sleep(max(0.0, seconds - WOKEN_SECONDS_MAX / 2 - (elected - since)))
    ask_the_sleeper(old, load)
    time.sleep(max(0.0, since + seconds - time.monotonic()))
    old.resume()
    run.gap(load, since, ms_max=5000)
    run.rest(LEASE_S + 1)
    run.expect(cluster.leader() is not None, "no leader after the pause")
    run.note(f"another led after {elected - since:.1f} s")
    run.settle(cluster, load)


def resume(node):
    if node.running:
        node.resume()


def ask_the_sleeper(node, load):
    """Requests that a paused leader finds when it wakes and still believes that it leads; the record keeps its answers."""

    def ask(instance, what):
        client = Client([node], 0, load.history, WOKEN_SECONDS_MAX)
        if what == "read":
            client.read(instance)
        else:
            client.renew(instance)
        client.close()

    steady = [instance for instance in load.instances if not instance.churns]
    for n in range(WAITING_CLIENTS):
        threading.Thread(target=ask, args=(steady[n], ("read", "renew")[n % 2]), daemon=True).start()


@row(17, "SIGSTOP of a follower, 2 s on and 2 s off", seconds=24, runs=3)
def follower_stutters(run):
    cluster = run.cluster()
    leader = cluster.leader()
    follower = run.rng.choice(cluster.others(leader))
    load = run.load(cluster, nodes=cluster.others(follower))
    before = time.monotonic()
    run.rest(4)
    term = leader.status()["cluster"]["term"]
    since = run.fault(f"{follower.name} stutters")
    run.on_end(resume, follower)
    for _ in range(4):
        follower.pause()
        run.rest(2)
        follower.resume()
        run.rest(2)
    until = time.monotonic()
    after = cluster.leader().status()["cluster"]["term"]
    run.expect(after == term, f"the term went from {term} to {after}")
    run.gap(load, since, until, ms_max=500)
    compare_latency(run, load, (before, since), (since, until), 1.5)
    run.settle(cluster, load)


def compare_latency(run, load, quiet, faulty, factor):
    """The 99th percentile of acknowledged writes in two spans: the second may be `factor` times the first."""
    base = quantile(load.history.latencies_ms(*quiet), 0.99)
    found = quantile(load.history.latencies_ms(*faulty), 0.99)
    allowed = factor * base + NOISE_MS
    run.expect(found <= allowed, f"p99 of writes rose from {base:.0f} to {found:.0f} ms; {allowed:.0f} are allowed")
    run.note(f"p99 of writes {base:.0f} ms before, {found:.0f} ms during")


@row(18, "all three paused at once (60 s in a full run)", seconds=28, runs=2)
def all_paused(run):
    cluster = run.cluster(settings=UNPROTECTED)
    load = run.load(cluster, **SHORT_LEASES)
    run.rest(1, 2)
    run.fault("all paused")
    for node in cluster.nodes:
        run.on_end(resume, node)
        node.pause()
    run.rest(60 if run.full else LEASE_S + 4)
    since = time.monotonic()
    for node in cluster.nodes:
        node.resume()
    run.rest(LEASE_S + 2)
    run.gap(load, since, ms_max=5000)
    run.settle(cluster, load)
