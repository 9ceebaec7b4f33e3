"""Waiting for something with a bound, and saying what was seen when it did not come."""

import time

POLL_SECONDS = 0.25


class CheckFailed(Exception):
    """A check did not hold. The text says what was expected and what was seen."""


class Unmet(Exception):
    """Raised by a probe: what it saw is not yet what is expected."""


class Within:
    """A bound that several waits share: it runs from when it is made."""

    # Less than 1 where what is waited for is known not to come.
    patience = 1.0

    def __init__(self, seconds):
        self.seconds = seconds * self.patience
        self._ends = time.monotonic() + self.seconds

    @property
    def has_passed(self):
        return time.monotonic() >= self._ends


def eventually(expected, within, probe):
    """Calls `probe` until it returns without raising `Unmet`, a connection error or an odd document, and returns what it
    returned.

    Once the bound has passed it raises `CheckFailed` with `expected` and what the last probe saw; it probes at least once.
    """
    while True:
        try:
            return probe()
        except (Unmet, OSError, ValueError, LookupError) as seen:
            if within.has_passed:
                raise CheckFailed(f"expected within {within.seconds:g} s: {expected}; seen: {describe(seen)}") from seen
        time.sleep(POLL_SECONDS)


def describe(problem):
    """Our own sentences as they are; others with the name of what was raised."""
    return str(problem) if isinstance(problem, (CheckFailed, Unmet)) else f"{type(problem).__name__}: {problem}"


def require(condition, seen):
    """For probes: goes on if `condition` holds, else reports `seen`."""
    if not condition:
        raise Unmet(seen)
