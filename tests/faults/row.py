"""A row of the fault table: how one is declared, and what one run of it has at hand.

Owns the list of rows, and the rule that a row needs evidence: a fault that took hold, and acknowledged writes.
"""

import contextlib
import os
import random
import time
from dataclasses import dataclass, field

from runner.waiting import CheckFailed

from . import disks
from .cluster import Cluster
from .load import Load, Shape
from .settle import settle
from .watch import Watch

# In `.ci/run`: ALWAYS for the few short ones that every commit must pass, TURNS for those that commits share, NEVER for what
# only a full run can afford.
ALWAYS, TURNS, NEVER = "always", "turns", "never"

# How much time a run has: `--ci`, a full run or a row by number, `--long`.
CI, FULL, LONG = "ci", "full", "long"
LONG_SECONDS_MAX = 1800

ROWS = {}


@dataclass(frozen=True)
class Row:
    """`seconds` is what one run takes here; a run may take four times that and a minute before it is ended."""

    number: int
    fault: str
    body: object
    seconds: int
    ci: str = TURNS
    # Runs in a full run, and with --ci.
    runs: int = 1
    ci_runs: int = 1
    root: bool = False
    # Whether a run without an acknowledged write proves anything.
    needs_acked: bool = True

    @property
    def seconds_max(self):
        return 4 * self.seconds + 60


def row(number, fault, seconds, **options):
    """Declares a row. The function gets a `Run`; what it raises fails the row."""

    def declare(body):
        if number in ROWS:
            raise ValueError(f"row {number} is declared twice")
        ROWS[number] = Row(number, fault, body, seconds, **options)
        return body

    return declare


class Skip(Exception):
    """This row cannot run here; the text says why."""


@dataclass
class Outcome:
    """What one run showed."""

    seed: int
    acked: int = 0
    lost: int = 0
    silent: int = 0
    gaps_ms: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0
    logs: str = ""

    @property
    def passed(self):
        return not self.problems and not self.skipped


class Run:
    """One run of a row: seeded chance, clusters, loads, mounts, and what was found. Everything it makes goes with it."""

    def __init__(self, declared, seed, slot, binary, scope):
        self.row = declared
        self.seed = seed
        # Whether there is time for what CI has none for, and for the variants of ten minutes.
        self.full = scope != CI
        self.long = scope == LONG
        self.rng = random.Random(f"{declared.number}-{seed}")
        self.slot = slot
        self.binary = binary
        self.directory = slot.directory / f"row-{declared.number}-{seed}"
        self.directory.mkdir()
        self.outcome = Outcome(seed)
        self.faults = []
        self.clusters = []
        self._watches = {}
        self._ending = contextlib.ExitStack()

    def cluster(self, size=3, settings=(), network=False, start=True, name="cluster"):
        """A cluster in its own directory; started and ready unless `start` is False (then `begin()` it)."""
        if network and os.geteuid() != 0:
            raise Skip("needs root for network namespaces")
        directory = self.directory / name
        directory.mkdir()
        made = Cluster(self.slot, self.binary, directory, size, settings, network)
        self._ending.callback(made.remove)
        self.clusters.append(made)
        return self.begin(made) if start else made

    def begin(self, cluster):
        """Starts it, waits until all are ready, and watches it from now on."""
        cluster.start()
        cluster.await_ready()
        self._watches[cluster] = Watch(cluster)
        self._ending.callback(self._watches[cluster].stop)
        self._watches[cluster].start()
        return cluster

    def watch(self, cluster):
        return self._watches[cluster]

    def load(self, cluster, nodes=None, **shape):
        """A load on `nodes` (default: all), registered and under way. `shape` as in `load.Shape`."""
        made = Load(nodes or cluster.nodes, Shape(**shape), self.seed)
        self._ending.callback(made.stop)
        made.start()
        return made

    def fault(self, what):
        """Notes that a fault takes hold now. Returns the moment."""
        self.faults.append(what)
        return time.monotonic()

    def rest(self, least, most=None):
        """Lets the load go on for so many seconds, drawn between the two."""
        time.sleep(least if most is None else self.rng.uniform(least, most))

    def gap(self, load, since, until=None, ms_max=None):
        """The longest span without an acknowledged write; a problem if it is longer than `ms_max`."""
        found = load.history.longest_gap_ms(since, until or time.monotonic())
        self.outcome.gaps_ms.append(found)
        if ms_max is not None:
            self.expect(found <= ms_max, f"no write was acknowledged for {found:.0f} ms; at most {ms_max} ms are allowed")
        return found

    def settle(self, cluster, load, seconds_max=30):
        """After healing: O1 to O6 (see settle.py). Ends the load."""
        settle(self, cluster, load, seconds_max)

    def expect(self, condition, problem):
        """Notes `problem` unless the condition holds; the row goes on and fails."""
        if not condition:
            self.outcome.problems.append(problem)
        return bool(condition)

    def silent(self, problems):
        """Counts wrong answers that did not say so."""
        self.outcome.silent += len(problems)
        self._some(problems)

    def lost(self, problems):
        """Counts acknowledged writes that are gone."""
        self.outcome.lost += len(problems)
        self._some(problems)

    def wrong(self, problems):
        """Other broken promises."""
        self._some(problems)

    def note(self, text):
        """A figure or a remark for the report."""
        self.outcome.notes.append(text)

    def tmpfs(self, name, size, inodes=None):
        """A mounted directory of memory, as "64m", for this run."""
        self._need_root("mounts")
        directory = disks.tmpfs(self.directory / name, size, inodes)
        self._ending.callback(disks.unmount, directory)
        return directory

    def loop_ext4(self, name, mebibytes):
        """A mounted new ext4, and its loop device, for this run."""
        self._need_root("mounts")
        directory = self.directory / name
        device = disks.loop_ext4(directory, mebibytes)
        self._ending.callback(disks.unmount, directory, device)
        return directory, device

    def on_end(self, call, *arguments):
        """Calls it when the run ends, however it ends; what was registered last goes first."""
        self._ending.callback(call, *arguments)

    def end(self):
        """Judges what has to be true of every row, and removes what the run made, except files."""
        try:
            if not self.outcome.skipped:
                self._judge()
        finally:
            self._ending.close()

    def _judge(self):
        for cluster in self.clusters:
            self._some(cluster.died())
            for node in cluster.nodes:
                self.expect("panicked" not in node.log_text(), f"{node.name} panicked: see its log")
        for watch in self._watches.values():
            found = watch.problems()
            self.outcome.silent += len(found)
            self._some(found)
        if self.outcome.problems:
            return
        self.expect(self.faults, "the fault never took hold: this run proves nothing")
        if self.row.needs_acked:
            self.expect(self.outcome.acked, "nothing was acknowledged: this run proves nothing")

    def _some(self, problems):
        shown = 5
        self.outcome.problems += problems[:shown]
        if len(problems) > shown:
            self.outcome.problems.append(f"… and {len(problems) - shown} more of this kind")

    def _need_root(self, what):
        if os.geteuid() != 0:
            raise Skip(f"needs root for {what}")


def run_row(declared, seed, slot, binary, scope, deadline):
    """One run, judged and cleaned up. `deadline` is a context manager that raises when its seconds have passed."""
    began = time.monotonic()
    run = Run(declared, seed, slot, binary, scope)
    try:
        with deadline(LONG_SECONDS_MAX if scope == LONG else declared.seconds_max):
            declared.body(run)
    except Skip as reason:
        run.outcome.skipped = str(reason)
    except CheckFailed as failure:
        run.outcome.problems.append(str(failure))
    except Exception as failure:  # Whatever a row raises is its failure, not the end of the other rows.
        run.outcome.problems.append(f"{type(failure).__name__}: {failure}")
    finally:
        _end(run)
    run.outcome.seconds = time.monotonic() - began
    return run


def _end(run):
    try:
        run.end()
    except Exception as failure:  # What could not be removed fails this row; the sweep of the slot gets the rest.
        run.outcome.problems.append(f"cleaning up: {type(failure).__name__}: {failure}")
