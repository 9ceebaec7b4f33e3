"""A place of its own for each run: a directory, an address range and a prefix for names, cleaned before and after.

Owns numbers 1 to 199. Who holds the lock of a number may clean whatever an earlier holder left under it, and nothing else:
several runs on one machine never touch each other.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

# Root's runs and those of others never share a directory, nor an address.
_IS_ROOT = os.geteuid() == 0
SLOTS = range(1, 100) if _IS_ROOT else range(100, 200)
ROOM = Path(tempfile.gettempdir()) / ("eureka-raft-faults" if _IS_ROOT else f"eureka-raft-faults-{os.geteuid()}")
# Every node's environment carries this, so that one that outlived its run is found.
MARK = "EUREKA_RAFT_FAULTS_SLOT"
GONE_SECONDS_MAX = 5


class Slot:
    """Held until the process ends."""

    def __init__(self):
        ROOM.mkdir(exist_ok=True)
        self.number, self._lock = _lock_one()
        self.directory = ROOM / f"{self.number:02}"
        self.prefix = f"erf{self.number:02}"
        self.sweep()
        self.directory.mkdir()

    def sweep(self):
        """Removes what is left under this number: processes, namespaces, bridges, mounts, loop devices, files."""
        _kill_marked(self.number)
        if os.geteuid() == 0:
            _remove_namespaces(self.prefix)
            _unmount_below(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def mark(self):
        """For the environment of every process that is started."""
        return {MARK: str(self.number)}


def command(*words, check=True, text=None):
    """Runs a system command. What it says is only shown if it fails."""
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise OSError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return done.stdout


def _lock_one():
    for number in SLOTS:
        lock = open(ROOM / f"{number:02}.lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
        except OSError:
            lock.close()
    raise RuntimeError(f"all of {len(SLOTS)} runs at a time are taken: see {ROOM}")


def _kill_marked(number):
    wanted = f"{MARK}={number}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                _await_gone(entry)


def _await_gone(entry):
    ends = time.monotonic() + GONE_SECONDS_MAX
    while entry.exists() and time.monotonic() < ends:
        time.sleep(0.05)


def _remove_namespaces(prefix):
    if shutil.which("ip") is None:
        return
    for link in Path("/sys/class/net").glob(f"{prefix}*"):
        command("ip", "link", "delete", link.name, check=False)
    for line in command("ip", "netns", "list", check=False).splitlines():
        name = line.split(" ", 1)[0]
        if name.startswith(f"{prefix}-"):
            command("ip", "netns", "delete", name, check=False)


def _unmount_below(directory):
    mounts = [line.split(" ")[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
        command("fsfreeze", "--unfreeze", mount, check=False)
        command("umount", "--lazy", mount, check=False)
    for line in command("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE", check=False).splitlines():
        device, _, file = line.strip().partition(" ")
        if file.strip().startswith(f"{directory}/"):
            command("losetup", "--detach", device, check=False)
