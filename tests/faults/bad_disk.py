"""A disk that fails, stalls or answers slowly on command, for one node: the shim in shims/disk.c.

Owns building it, the control file it reads, and the log of what it did.
"""

import os
import shutil
import threading
from pathlib import Path

from .slots import command

SHIM = Path(__file__).parent / "shims" / "disk.c"
BUILT = Path(__file__).resolve().parents[2] / "target" / "faults" / "disk.so"
_building = threading.Lock()


def build():
    """The shim, built anew if its source is newer; gets a C compiler from Debian if there is none."""
    with _building:
        if BUILT.exists() and BUILT.stat().st_mtime >= SHIM.stat().st_mtime:
            return BUILT
        if shutil.which("cc") is None:
            if shutil.which("apt-get") is None:
                raise OSError("no cc and no apt-get here: please install a C compiler")
            command("apt-get", "update", "--quiet", check=False)
            command("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends", "gcc", "libc6-dev")
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        unfinished = BUILT.with_suffix(f".{os.getpid()}")
        command("cc", "-O2", "-shared", "-fPIC", "-o", unfinished, SHIM, "-ldl", "-lpthread")
        unfinished.rename(BUILT)
        return BUILT


class BadDisk:
    """What stands between a node that has not been started yet and its data directory. Healthy until told otherwise."""

    def __init__(self, node):
        self._control = node.log.with_suffix(".rules")
        self._log = node.log.with_suffix(".faults")
        self.heal()
        node.environment |= {
            "LD_PRELOAD": str(build()),
            "FAULT_PREFIX": str(node.data),
            "FAULT_CONTROL": str(self._control),
            "FAULT_LOG": str(self._log),
        }

    def rule(self, *lines):
        """From now on these rules hold, and no others: `OPERATION NAME ACTION [COUNT]` as in shims/disk.c."""
        unfinished = self._control.with_suffix(".new")
        unfinished.write_text("".join(f"{line}\n" for line in lines))
        unfinished.rename(self._control)

    def heal(self):
        """No rule holds."""
        self.rule()

    def events(self):
        """What was done so far: (moment, operation, path, what)."""
        if not self._log.exists():
            return []
        lines = (line.split(" ", 3) for line in self._log.read_text().splitlines())
        return [(float(at), operation, path, what) for at, operation, path, what in lines]
