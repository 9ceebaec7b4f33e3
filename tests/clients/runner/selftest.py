"""Sees the steps fail: each case changes one answer of the server on its way, as a wrong server would give it.

A case names the client that suffers and the column that has to be red. A case that stays green means that the column shows nothing.
"""

import sys
import time

from . import cli, findings, kinds, part
from .story import FAIL

# (what is changed, whose story, the column that catches it, the last step to take)
CASES = (
    ("registered-200", "js", "registers", "registers"),
    ("registered-200", "go", "registers", "registers"),
    ("full-stale", "js", "arrives", "arrives"),
    ("delta-stale", "js-delta", "leaves", "leaves"),
    ("json-unasked", "prometheus", "arrives", "arrives"),
    ("json-unasked", "go", "arrives", "arrives"),
    ("no-action", "js-delta", "arrives", "arrives"),
    ("delta-403", "py", "log", "arrives"),
    ("delta-500-at-times", "py", "log", "leaves"),
    ("hash-wrong", "py", "deltas", "leaves"),
    ("renewals-lost", "js", "renews", "renews"),
    ("unknown-200", "js", "removed", "removed"),
    ("unknown-200", "py", "removed", "removed"),
    ("unknown-200", "go", "removed", "removed"),
    ("status-lost", "go", "own-status", "own-status"),
    ("metadata-lost", "go", "own-meta", "own-meta"),
    ("cancel-lost", "go", "cancels", "cancels"),
    # Slower ones, for who asks for them by name.
    ("hash-wrong", "netflix2", "deltas", "leaves"),
    ("no-action", "netflix2", "deltas", "leaves"),
    ("deleted-first", "netflix2", "deltas", "returns"),
    ("deleted-first", "spring5", "deltas", "returns"),
    ("unknown-200", "netflix2", "removed", "removed"),
    ("field-added", "spring5", "arrives", "arrives"),
    ("single-instance", "spring5", "arrives", "arrives"),
    ("registered-200", "spring5", "registers", "registers"),
)
QUICK = ("js", "js-delta", "py", "go", "prometheus")
# No case is told so far that a client complains of the released server, too.
NOTHING_WITH_THEIRS = {"complaints": []}


def run(root, options):
    """Exit code 0 if each case was caught where it should be."""
    binary = cli.server(root)
    if binary is None:
        return 64
    cli.end_on_signals()
    names = options.names or QUICK
    cases = [case for case in CASES if case[1] in names]
    cli.install(root, kinds.named({case[1] for case in cases}))
    waiting, missed, began = list(cases), [], time.monotonic()

    def next_story():
        if not waiting:
            return None
        tamper, name, _, until = waiting.pop(0)
        return kinds.named([name])[0], part.OURS, ("--tamper", tamper, "--until", until)

    def ended(job):
        tamper = job.more[1]
        column = next(case[2] for case in cases if case[:2] == (tamper, job.kind.name))
        red = red_columns(job.kind, job.found())
        caught = column in red
        if not caught:
            missed.append((tamper, job.kind.name))
        seen = ", ".join(red) or "nothing"
        print(f"{time.monotonic() - began:6.1f} s  {tamper}, {job.kind.name}: {'caught' if caught else 'MISSED'} by {column}; red: {seen}", flush=True)

    cli.run_beside_each_other(root, options, binary, next_story, ended)
    print(f"\n{len(cases) - len(missed)} of {len(cases)} wrong answers caught", flush=True)
    for tamper, name in missed:
        print(f"{FAIL}  {tamper} with {name}", file=sys.stderr)
    return 1 if missed or not cases else 0


def red_columns(kind, found):
    """The columns of a run that fail, in the order of the table."""
    if "broken" in found:
        return [f"none: {found['broken']}"]
    cells = {name: tuple(cell) for name, cell in found["results"].items()}
    cells["deltas"] = findings.deltas_verdict(kind, found)
    cells["log"] = findings.log_verdict(found, NOTHING_WITH_THEIRS)
    return [name for name in findings.columns() if cells.get(name, ("",))[0] == FAIL]
