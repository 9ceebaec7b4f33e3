"""After healing: the cluster must work again in time, and everything that was promised must be there.

Owns the order: wait for all nodes, end the load, write through every node, compare states, read everything, judge.
"""

import time

from runner.waiting import Unmet, Within, eventually

from . import oracles
from .load import document_of


def settle(run, cluster, load, seconds_max):
    """O5 within `seconds_max` from now, then O1, O2, O3, O6 over the whole history. Counts what was acknowledged."""
    began = time.monotonic()
    within = Within(seconds_max)
    for node in cluster.running():
        node.await_ready(max(0.0, began + seconds_max - time.monotonic()))
    # Under load, so that a cluster that only works when nobody asks does not pass.
    leader = cluster.leader()
    if load is not None:
        load.stop()
    for node in cluster.running():
        write_through(node, within)
    cluster.await_equal_state(max(1.0, began + seconds_max - time.monotonic()))
    run.expect(cluster.leader() is not None, "no leader")
    run.note(f"settled in {time.monotonic() - began:.1f} s, {leader.name} leads")
    judge(run, cluster, load)


def write_through(node, within):
    """A fresh write by way of this node is acknowledged within the bound."""

    def probe():
        value = int(time.time() * 1000)
        answer = node.ask("POST", "/eureka/apps/FRESH", document_of("FRESH", f"through-{node.name}", value, 3600))
        if answer.status != 204:
            raise Unmet(f"{answer.status} {answer.headers.get('x-eureka-raft-error', '')}")

    eventually(f"a write by way of {node.name} is acknowledged", within, probe)


def judge(run, cluster, load):
    """O1, O2, O3 and O6 over the history, against what every running node holds now."""
    if load is None:
        return
    history = load.history
    applications = sorted({instance.app for instance in load.instances})
    registries = {node.name: node.registry(applications) for node in cluster.running()}
    first = cluster.running()[0]
    registries[f"{first.name} (linearizable)"] = first.registry(applications, "linearizable")
    run.outcome.acked += len(history.acked())
    run.lost(oracles.lost_writes(history, registries))
    run.silent(oracles.wrong_reads(history))
    run.silent(oracles.false_evictions(history))
    run.silent(oracles.refused_but_done(history, registries))
    run.silent(history.dishonest)
