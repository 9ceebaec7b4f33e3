"""Puts released Eureka clients through one story each, against three nodes and against the released server.

Each client is unmodified, in a small application under tests/clients, and gets a cluster of its own behind recording proxies. It
registers, renews, sees others come, change and go, is removed, changes itself, lives through a killed leader and a stopped node, and
leaves; the columns of the table say what is shown. The fault-free part is told against the released server too, to compare what
the client logs. Exit 0 only if no column of any client failed.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import clients_table as table
from . import findings, kinds, part
from .processes import Process, kill_all
from .story import FAIL

# What `.ci/run` may spend on stories; who does not fit comes with other commits.
CI_SECONDS_MAX = 300
# In every run of CI, whatever the commit, and how many of the others.
CI_ALWAYS = ("js-delta", "py", "netflix2", "spring5")
CI_IN_TURN = 3
# Each waits more than it works.
JOBS = 3
STORY_SECONDS_MAX = 360
POLL_SECONDS = 0.2
# The story with us, told a second time.
AGAIN = "again"


def main(root, words):
    options = parse_arguments(words)
    if options.part:
        return part.run(root, options)
    if options.self_test:
        from . import selftest

        return selftest.run(root, options)
    try:
        chosen, left = choose(options, root)
    except KeyError as unknown:
        print(f"clients: there is no {unknown}; there are {', '.join(kind.name for kind in kinds.ALL)}", file=sys.stderr)
        return 64
    binary = server(root)
    if binary is None:
        return 64
    end_on_signals()
    install(root, chosen)
    print(f"clients: seed {options.seed}; {', '.join(kind.name for kind in chosen)}", flush=True)
    lines = run_all(root, options, binary, chosen, left)
    table.print_table(lines)
    if options.ci:
        print(f"\nleft to other commits or a full run: {', '.join(kind.name for kind in left) or 'none'}")
    if options.report:
        table.write_markdown(options.report, lines, ["scripts/clients", *words], root)
    return 0 if lines and all(line.passed for line in lines) else 1


class Job:
    """One story under way in its own process."""

    def __init__(self, root, kind, which, directory, options, binary, more=()):
        self.kind = kind
        self.which = which
        self.more = more
        name = "-".join((kind.name, which, *more[1:]))
        self.result = directory / f"{name}.json"
        self.log = directory / f"{name}.txt"
        self.began = time.monotonic()
        command = [sys.executable, root / "scripts" / "clients", kind.name, "--part", which, "--seed", str(options.seed)]
        self.process = Process([*command, "--binary", binary, "--result", self.result, *more], self.log)

    @property
    def seconds(self):
        return time.monotonic() - self.began

    def has_ended(self):
        if self.process.exit_code is None and self.seconds > STORY_SECONDS_MAX:
            self.process.terminate()
            self.process.wait(POLL_SECONDS * 10)
        return self.process.exit_code is not None

    def found(self):
        if self.result.exists():
            return json.loads(self.result.read_text())
        last = self.log.read_text(errors="replace").strip().split("\n")[-1]
        return {"broken": f"its process ended with {self.process.exit_code} after {self.seconds:.0f} s: {last}"}


def run_all(root, options, binary, chosen, left):
    """A line for each client, in the order of `chosen`; whom the budget of CI leaves no time for goes to `left`."""
    waiting = [(kind, which) for kind in chosen for which in (part.OURS, part.THEIRS)]
    began, done = time.monotonic(), {}

    def next_story():
        while waiting:
            kind, which = waiting.pop(0)
            if not options.ci or which == part.THEIRS or (kind.name, which) in done or time.monotonic() - began < CI_SECONDS_MAX - kind.seconds:
                return kind, which, ()
            waiting.pop(0)  # the other story of the same client
            left.append(kind)
        return None

    def ended(job):
        again = (job.kind.name, job.which) in done
        done[job.kind.name, AGAIN if again else job.which] = (job.found(), job.seconds)
        tell(job, time.monotonic() - began)
        if not again and complains_alone(job.kind, done):
            waiting.insert(0, (job.kind, part.OURS))

    run_beside_each_other(root, options, binary, next_story, ended)
    return [line_of(kind, done) for kind in chosen if (kind.name, part.OURS) in done]


def run_beside_each_other(root, options, binary, next_story, ended):
    """Runs what `next_story` gives, (kind, part, further arguments) or None, so many at a time; tells `ended` of each job."""
    running = []
    with tempfile.TemporaryDirectory(prefix="eureka-raft-clients-") as name:
        try:
            while True:
                while len(running) < options.jobs and (story := next_story()):
                    kind, which, more = story
                    running.append(Job(root, kind, which, Path(name), options, binary, more))
                if not running:
                    return
                time.sleep(POLL_SECONDS)
                for job in [job for job in running if job.has_ended()]:
                    running.remove(job)
                    ended(job)
        finally:
            kill_all()


def complains_alone(kind, done):
    """Whether it logged with us what it did not with the released server, so that it has to show whether it does so again."""
    both = [done.get((kind.name, which), ({"broken": "not yet"},))[0] for which in (part.OURS, part.THEIRS)]
    return not any("broken" in found for found in both) and findings.log_verdict(*both)[0] == FAIL


def tell(job, seconds):
    found = job.found()
    failed = [name for name, (verdict, _) in found.get("results", {}).items() if verdict == FAIL]
    text = found.get("broken") or (f"failed: {', '.join(failed)}" if failed else "done")
    print(f"{seconds:6.1f} s  {job.kind.name}, {job.which}: {text} ({job.seconds:.0f} s)", flush=True)


def line_of(kind, done):
    """Both stories of a client as one line of the table. Their logs stay if it fails."""
    (ours, seconds), (theirs, _) = done[kind.name, part.OURS], done[kind.name, part.THEIRS]
    logs = [found["logs"] for found in (ours, theirs) if "logs" in found]
    cells = cells_of(kind, ours, theirs)
    again, _ = done.get((kind.name, AGAIN), (None, 0))
    if again and "broken" not in again:
        # On a busy machine anything may time out once.
        cells["log"] = findings.log_verdict(findings.repeated(ours, again), theirs)
    line = table.Line(kind, cells, seconds, ", ".join(logs))
    if line.passed:
        for directory in logs:
            shutil.rmtree(directory, ignore_errors=True)
        line.logs = ""
    return line


def cells_of(kind, ours, theirs):
    if "broken" in ours:
        return {"registers": (FAIL, ours["broken"])}
    cells = {name: tuple(cell) for name, cell in ours["results"].items()}
    cells["deltas"] = findings.deltas_verdict(kind, ours, theirs)
    if "broken" in theirs:
        cells["log"] = (FAIL, f"nothing to compare with: {theirs['broken']}")
    else:
        cells["log"] = findings.log_verdict(ours, theirs)
    return cells


def choose(options, root):
    """Whom to run in order, and who is left to other commits."""
    if not options.ci:
        return kinds.named(options.names), []
    always = [kind for kind in kinds.ALL if kind.name in CI_ALWAYS]
    turns = [kind for kind in kinds.ALL if kind.name not in CI_ALWAYS]
    at = commit_number(root) % len(turns)
    turns = turns[at:] + turns[:at]
    return always + turns[:CI_IN_TURN], turns[CI_IN_TURN:]


def commit_number(root):
    """The commit's hash as a number, so that commits take turns without agreeing on anything."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True)
    return int(done.stdout.strip() or "0", 16)


def server(root):
    binary = Path(os.environ.get("EUREKA_RAFT_BIN", root / "target" / "release" / "eureka-raft"))
    if not binary.is_file():
        print(f"clients: there is no {binary}; cargo build --release --locked, or set EUREKA_RAFT_BIN", file=sys.stderr)
        return None
    return binary.resolve()


def install(root, chosen):
    subprocess.run([root / "scripts" / "install", *sorted({kind.install for kind in chosen})], check=True)


def end_on_signals():
    for number in part.STOP_SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog="scripts/clients", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("names", metavar="NAME", nargs="*", help=f"{', '.join(kind.name for kind in kinds.ALL)}; none: all")
    add("--seed", type=int, default=1, help="chooses which server is told of each change")
    add("--jobs", type=int, default=JOBS, help=f"stories at a time ({JOBS}); a client has two")
    add("--ci", action="store_true", help=f"{', '.join(CI_ALWAYS)} and {CI_IN_TURN} others by commit, within {CI_SECONDS_MAX} s")
    add("--report", metavar="FILE", help="also write the table as Markdown, with machine, command, date and what was seen")
    add("--self-test", action="store_true", help="see each step fail, with answers changed on their way")
    # What a process for one story is told.
    for name in ("--part", "--result", "--binary", "--until", "--tamper"):
        add(name, help=argparse.SUPPRESS)
    return parser.parse_args(words)
