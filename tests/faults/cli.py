"""Runs rows of the fault table against the release binary and prints what they found.

Exit 0 only if every row that was asked for passes. A row without evidence fails: nothing acknowledged, or a fault that never took
hold. A row that cannot run here is shown as skipped, which is no pass either when it was asked for by number.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner import processes

from . import rows as _rows  # noqa: F401  (declares all rows)
from . import table
from .row import ALWAYS, CI, FULL, LONG, NEVER, ROWS, TURNS, run_row
from .slots import Slot

# What `.ci/run` may spend on rows.
CI_SECONDS_MAX = 360
LOG_LINES_SHOWN = 12
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DeadlinePassed(Exception):
    """A run took too long."""


def main(root, words):
    options = parse_arguments(words)
    if options.list:
        return list_rows()
    if options.self_test:
        from . import selftest

        return selftest.run()
    binary = server(root)
    if binary is None:
        return 64
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    chosen, left = choose(options, root)
    lines = []
    slot = Slot()
    try:
        lines = run_all(chosen, options, slot, binary, root, left)
    finally:
        processes.kill_all()
        slot.sweep()
    show(lines, left, options, words, root)
    return 0 if lines and all(accepted(line, options) for line in lines) else 1


def run_all(chosen, options, slot, binary, root, left):
    """A line for each row that was run; what the budget leaves no time for goes to `left`."""
    began = time.monotonic()
    budget = options.seconds_max or (CI_SECONDS_MAX if options.ci else None)
    lines = []
    for declared in chosen:
        count = options.repeat or (declared.ci_runs if options.ci else declared.runs if not options.rows else 1)
        if budget and time.monotonic() - began + declared.seconds * (count if options.ci else 1) > budget:
            left.append(declared)
            continue
        line = table.Line(declared, [])
        lines.append(line)
        for n in range(count):
            if n and budget and time.monotonic() - began + declared.seconds > budget:
                break
            run = run_row(declared, options.seed + n, slot, binary, scope_of(options), deadline)
            line.outcomes.append(run.outcome)
            keep_logs(run, root)
            tell(run, options)
            if run.outcome.skipped:
                break
    return lines


def scope_of(options):
    return LONG if options.long else CI if options.ci else FULL


def choose(options, root):
    """The rows to run in order, and those left to other commits."""
    if options.rows:
        unknown = [number for number in options.rows if number not in ROWS]
        if unknown:
            sys.exit(f"faults: there is no row {unknown[0]}; scripts/faults --list shows them")
        return [ROWS[number] for number in dict.fromkeys(options.rows)], []
    declared = [ROWS[number] for number in sorted(ROWS)]
    if not options.ci:
        return declared, []
    always = [row for row in declared if row.ci == ALWAYS]
    turns = [row for row in declared if row.ci == TURNS]
    at = commit_number(root) % len(turns) if turns else 0
    return always + turns[at:] + turns[:at], [row for row in declared if row.ci == NEVER]


def commit_number(root):
    """The commit's hash as a number, so that commits take turns without agreeing on anything."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True)
    return int(done.stdout.strip() or "0", 16)


def server(root):
    binary = Path(os.environ.get("EUREKA_RAFT_BIN", root / "target" / "release" / "eureka-raft"))
    if not binary.is_file():
        print(f"faults: there is no {binary}; cargo build --release --locked, or set EUREKA_RAFT_BIN", file=sys.stderr)
        return None
    return binary.resolve()


def keep_logs(run, root):
    """The nodes' logs of a failed run go to target/faults; everything else of a run is removed."""
    if run.outcome.problems:
        kept = root / "target" / "faults" / f"row-{run.row.number}-seed-{run.seed}"
        shutil.rmtree(kept, ignore_errors=True)
        for log in sorted(run.directory.glob("*/*.log")):
            target = kept / log.relative_to(run.directory)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, target)
        run.outcome.logs = str(kept)
    shutil.rmtree(run.directory, ignore_errors=True)


def tell(run, options):
    """A line of progress, and the ends of the logs of a failed run. JSON goes to stdout alone."""
    outcome, stream = run.outcome, sys.stderr if options.output == "json" else sys.stdout
    verdict = table.FAIL if outcome.problems else f"skipped: {outcome.skipped}" if outcome.skipped else table.PASS
    notes = "; ".join(outcome.notes)
    print(f"row {run.row.number:2} seed {outcome.seed}: {verdict} after {outcome.seconds:.0f} s  {notes}", file=stream)
    for problem in outcome.problems:
        print(f"    {problem}", file=stream)
    if outcome.problems:
        for log in sorted(Path(outcome.logs).rglob("*.log")):
            print(f"    --- the end of {log}", file=stream)
            for line in log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]:
                print(f"    {line}", file=stream)
    stream.flush()


def show(lines, left, options, words, root):
    if options.output == "json":
        table.print_json(lines)
    else:
        table.print_table(lines)
        if options.ci or left:
            print(f"\nran rows {numbers(line.row for line in lines)}; left to other commits or full runs: {numbers(left)}")
    if options.report:
        table.write_markdown(options.report, lines, ["scripts/faults", *words], root)


def numbers(rows):
    return ", ".join(str(number) for number in sorted(row.number for row in rows)) or "none"


def accepted(line, options):
    """A skipped row does not pass when somebody asked for it; in CI and full runs it is shown and left at that."""
    return line.passed or (bool(line.skipped) and not options.rows and line.verdict != table.FAIL)


def list_rows():
    for number in sorted(ROWS):
        declared = ROWS[number]
        cost = f"about {declared.seconds} s; in CI: {declared.ci}; full run: {declared.runs} times"
        print(f"{number:3}  {declared.fault}  ({cost})")
    return 0


@contextlib.contextmanager
def deadline(seconds):
    def passed(*_):
        raise DeadlinePassed(f"it took more than {seconds} s")

    signal.signal(signal.SIGALRM, passed)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("rows", metavar="ROW", nargs="*", type=int, help="numbers of rows; none: all, as often as a full run wants")
    add("--list", action="store_true", help="the rows, and what they cost")
    add("--seed", type=int, default=1, help="of the first run; each further run has the next one")
    add("--repeat", metavar="N", type=int, help="run each row so often")
    add("--seconds-max", metavar="N", type=int, help="start no run that would end later")
    add("--ci", action="store_true", help=f"the short rows, then others by commit while {CI_SECONDS_MAX} s last")
    add("--long", action="store_true", help="also the variants that take ten minutes (row 16)")
    add("--output", choices=("table", "json"), default="table")
    add("--report", metavar="FILE", help="also write the table as Markdown, with machine, command, date and seeds")
    add("--self-test", action="store_true", help="test the judges, also against a server that breaks its promises")
    return parser.parse_args(words)
