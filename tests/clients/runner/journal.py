"""What a client asked for, request by request, as its proxies wrote it down.

Owns the names of Eureka's routes; knows nothing of who reads them.
"""

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

# Where Eureka's API may hang.
PREFIXES = (["eureka", "v2"], ["eureka"], ["v2"], [])
BY_INSTANCE = {"GET": "instance", "PUT": "heartbeat", "DELETE": "cancel"}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer's status, None if there was no answer. `at` is in seconds since the epoch."""

    at: float
    node: str
    method: str
    target: str
    status: int | None

    @property
    def route(self):
        return route(self.method, self.target)


class Journal:
    """Written by several proxies at a time."""

    def __init__(self):
        self._exchanges = []
        self._lock = threading.Lock()

    def add(self, exchange):
        with self._lock:
            self._exchanges.append(exchange)

    def find(self, route=None, status=None, since=0.0):
        """What was asked at `since` or later, in order; all routes or one, all statuses or one."""
        with self._lock:
            copy = list(self._exchanges)
        return [
            one
            for one in copy
            if one.at >= since and (route is None or one.route == route) and (status is None or one.status == status)
        ]

    def last_node(self):
        """The name of the server that answered last."""
        answered = [one for one in self.find() if one.status is not None]
        return answered[-1].node if answered else None

    def counts(self, since=0.0):
        """{"full": 1, "delta": 12, "heartbeat 404": 1…}: statuses are named where they are no success."""
        return Counter(
            one.route if one.status is not None and one.status < 300 else f"{one.route} {one.status or 'unanswered'}"
            for one in self.find(since=since)
        )

    def write(self, path):
        """As lines of text, for those who look into a failure."""
        lines = [
            f"{datetime.fromtimestamp(one.at, UTC):%H:%M:%S.%f}  {one.node:10}  {one.status or '-':3}  {one.method} {one.target}"
            for one in self.find()
        ]
        path.write_text("\n".join(lines) + "\n")


def route(method, target):
    """What Eureka calls it, "other" for all that is none of its routes about applications."""
    segments = [segment for segment in target.partition("?")[0].split("/") if segment]
    prefix = next(prefix for prefix in PREFIXES if segments[: len(prefix)] == prefix)
    below = segments[len(prefix) :]
    if below[:1] != ["apps"]:
        return below[0] if below[:1] in (["vips"], ["svips"], ["instances"]) else "other"
    rest = below[1:]
    if not rest:
        return "full"
    if rest == ["delta"]:
        return "delta"
    if len(rest) == 1:
        return "register" if method == "POST" else "application"
    return BY_INSTANCE.get(method, "other") if len(rest) == 2 else rest[2]
