"""One story in a process of its own: a client, at one site, from the first server to the last; its findings go into a file.

A process of its own, so that stories run beside each other, none outlives its parent, and a stuck one can be ended from outside.
"""

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import findings, kinds, processes
from .site import Ours, Theirs
from .story import Story
from .tampering import TAMPERS
from .waiting import CheckFailed, Within, describe

OURS, THEIRS = "ours", "theirs"
# What a changed answer keeps from happening is not waited for as long.
TAMPERED_PATIENCE = 0.4
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(root, options):
    """Exit code 0 if a story was told to its end, whatever came of its steps."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    [kind] = kinds.named(options.names)
    if options.tamper and not kind.is_slow:
        Within.patience = TAMPERED_PATIENCE
    directory = Path(tempfile.mkdtemp(prefix=f"eureka-raft-clients-{kind.name}-"))
    story = None
    found = {}
    try:
        story = Story(kind, site_of(root, options, directory), directory, options.seed)
        story.tell(kinds.prometheus_binary(), options.until)
        found = findings.of(story)
    except (CheckFailed, OSError, ValueError, LookupError) as problem:
        found = {"broken": describe(problem)}
    finally:
        processes.kill_all()
        if story:
            found["logs"] = str(keep_logs(story, root / "target" / "clients" / f"{kind.name}-{options.part}"))
        shutil.rmtree(directory, ignore_errors=True)
    Path(options.result).write_text(json.dumps(found))
    return 0


def site_of(root, options, directory):
    tamper = TAMPERS[options.tamper] if options.tamper else None
    return Ours(root, options.binary, directory, tamper) if options.part == OURS else Theirs(root, directory, tamper)


def keep_logs(story, kept):
    """Every log, and the journal, out of the directory that goes; who compares them removes what nobody needs."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in story.directory.glob("*.log"):
        shutil.copy(log, kept)
    story.site.journal.write(kept / "requests.txt")
    return kept
