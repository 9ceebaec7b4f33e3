"""What clients asked and what they were told: the material that the oracles judge.

Owns the record of one attempt. Every attempt to write carries a value no other attempt carries, so that what is found later
says which attempt it comes from. Times are of the monotonic clock of this process, in seconds.
"""

import threading
from dataclasses import dataclass

# The value of an instance that is not in the registry.
ABSENT = None

ACKED = "acked"
# The server, or a connection that could not be made, said that nothing was done.
REFUSED = "refused"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Write:
    """One attempt to give `key` a value: a registration, a metadata update, or a cancellation (`ABSENT`)."""

    key: str
    value: int | None
    started: float
    ended: float
    node: str
    outcome: str
    index: int | None = None
    seq: int | None = None
    status: int | None = None

    @property
    def place(self):
        """Its place in the log, for an acknowledged one."""
        return (self.index, self.seq)


@dataclass(frozen=True, slots=True)
class Read:
    """What a node said about `key` at log index `index`; a 404 to a write is such an answer, too."""

    key: str
    value: int | None
    started: float
    ended: float
    node: str
    index: int
    linearizable: bool = True
    age_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """One heartbeat. `found` is False only for a 404."""

    key: str
    started: float
    ended: float
    node: str
    outcome: str
    found: bool = True
    index: int | None = None


class History:
    """Everything that was recorded. Threads append without a lock: a list's append is atomic."""

    def __init__(self):
        self.writes = []
        self.reads = []
        self.renewals = []
        # Sentences about answers that may not exist, such as a 2xx without an index.
        self.dishonest = []
        # Operations that failed on every server in turn, as (time, what).
        self.given_up = []
        # (started, ended) of whole operations, from the first attempt to the acknowledgement.
        self.operations = []
        self._values = 0
        self._lock = threading.Lock()

    def fresh_value(self):
        with self._lock:
            self._values += 1
            return self._values

    def acked(self):
        """Acknowledged writes and renewals."""
        return [w for w in self.writes if w.outcome == ACKED] + [r for r in self.renewals if r.outcome == ACKED and r.found]

    def by_key(self):
        """Writes of each key."""
        found = {}
        for write in list(self.writes):
            found.setdefault(write.key, []).append(write)
        return found

    def longest_gap_ms(self, since, until):
        """The longest span without an acknowledged write or renewal between two moments."""
        ends = sorted(op.ended for op in self.acked() if since <= op.ended <= until)
        moments = [since, *ends, until]
        return max(1000 * (after - before) for before, after in zip(moments, moments[1:]))

    def latencies_ms(self, since, until):
        """Of acknowledged metadata writes and registrations that started in the span, sorted."""
        return sorted(
            1000 * (w.ended - w.started) for w in self.writes if w.outcome == ACKED and since <= w.started <= until
        )

    def slowest_operation_ms(self, since, until):
        """From the first attempt to the acknowledgement, over retries."""
        return max((1000 * (end - start) for start, end in self.operations if since <= end and start <= until), default=0.0)


def quantile(sorted_values, share):
    """The value that `share` (0 to 1) of the values do not exceed; 0 of none."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]
