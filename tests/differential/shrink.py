"""From a failing sequence to the few requests that matter.

Owns the search: fewer operations first, then fewer parts of each request, as long as the same difference comes out. It may not
know what a difference is, only whether it came back.
"""

import json
import time
from dataclasses import replace

from .sequence import Operation

SECONDS_MAX = 25
BYTES_STEP_MIN = 1


class Shrinker:
    """`play` runs operations and returns a finding or None."""

    def __init__(self, play, finding, seconds_max=SECONDS_MAX):
        self._play = play
        self._signature = finding.signature
        self._deadline = time.monotonic() + seconds_max
        self.finding = finding
        self.plays = 0

    def shrink(self, operations):
        """The smallest failing sequence found in time; None if the difference does not come back at all."""
        operations = list(operations[: self.finding.at + 1])
        if not self._fails(operations):
            return None
        operations = self._without_checks(operations)
        operations = self._fewer(operations)
        for at in range(len(operations) - 1, -1, -1):
            operations = self._smaller(operations, at)
        return operations

    def _fails(self, operations):
        if time.monotonic() > self._deadline and self.plays:
            return False
        self.plays += 1
        found = self._play(operations)
        if found is None or found.signature != self._signature or found.at != len(operations) - 1:
            return False
        self.finding = found
        return True

    def _without_checks(self, operations):
        """Only the read that showed the difference stays."""
        last, check = operations[-1], self.finding.check
        kept = () if not check else (last.checks[check - 1],)
        bare = [Operation(one.request) for one in operations[:-1]]
        for shorter in ([*bare, Operation(last.request, kept)], [*operations[:-1], Operation(last.request, kept)]):
            if self._fails(shorter):
                return shorter
        return operations

    def _fewer(self, operations):
        """Delta debugging: leaves out ever smaller stretches before the last operation."""
        before, last = operations[:-1], operations[-1]
        size = max(1, len(before) // 2)
        while before:
            at, dropped = 0, False
            while at < len(before):
                shorter = before[:at] + before[at + size :]
                if self._fails([*shorter, last]):
                    before, dropped = shorter, True
                else:
                    at += size
            if size == 1 and not dropped:
                break
            size = max(1, size // 2)
        return [*before, last]

    def _smaller(self, operations, at):
        """Leaves out headers, parameters and parts of the body of operation `at`."""
        progress = True
        while progress and time.monotonic() < self._deadline:
            progress = False
            for request in _smaller_requests(operations[at].request):
                shorter = [*operations[:at], replace(operations[at], request=request), *operations[at + 1 :]]
                if self._fails(shorter):
                    operations, progress = shorter, True
                    break
        return operations


def _smaller_requests(request):
    for at in range(len(request.headers)):
        yield replace(request, headers=request.headers[:at] + request.headers[at + 1 :])
    for at in range(len(request.query)):
        yield replace(request, query=request.query[:at] + request.query[at + 1 :])
    if "/v2" in request.path:
        yield replace(request, path=request.path.replace("/v2", "", 1))
    if request.body:
        for body in _smaller_bodies(request.body):
            yield replace(request, body=body)


def _smaller_bodies(body):
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if isinstance(tree, (dict, list)):
        for smaller in _smaller_values(tree):
            text = json.dumps(smaller, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            if len(text) < len(body):
                yield text
        return
    size = len(body) // 2
    while size >= BYTES_STEP_MIN:
        for at in range(0, len(body), size):
            yield body[:at] + body[at + size :]
        size //= 2 if size > 16 else 4


def _smaller_values(value):
    if isinstance(value, dict):
        for key in value:
            yield {name: item for name, item in value.items() if name != key}
        for key in value:
            for smaller in _smaller_values(value[key]):
                yield value | {key: smaller}
    elif isinstance(value, list):
        for at in range(len(value)):
            yield value[:at] + value[at + 1 :]
