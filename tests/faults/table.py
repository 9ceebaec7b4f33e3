"""Outcomes as a table for people, as JSON, and as the Markdown of docs/faults.md.

Owns how the runs of one row become one line of it.
"""

import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .history import quantile

COLUMNS = ("row", "fault", "runs", "acked", "lost", "silent", "gap ms (max, p99)", "verdict", "seconds")
PASS, FAIL = "pass", "FAIL"


@dataclass
class Line:
    """All runs of one row."""

    row: object
    outcomes: list

    @property
    def skipped(self):
        """Why nothing ran, or an empty text."""
        return next((outcome.skipped for outcome in self.outcomes if outcome.skipped), "")

    @property
    def passed(self):
        return bool(self.outcomes) and all(outcome.passed for outcome in self.outcomes)

    @property
    def verdict(self):
        if any(outcome.problems for outcome in self.outcomes):
            return FAIL
        return f"skipped: {self.skipped}" if self.skipped else PASS

    def total(self, name):
        return sum(getattr(outcome, name) for outcome in self.outcomes)

    @property
    def gaps(self):
        gaps = sorted(gap for outcome in self.outcomes for gap in outcome.gaps_ms)
        return f"{gaps[-1]:.0f}, {quantile(gaps, 0.99):.0f}" if gaps else "–"

    def cells(self):
        return [
            str(self.row.number),
            self.row.fault,
            str(len(self.outcomes)),
            str(self.total("acked")),
            str(self.total("lost")),
            str(self.total("silent")),
            self.gaps,
            self.verdict,
            f"{self.total('seconds'):.0f}",
        ]


def print_table(lines):
    cells = [list(COLUMNS), *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    cells.insert(1, ["-" * width for width in widths])
    print()
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    for line in lines:
        for outcome in line.outcomes:
            for problem in outcome.problems:
                print(f"\n{FAIL}  row {line.row.number}, seed {outcome.seed}: {problem}")
            if outcome.logs:
                print(f"      logs: {outcome.logs}")


def print_json(lines):
    print(json.dumps([
        {
            "row": line.row.number,
            "fault": line.row.fault,
            "verdict": line.verdict,
            "runs": [vars(outcome) for outcome in line.outcomes],
        }
        for line in lines
    ], indent=2))


def write_markdown(path, lines, words, root):
    """The table with all that is needed to run it again."""
    text = [
        "# Faults",
        "",
        "What `scripts/faults` found when it was last run in full. A row passes if nothing acknowledged was lost, no answer",
        "was silently wrong, no one who renewed was evicted, at most one node led a term, states were equal, and the cluster",
        "worked again within the row's limit; [tests/faults/README.md](../tests/faults/README.md) says how that is judged.",
        "",
        f"- date: {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC",
        f"- commit: {_commit(root)}",
        f"- command: `{' '.join(words)}`",
        f"- machine: {_machine()}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(line.cells())} |" for line in lines),
        "",
        "Seeds and figures:",
        "",
        *(_figures(line) for line in lines),
    ]
    failures = [
        f"- row {line.row.number}, seed {outcome.seed}: {problem}"
        for line in lines
        for outcome in line.outcomes
        for problem in outcome.problems
    ]
    if failures:
        text += ["", "What failed:", "", *failures]
    Path(path).write_text("\n".join(text) + "\n")


def _figures(line):
    seeds = [outcome.seed for outcome in line.outcomes]
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    notes = next((outcome.notes for outcome in line.outcomes if outcome.notes), [])
    return f"- row {line.row.number}: seed {span}{'; ' if notes else ''}{'; '.join(notes)}"


def _commit(root):
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"
