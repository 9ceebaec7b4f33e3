"""The rows of the final table, and the lines printed on the way."""

import contextlib
import time

from .waiting import CheckFailed, Unmet, describe

COLUMNS = ("check", "client or node", "result", "detail")
OK, FAILED = "ok", "FAIL"


class DeadlinePassed(Exception):
    """The whole demo took too long."""


class GaveUp(Exception):
    """A check failed without which the next ones mean nothing."""


class Report:
    def __init__(self):
        self._began = time.monotonic()
        self._rows = []
        self._failures = []
        self._unfinished = ("the demo itself", "", ())

    @property
    def passed(self):
        return bool(self._rows) and not self._failures

    def say(self, text):
        """A line of progress."""
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    @contextlib.contextmanager
    def check(self, what, who="", logs=()):
        """A row. The body sets `row.detail`; a check that fails in it ends the body and fails the row.

        `logs` are the files to look into after a failure.
        """
        outer, self._unfinished = self._unfinished, (what, who, logs)
        row = Row()
        try:
            yield row
        except (CheckFailed, Unmet, OSError, ValueError, LookupError) as problem:
            self._fail(problem)
        else:
            self._rows.append((what, who, OK, row.detail))
            self.say(f"{OK:4}  {what}{': ' + who if who else ''}: {row.detail}")
        self._unfinished = outer

    @contextlib.contextmanager
    def vital(self):
        """Gives up if a check in the body fails: what follows would say nothing more."""
        failed_before = len(self._failures)
        yield
        if len(self._failures) > failed_before:
            self.say("giving up: what follows depends on this")
            raise GaveUp

    def fail_unfinished(self, problem):
        """Fails the row that was under way when `problem` ended the demo."""
        self._fail(problem)

    def _fail(self, problem):
        what, who, logs = self._unfinished
        self._rows.append((what, who, FAILED, "see below"))
        self._failures.append((what, who, describe(problem), logs))
        self.say(f"{FAILED}  {what}{': ' + who if who else ''}: {describe(problem)}")

    def print_table(self):
        widths = [max(len(row[column]) for row in [COLUMNS, *self._rows]) for column in range(len(COLUMNS))]
        print()
        for row in [COLUMNS, tuple("-" * width for width in widths), *self._rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        for what, who, problem, logs in self._failures:
            print(f"\n{FAILED}  {what}{' (' + who + ')' if who else ''}\n      {problem}")
            for log in logs:
                print(f"      log: {log}")
        held = len(self._rows) - len(self._failures)
        print(f"\n{held} of {len(self._rows)} checks hold, after {time.monotonic() - self._began:.0f} s", flush=True)


class Row:
    detail = ""
