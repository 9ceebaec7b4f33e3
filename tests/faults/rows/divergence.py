"""States that differ behind everybody's back: rows 34 and 35.

The tool `alter_state` (`cargo build --example alter_state`) changes one entry in a stopped node's log, every checksum right.
"""

import subprocess
import time
from pathlib import Path

from runner.waiting import Within, eventually, require

from ..load import document_of
from ..row import TURNS, Skip, row

# The row asks for 90 s; a comparison every 3 s promises this.
FOUND_SECONDS_MAX = 20
# How long a cluster without a majority has to stay as it is.
SPLIT_SECONDS = 6
ALTER_SECONDS_MAX = 30
REPLACED_SECONDS_MAX = 20


def alter(node, shift_ms):
    """Makes the state of a stopped node wrong. Different shifts, different states."""
    root = Path(__file__).resolve().parents[3]
    built = (root / "target" / profile / "examples" / "alter_state" for profile in ("release", "debug"))
    tool = next((path for path in built if path.exists()), None)
    if tool is None:
        raise Skip("cargo build --example alter_state first")
    words = [str(tool), str(node.data), str(shift_ms)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=ALTER_SECONDS_MAX)
    if done.returncode != 0:
        raise RuntimeError(f"alter_state: {done.stderr.strip()}")


def alarms_of(node):
    return [(alarm["alarm"], alarm["node"]) for alarm in node.status()["alarms"]]


@row(34, "one replica's state is altered, every checksum right", seconds=40, ci=TURNS, runs=5)
def one_state_differs(run):
    # Not watched: for some seconds two hashes at one index are what this row makes.
    cluster = run.cluster(start=False)
    cluster.start()
    cluster.await_ready()
    load = run.load(cluster, nodes=None)
    run.rest(2, 3)
    odd = run.rng.choice(cluster.followers())
    odd.kill()
    alter(odd, run.rng.randint(1, 1000))
    since = run.fault(f"the state of {odd.name} is altered")
    odd.start()
    code = odd.await_exit(FOUND_SECONDS_MAX)
    run.note(f"found and stopped {time.monotonic() - since:.1f} s after its start")
    run.expect(code == 74, f"{odd.name} ended with {code}, not 74: {odd.last_line()}")
    run.expect("recover replace-disk" in odd.last_line(), f"its last line names no way out: {odd.last_line()}")
    run.expect((odd.data / "DIVERGED.json").exists(), f"{odd.name} left no evidence")
    leader = cluster.leader()
    run.expect(("diverged", odd.name) in alarms_of(leader), f"{leader.name} has the alarms {alarms_of(leader)}")
    run.gap(load, since, ms_max=5000)
    come_back_empty(run, cluster, odd)
    run.settle(cluster, load)


def come_back_empty(run, cluster, node):
    """The way out that the last line names."""
    servers = ",".join(other.url for other in cluster.others(node))
    words = [run.binary, "recover", "replace-disk", "--data-dir", str(node.data), "--server", servers]

    def probe():
        done = subprocess.run(words, capture_output=True, text=True, timeout=ALTER_SECONDS_MAX)
        # While its peers have heard of it lately they will not have it replaced.
        require(done.returncode == 0, done.stderr.strip())

    eventually("recover replace-disk", Within(REPLACED_SECONDS_MAX), probe)
    node.start()
    node.await_ready()


@row(35, "the states of all three differ pairwise", seconds=45, ci=TURNS, runs=5, needs_acked=False)
def no_majority(run):
    # Self-preservation would hide an eviction.
    cluster = run.cluster(settings=["protection.enabled=false"], start=False)
    cluster.start()
    cluster.await_ready()
    for n in range(10):
        answer = cluster.nodes[n % 3].ask("POST", "/eureka/apps/SAME", document_of("SAME", f"i-{n}", n + 1, 15))
        run.expect(answer.status == 204, f"a registration was answered {answer.status}")
    cluster.await_equal_state()
    cluster.kill_all()
    for node, shift in zip(cluster.nodes[1:], (1, 2)):
        alter(node, shift)
    since = run.fault("the states of two nodes are altered, each in its way")
    cluster.start()

    def probe():
        for node in cluster.nodes:
            require(("hashes_split", "cluster") in alarms_of(node), f"{node.name} has the alarms {alarms_of(node)}")

    eventually("every node raises hashes_split", Within(FOUND_SECONDS_MAX), probe)
    run.note(f"known everywhere {time.monotonic() - since:.1f} s after the start")
    for _ in range(SPLIT_SECONDS):
        read_only(run, cluster)
        run.rest(1)
    # Their leases of 15 s are over by now, and nobody could renew them.
    run.rest(max(0, 25 - (time.monotonic() - since)))
    held = len(cluster.nodes[0].registry(["SAME"]))
    run.expect(held == 10, f"{held} of 10 instances are left: the others were evicted while heartbeats were refused")
    hashes = {row["hash"] for row in cluster.nodes[0].status()["hashes"]["compared"]}
    run.expect(len(hashes) == 3, f"status shows {len(hashes)} hashes, not three")


def read_only(run, cluster):
    for node in cluster.nodes:
        refused = node.ask("POST", "/eureka/apps/SAME", document_of("SAME", "new", 1, 15))
        reason = refused.headers.get("x-eureka-raft-reason")
        seen = f"{refused.status}, {refused.headers.get('x-eureka-raft-outcome')}, {reason}"
        run.expect(seen == "503, not-executed, hashes-split", f"{node.name} answered a registration with {seen}")
        status = node.ask("PUT", "/eureka/apps/SAME/i-1").status
        run.expect(status == 503, f"{node.name} answered a heartbeat with {status}")
        status = node.ask("GET", "/eureka/apps/SAME").status
        run.expect(status == 200, f"{node.name} answered a read with {status}")
