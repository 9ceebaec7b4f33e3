"""The command: what it takes, what it prints, how it ends."""

import argparse
import random
import sys
import time
from collections import Counter

from runner.waiting import CheckFailed

from . import rules
from .exchange import NoAnswer
from .play import Player
from .sequence import Sequence
from .shrink import Shrinker
from .selftest import self_test
from .sides import released_and_ours

OPERATIONS = 60
PROGRESS_SECONDS = 15
BODY_LETTERS = 1500


def arguments(words):
    parser = argparse.ArgumentParser(prog="scripts/differential", description="The released Eureka server and ours, asked the same.")
    parser.add_argument("--seed", type=int, help="the first seed (default: drawn, and printed)")
    parser.add_argument("--seeds", type=int, help="stop after so many sequences")
    parser.add_argument("--seconds", type=float, default=120, help="stop after so many seconds, start included (default: 120)")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help=f"per sequence (default: {OPERATIONS})")
    parser.add_argument("--cluster", action="store_true", help="ask a follower of three nodes instead of a single node")
    parser.add_argument("--keep-going", action="store_true", help="go on after a difference; each kind is shown once")
    parser.add_argument("--self-test", action="store_true", help="plant differences between two of ours and see each one found; needs no Java")
    return parser.parse_args(words)


def main(root, words):
    options = arguments(words)
    if options.self_test:
        return self_test(root)
    began = time.monotonic()
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seeds from {first}; again: scripts/differential --seed {first} --operations {options.operations}", flush=True)
    try:
        with released_and_ours(root, options.cluster) as pair:
            print(f"both ready after {time.monotonic() - began:.1f} s: theirs {pair.theirs.base}, ours {pair.ours.base}", flush=True)
            return Run(pair, options, first, began).run()
    except (CheckFailed, NoAnswer) as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1


class Run:
    """One run over many seeds."""

    def __init__(self, pair, options, first, began):
        self._pair = pair
        self._options = options
        self._first = first
        self._began = began
        self._player = Player(pair)
        self._kinds = Counter()
        self._seeds = 0

    def run(self):
        shown = time.monotonic()
        while not self._ends():
            seed = self._first + self._seeds
            self._seeds += 1
            operations = Sequence(seed, self._options.operations).operations
            finding = self._player.play(operations)
            if finding is not None:
                self._show(seed, operations, finding)
                if not self._options.keep_going:
                    break
            if time.monotonic() - shown > PROGRESS_SECONDS:
                shown = time.monotonic()
                self._progress()
        return self._summary()

    def _ends(self):
        enough = self._options.seeds is not None and self._seeds >= self._options.seeds
        return enough or time.monotonic() - self._began > self._options.seconds

    def _show(self, seed, operations, finding):
        self._kinds[finding.signature] += 1
        if self._kinds[finding.signature] > 1:
            return
        print(f"\nseed {seed}, operation {finding.at + 1}: {finding.request.method} {finding.request.target}", flush=True)
        for place, theirs, ours in finding.differences:
            print(f"  {place}\n    theirs {theirs}\n    ours   {ours}")
        shrinker = Shrinker(self._player.play, finding)
        shrunk = shrinker.shrink(operations)
        if shrunk is None:
            print("  it did not come back when played again; the whole sequence:")
            shrunk = operations[: finding.at + 1]
        print(f"  {len(shrunk)} operations left after {shrinker.plays} plays")
        self._print_commands(shrunk, shrinker.finding)

    def _print_commands(self, operations, finding):
        for number, operation in enumerate(operations):
            print("  " + operation.request.curl("$EUREKA"))
        if finding.check is not None:
            print("  " + finding.request.curl("$EUREKA"))
        for name, answer in (("theirs", finding.theirs), ("ours", finding.ours)):
            if answer is None:
                print(f"  {name}: not asked")
                continue
            headers = " ".join(f"{key}={value}" for key, value in answer.headers if key in ("content-type", "allow", "content-encoding"))
            print(f"  {name}: {answer.status} {headers}\n    {answer.text()[:BODY_LETTERS]!r}")
        for place, theirs, ours in finding.differences:
            print(f"  {place}\n    theirs {theirs}\n    ours   {ours}", flush=True)

    def _progress(self):
        tally = self._player.tally
        print(f"{time.monotonic() - self._began:6.0f} s: {self._seeds} seeds, {tally.operations} operations, {tally.comparisons} comparisons, {sum(self._kinds.values())} differences", flush=True)

    def _summary(self):
        self._progress()
        tally = self._player.tally
        print(f"seeds {self._first} to {self._first + self._seeds - 1}; the reference server was started {self._pair.theirs.starts} times")
        for id, count in sorted(tally.used.items()):
            print(f"  {id}: {count}")
        unused = sorted(rules.ids() - set(tally.used))
        if unused:
            print(f"  never used: {', '.join(unused)}")
        for signature, count in self._kinds.most_common():
            print(f"  unexplained {count} times: {' '.join(map(str, signature))}")
        return 1 if self._kinds else 0
