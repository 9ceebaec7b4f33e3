"""Whether the harness sees what it is there to see.

Owns planted differences: two of our own nodes are compared, one of them behind a fault that changes a request or an answer. Each
fault has to be found and shrunk to the few requests it needs, and without a fault nothing may be found. It needs no Java.
"""

import sys
import time
from dataclasses import replace

from runner.waiting import CheckFailed

from . import hazards, names, oddities, rules
from .exchange import Request
from .play import Player
from .sequence import Sequence
from .shrink import Shrinker
from .sides import Ours, Pair, binary, scratch

QUIET_SEEDS = 6
SEEDS_MAX = 40
OPERATIONS = 40
# Enough to leave out operations, which takes some hundred plays; the bytes of bodies could take minutes.
SHRINK_SECONDS_MAX = 4
# A planted difference needs a registration, the request that shows it, and at most two that lead there.
OPERATIONS_LEFT_MAX = 4


def _unknown_heartbeat(request, answer):
    parts = request.path.strip("/").split("/")
    if request.method == "PUT" and len(parts) in (4, 5) and parts[-1] not in ("status", "metadata") and answer.status == 404:
        return replace(answer, status=200)
    return answer


def _hash(request, answer):
    return replace(answer, body=answer.body.replace(b"UP_1_", b"UP_2_")) if request.path.rstrip("/").endswith("/delta") else answer


def _escape(request, answer):
    return replace(answer, body=answer.body.replace(b"&amp;", b"&#38;"))


def _allow(request, answer):
    if answer.status != 405:
        return answer
    return replace(answer, headers=tuple((key, value.replace("PUT", "PATCH") if key == "allow" else value) for key, value in answer.headers))


def _error_page(request, answer):
    return replace(answer, body=b"not here", headers=(*answer.headers, ("content-type", "text/plain"))) if answer.status == 404 else answer


def _order(request, answer):
    return replace(answer, body=answer.body.replace(b'"hostName":', b'"a":1,"hostName":'))


def _conflict(request, answer):
    return replace(answer, status=200, body=b"") if answer.status == 409 else answer


ANSWERS = {
    "an unknown heartbeat is 200": _unknown_heartbeat,
    "the hash of deltas counts one too many": _hash,
    "XML escapes & by number": _escape,
    "Allow names another method": _allow,
    "a 404 has a body": _error_page,
    "an instance has a field more": _order,
    "a conflict is none": _conflict,
}


def _starting_is_up(request):
    body = request.body
    return replace(request, body=body.replace(b"STARTING", b"UP")) if request.method == "POST" and body else request


def _loses_deletions_of_overrides(request):
    return replace(request, method="PUT", path=request.path.removesuffix("/status"), query=()) if request.method == "DELETE" and request.path.endswith("/status") else request


def _second_parameter(request):
    return replace(request, query=request.query[:1]) if request.path.endswith("/metadata") else request


REQUESTS = {
    "STARTING is stored as UP": _starting_is_up,
    "an override is never removed": _loses_deletions_of_overrides,
    "the second metadata entry is lost": _second_parameter,
}


class Faulty(Ours):
    """A node behind a fault."""

    change_answer = staticmethod(lambda request, answer: answer)
    change_request = staticmethod(lambda request: request)

    def ask(self, request):
        answer = super().ask(self.change_request(request))
        return self.change_answer(request, answer)

    def restart(self):
        raise CheckFailed("a node of ours does not answer")


def self_test(root):
    """0 if everything planted was found, and nothing else."""
    began = time.monotonic()
    try:
        _without_servers()
        directory, path = scratch()
        faulty = Faulty(root, path, binary(root), False, name="faulty")
        with Pair(faulty, Ours(root, path, binary(root), False), directory) as pair:
            _quiet(pair)
            for name, change in ANSWERS.items():
                faulty.change_answer, faulty.change_request = change, Faulty.change_request
                _found(pair, name)
            for name, change in REQUESTS.items():
                faulty.change_answer, faulty.change_request = Faulty.change_answer, change
                _found(pair, name)
    except CheckFailed as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    print(f"self-test passed in {time.monotonic() - began:.1f} s")
    return 0


def _quiet(pair):
    player = Player(pair)
    for seed in range(QUIET_SEEDS):
        finding = player.play(Sequence(seed, OPERATIONS).operations)
        if finding is not None:
            raise CheckFailed(f"two equal nodes differ with seed {seed}: {finding.request.curl('')}: {finding.differences}")
    print(f"ok  no fault: {player.tally.comparisons} comparisons, no difference")


def _found(pair, name):
    player = Player(pair)
    for seed in range(SEEDS_MAX):
        operations = Sequence(seed, OPERATIONS).operations
        finding = player.play(operations)
        if finding is None:
            continue
        shrinker = Shrinker(player.play, finding, SHRINK_SECONDS_MAX)
        shrunk = shrinker.shrink(operations)
        if shrunk is None:
            raise CheckFailed(f"{name}: found with seed {seed}, but not again")
        if len(shrunk) > OPERATIONS_LEFT_MAX:
            raise CheckFailed(f"{name}: {len(shrunk)} operations left of {finding.at + 1}")
        print(f"ok  {name}: seed {seed}, {finding.at + 1} operations shrunk to {len(shrunk)} in {shrinker.plays} plays", flush=True)
        return
    raise CheckFailed(f"{name}: not found in {SEEDS_MAX} seeds")


def _without_servers():
    """Parts that need no server: the same seed is the same sequence, tags do not change lengths, rows are known by their bodies."""
    _require(Sequence(7, 60).operations == Sequence(7, 60).operations, "one seed makes two sequences")
    _require(Sequence(7, 60).operations != Sequence(8, 60).operations, "two seeds make one sequence")
    _require(len({names.tag(n) for n in range(2000)}) == 2000 and {len(names.tag(n)) for n in (0, 32767)} == {len(names.TOKEN)}, "tags are not unique or not as long as the token")
    for body, expected in _BODIES:
        found = oddities.of(Request("POST", "/eureka/apps/A", body=body))
        _require(found == expected, f"{body} falls under {sorted(found)}, not {sorted(expected)}")
    _require(hazards.spins(Request("POST", "/", body=b'{"instance":{"metadata" : []}}')), "a body that hangs the released server is let through")
    _require(len(rules.ids()) > 30, "there are hardly any rules")
    print("ok  sequences, tags, rows by their bodies")


def _require(condition, problem):
    if not condition:
        raise CheckFailed(problem)


_BODIES = [
    (b'{"instance":{"app":"A","port":{"$":1,"@enabled":"true"}}}', set()),
    (b'{"instance":{"app":"A","port":8080}}', {"D-29"}),
    (b'{"instance":{"app":"A","u":{"status":"DOWN"}}}', {"D-28"}),
    (b'{"instance":{"app":"A","u":1}}', set()),
    (b'{"instance":{"dataCenterInfo":{"name":"MyOwn"}}}', {"D-30"}),
    (b'{"instance":{"metadata":{"a":null}}}', {"D-33"}),
    (b'{"instance":{"metadata":{"a":["x"]}}}', {"D-32"}),
    (b'{"instance":{"status":"down"}}', {"D-37"}),
    (b'{"instance":{"status":"BOGUS"}}', set()),
    (b'{"instance":{"hostName":["x"]}}', {"D-49"}),
    (b'{"instance":{"lastDirtyTimestamp":-5}}', {"D-35"}),
    (b'{"instance":{"ipAddr":" "}}', {"D-36"}),
    (b"<instance><lastDirtyTimestamp>x</lastDirtyTimestamp></instance>", {"D-35"}),
    (b"<instance><lastDirtyTimestamp>5</lastDirtyTimestamp></instance>", set()),
    (b"null", {"D-34"}),
    (b"nonsense", set()),
]
