"""Child processes that never outlive the demo, each with a log file of its own."""

import ctypes
import os
import random
import signal
import socket
import subprocess
from pathlib import Path

PR_SET_PDEATHSIG = 1
KILLED_SECONDS_MAX = 5
QUIET_PORT_MIN = 10000
QUIET_PORTS_TRIED = 200

_libc = ctypes.CDLL(None)
_running = []


class Process:
    def __init__(self, command, log, environment=None, directory=None):
        """Starts `command`; its output is appended to the file `log`."""
        with open(log, "ab") as output:
            self._child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Loopback is never reached through a proxy.
                env={**os.environ, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", **(environment or {})},
                cwd=directory,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.log = log
        _running.append(self)

    @property
    def pid(self):
        return self._child.pid

    @property
    def exit_code(self):
        """None while it runs; negative if a signal ended it."""
        return self._child.poll()

    def terminate(self):
        """SIGTERM."""
        self._child.terminate()

    def wait(self, seconds_max):
        """The exit code, or None if it had to be killed after `seconds_max`."""
        try:
            return self._child.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        """SIGKILL."""
        self._child.kill()
        self._child.wait(KILLED_SECONDS_MAX)


def kill_all():
    """Ends whatever is left."""
    for process in _running:
        if process.exit_code is None:
            process.kill()


def _die_with_parent():
    """Even kill -9 of the demo leaves nothing behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_free(port):
    """Whether nobody listens on `port` of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def quiet_ports(count):
    """Free ports that the system gives to nobody by itself: those below its range for connections."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = random.sample(range(QUIET_PORT_MIN, min(lowest, 32768)), QUIET_PORTS_TRIED)
    found = [port for port in candidates if is_free(port)][:count]
    if len(found) < count:
        raise OSError(f"fewer than {count} of {QUIET_PORTS_TRIED} ports that were tried are free")
    return found


def free_ports(count):
    """Ports of 127.0.0.1 that were free a moment ago."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
