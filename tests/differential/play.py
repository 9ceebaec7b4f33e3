"""Plays a sequence against both servers and compares after every operation.

Owns the order of events: operation, list of everything, the operation's own reads; and what happens when a difference is
wanted but leaves the registries apart, or the released server does not survive a request.
"""

from collections import Counter
from dataclasses import dataclass, field

from . import hazards, names
from .compare import compare
from .documents import Moments
from .exchange import NoAnswer, Request, swapper
from .sequence import JSON

DEFAULT_LEASE_SECONDS = 90
EVERYTHING = Request("GET", "/eureka/apps", (), (("Accept", JSON),))


class World:
    """What one stretch of a sequence knows: its tag, and when its operations ran on either side."""

    def __init__(self, tag):
        self.tag = tag
        self.leases_ms = {DEFAULT_LEASE_SECONDS * 1000}
        self.theirs = Moments(self.leases_ms)
        self.ours = Moments(self.leases_ms)
        # Earlier answers of the released server by request, to recognise one it kept too long.
        self.earlier = {}
        # Whether something of an earlier stretch could not be cancelled: hashes cover it.
        self.left_behind = False
        # Whether a registration held a control character, in this stretch or one that its deltas still show.
        self.controls = False


@dataclass
class Finding:
    """An unexplained difference: after operation `at`, in the answer to `request`."""

    at: int
    check: int | None
    request: Request
    differences: list
    theirs: object
    ours: object

    @property
    def signature(self):
        """What stays the same while the sequence is shrunk."""
        place, _, _ = self.differences[0]
        parts = [part for part in self.request.path.split("/") if part in WORDS]
        return (self.request.method, *parts, place, self.theirs and self.theirs.status, self.ours and self.ours.status)


READS = ("GET", "HEAD", "OPTIONS")
WORDS = {"apps", "delta", "status", "metadata", "vips", "svips", "instances"}


@dataclass
class Tally:
    """What a run did."""

    operations: int = 0
    comparisons: int = 0
    used: Counter = field(default_factory=Counter)


class Player:
    """Plays sequences."""

    def __init__(self, pair):
        self._pair = pair
        self._controls = False
        self.tally = Tally()

    def play(self, operations):
        """The first unexplained difference, or None."""
        self._begin()
        for at, operation in enumerate(operations):
            self.tally.operations += 1
            finding = self._step(at, operation)
            if finding is not None:
                return finding
        return None

    def _begin(self):
        left = self._pair.empty()
        self._world = World(names.tag(self._pair.next_stretch()))
        self._world.left_behind = left
        self._world.controls = self._controls

    def _step(self, at, operation):
        request = self._tagged(operation.request)
        self._controls = self._world.controls = self._controls or hazards.has_controls(request)
        self._world.leases_ms.update(seconds * 1000 for seconds in hazards.leases(request))
        if hazards.spins(request) or hazards.poisons(request):
            return self._ours_alone(at, operation, request)
        case = self._both(request)
        if case is None:
            return None
        if case.found:
            return self._finding(at, None, operation.request, case)
        if case.apart:
            self._begin()
            return None
        for number, check in enumerate((EVERYTHING, *operation.checks)):
            case = self._both(self._tagged(check))
            if case is None:
                return None
            if case.found:
                return self._finding(at, number, check, case)
        return None

    def _both(self, request):
        """The case, or None if the released server had to be started anew."""
        try:
            theirs = self._pair.theirs.ask(request)
        except NoAnswer:
            theirs = None
        ours = self._pair.ours.ask(request)
        if theirs is None or _is_poisoned(request, theirs):
            self.tally.used["D-20" if theirs else "D-31"] += 1
            print(f"the released server {'has no list any more after' if theirs else 'did not answer'}: {request.curl(self._pair.theirs.base)}", flush=True)
            self._pair.theirs.restart()
            self._begin()
            return None
        if request.method not in READS:
            self._world.theirs.add(theirs.began_ms, theirs.ended_ms)
            self._world.ours.add(ours.began_ms, ours.ended_ms)
        case = compare(request, theirs, ours, self._world)
        self.tally.comparisons += 1
        self.tally.used += case.used
        self._remember(case)
        return case

    def _remember(self, case):
        """Keeps the released server's answers about vips: its cache may give them again when they are old."""
        key = case.vip_key()
        if key is not None and case.theirs.status == 200:
            self._world.earlier.setdefault(key, set()).add(case.theirs.body)

    def _ours_alone(self, at, operation, request):
        """Ours has to refuse what the other would never answer, and to survive what would poison it."""
        spins = hazards.spins(request)
        answer = self._pair.ours.ask(request)
        everything = self._pair.ours.ask(EVERYTHING)
        self.tally.comparisons += 1
        self.tally.used["D-31" if spins else "D-20"] += 1
        problem = None
        if spins and not 400 <= answer.status < 500:
            problem = ("status", "a refusal", str(answer.status))
        elif everything.status != 200 or not everything.body:
            problem = ("the list of everything", "200", f"{everything.status} {everything.text()[:200]}")
        if problem is not None:
            return Finding(at, None, operation.request, [problem], None, answer)
        self._begin()
        return None

    def _tagged(self, request):
        return request.tagged(names.TOKEN, self._world.tag)

    def _finding(self, at, check, request, case):
        back = swapper(self._world.tag, names.TOKEN)
        differences = [(place, back(one), back(other)) for place, one, other in case.found]
        return Finding(at, check, request, differences, case.theirs, case.ours)


def _is_poisoned(request, answer):
    """Whether a list is empty that never is. Of compact lists a rule says when they may be."""
    if request.header("x-eureka-accept") is not None:
        return False
    return request.method == "GET" and request.path.rstrip("/").endswith(("/apps", "/apps/delta")) and answer.status == 200 and not answer.body
