"""The findings of all clients as a table for people, and as docs/clients.md."""

import os
import platform
import subprocess
import time
from pathlib import Path

from .findings import VERDICTS, columns
from .story import FAIL, NOT_OFFERED, NOT_RUN, STEPS

HEADS = ("client", "version")


class Line:
    """One client: its kind, {column: (verdict, detail)}, how long it took, where logs lie."""

    def __init__(self, kind, cells, seconds, logs=""):
        self.kind = kind
        self.cells = cells
        self.seconds = seconds
        self.logs = logs

    @property
    def passed(self):
        return bool(self.cells) and all(verdict != FAIL for verdict, _ in self.cells.values())

    def verdict_of(self, column):
        return self.cells.get(column, (NOT_RUN, ""))[0]

    def row(self):
        verdict = "pass" if self.passed else FAIL
        return [self.kind.name, self.kind.version, *map(self.verdict_of, columns()), verdict, f"{self.seconds:.0f}"]


def heads():
    return [*HEADS, *columns(), "verdict", "s"]


def meanings():
    """(column, what it shows)."""
    return [(step.name, step.shows) for step in STEPS] + list(VERDICTS.items())


def print_table(lines):
    rows = [heads(), *(line.row() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print("\nnot offered by a library:")
    for line in lines:
        for reason, names in by_reason(line).items():
            print(f"  {line.kind.name}: {', '.join(names)}: {reason}")
    for line in lines:
        for column, (verdict, detail) in line.cells.items():
            if verdict == FAIL:
                print(f"\n{FAIL}  {line.kind.name}, {column}: {detail}")
        if line.logs:
            print(f"      logs: {line.logs}")


def by_reason(line):
    """{reason: columns} of what the library does not offer."""
    found = {}
    for column, (verdict, detail) in line.cells.items():
        if verdict == NOT_OFFERED:
            found.setdefault(detail, []).append(column)
    return found


def write_markdown(path, lines, words, root):
    """The table with all that is needed to run it again."""
    text = [
        "# Clients",
        "",
        "What `scripts/clients` found when it was last run in full: released, unmodified client libraries, each in a small application",
        "of [tests/clients](../tests/clients/README.md), each against three nodes of its own.",
        "",
        f"- date: {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC",
        f"- commit: {said(['git', 'describe', '--always', '--dirty'], root)}",
        f"- command: `{' '.join(words)}`",
        f"- machine: {machine()}",
        "",
        markdown_row(heads()),
        f"|{'---|' * len(heads())}",
        *(markdown_row(line.row()) for line in lines),
        "",
        "| column | shows that a client |",
        "|---|---|",
        *(markdown_row(pair) for pair in meanings()),
        "",
        "## What a library does not offer",
        "",
        "| client | columns | reason |",
        "|---|---|---|",
        *(markdown_row([line.kind.name, ", ".join(names), reason]) for line in lines for reason, names in by_reason(line).items()),
        "",
        "## What was seen",
        "",
    ]
    for line in lines:
        text += [f"### {line.kind.name}: {line.kind.library} {line.kind.version}", ""]
        text += [f"- {column}: {verdict}; {detail}" for column, (verdict, detail) in line.cells.items() if verdict != NOT_OFFERED]
        text.append("")
    Path(path).write_text("\n".join(text).rstrip("\n") + "\n")


def markdown_row(cells):
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def said(command, root):
    return subprocess.run(command, cwd=root, capture_output=True, text=True).stdout.strip() or "unknown"
