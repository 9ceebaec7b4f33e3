"""The steps of docs/migrating.md in their order, each with what must be seen after it.

Owns the checks. It may not start or stop more than a step says.
"""

import time

from runner import web
from runner.waiting import CheckFailed, Within, eventually, require

from .fleet import Client

# A batch leaves the old server after half a second; a refused one is sent again after one.
SAME_SECONDS_MAX = 20
CROWD = 200


def steps():
    """Every step with the sentence that it proves."""
    return [
        ("what is registered with the old server is here", registered),
        ("its overrides and metadata come, and go, too", changed),
        ("who is missing here comes back with the next heartbeat", healed),
        ("a killed leader costs no instance while 200 register", leader_killed),
        ("who moves goes on with heartbeats, and nobody has to register anew", moved),
        ("who stops at the old server is gone here", stopped),
        ("the old server gave no batch up", nothing_lost),
    ]


def registered(fleet):
    for number in range(10):
        fleet.old.register("MOVING", Client(f"i-{number}").document())
    require_count(fleet.await_same(SAME_SECONDS_MAX), 10)


def changed(fleet):
    fleet.old.override_status(Client("i-1"), "OUT_OF_SERVICE")
    fleet.old.put_metadata(Client("i-2"), "color", "blue")
    fleet.await_same(SAME_SECONDS_MAX)
    seen = fleet.nodes[0].instances()
    if seen["i-1"].status != "OUT_OF_SERVICE" or seen["i-2"].metadata.get("color") != "blue":
        raise CheckFailed(f"expected: the override and the metadata; seen: {seen['i-1']} and {seen['i-2']}")
    fleet.old.end_override(Client("i-1"), "UP")
    fleet.await_same(SAME_SECONDS_MAX)


def healed(fleet):
    fleet.nodes[0].cancel(Client("i-3"))
    Client("i-3").heartbeat(fleet.old)
    fleet.await_same(SAME_SECONDS_MAX)


def leader_killed(fleet):
    leader = fleet.leader()
    for number in range(CROWD):
        if number == CROWD // 4:
            leader.process.kill()
        fleet.old.register("MOVING", Client(f"crowd-{number}").document())
    require_count(fleet.await_same(SAME_SECONDS_MAX), 10 + CROWD)
    leader.start()
    leader.await_ready()


def moved(fleet):
    # A 404 would raise: it is what makes a client register.
    for number in range(10):
        Client(f"i-{number}").heartbeat(fleet.nodes[number % 3])
    try:
        Client("nobody").heartbeat(fleet.nodes[0])
    except web.Refused as refused:
        if refused.status == 404 and not refused.text:
            return
    raise CheckFailed("expected: an empty 404 for who is not known; seen: something else")


def stopped(fleet):
    for number in range(CROWD):
        fleet.old.cancel(Client(f"crowd-{number}"))
    require_count(fleet.await_same(SAME_SECONDS_MAX), 10)


def nothing_lost(fleet):
    log = fleet.log.read_text(errors="replace")
    bad = [line for line in log.splitlines() if "Batch update failure" in line or "Batch response size different" in line]
    if bad:
        raise CheckFailed(f"expected: no batch given up; seen: {bad[0][:300]}")

    def probe():
        codes = [line for node in fleet.nodes for line in web.get_text(f"{node.url}/metrics").splitlines() if is_batch_count(line)]
        require(any('code="200"' in line for line in codes), f"no batch was answered 200: {codes}")
        odd = [line for line in codes if 'code="200"' not in line and 'code="503"' not in line]
        require(not odd, f"a batch was refused: {odd}")

    eventually("batches are answered 200 or 503", Within(5), probe)


def is_batch_count(line):
    return line.startswith("eureka_raft_http_requests_total") and 'route="peerreplication/batch"' in line


def require_count(seen, expected):
    if seen != expected:
        raise CheckFailed(f"expected: {expected} instances; seen: {seen}")


def follow(fleet):
    """Runs all steps; the first that fails ends the run."""
    for sentence, step in steps():
        began = time.monotonic()
        try:
            step(fleet)
        except CheckFailed as problem:
            raise CheckFailed(f"{sentence}: {problem}") from problem
        print(f"ok   {sentence} ({time.monotonic() - began:.1f} s)", flush=True)
