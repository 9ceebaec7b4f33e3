"""Machines on loopback: a directory, an address and a configuration for each node.

Owns the processes it starts and those a page starts, and ends them all.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

NODES = ["node-1", "node-2", "node-3", "node-4", "node-5"]
READY_SECONDS_MAX = 30
END_SECONDS_MAX = 15


class Stage:
    """A place for one page."""

    def __init__(self, binary):
        self.root = Path(tempfile.mkdtemp(prefix="eureka-raft-runbook-"))
        self.binary = binary
        self.mounts = []
        # Two addresses for each node, and two to move to.
        ports = free_ports(2 * len(NODES) + 2)
        self.spare = ports[-2:]
        for place, name in enumerate(NODES):
            home = self.root / name
            home.mkdir()
            (home / "url").write_text(f"http://127.0.0.1:{ports[2 * place]}\n")
            (home / "peer").write_text(f"127.0.0.1:{ports[2 * place + 1]}\n")
            (home / "data-dir").write_text(f"{home / 'data'}\n")

    def url(self, name):
        return (self.root / name / "url").read_text().strip()

    def peer(self, name):
        return (self.root / name / "peer").read_text().strip()

    def data(self, name):
        return Path((self.root / name / "data-dir").read_text().strip())

    def move_data(self, name, place):
        """Where the node is to keep its data from now on."""
        (self.root / name / "data-dir").write_text(f"{place}\n")

    def servers(self):
        """What --server is by default on a page."""
        return ",".join(self.url(name) for name in NODES[:3])

    def configure(self, names, settings=""):
        """The same list of members for each."""
        members = ", ".join(f'{{ name = "{name}", peer = "{self.peer(name)}" }}' for name in names)
        for name in names:
            text = (
                f'[node]\nname = "{name}"\ndata_dir = "{self.data(name)}"\n\n'
                f'[listen]\nhttp = "{self.url(name)[7:]}"\npeer = "{self.peer(name)}"\n\n'
                f"[cluster]\ninitial_members = [{members}]\n{settings}"
            )
            (self.root / name / "node.toml").write_text(text)

    def start(self, *names):
        for name in names:
            home = self.root / name
            with open(home / "log", "ab") as log:
                process = subprocess.Popen(
                    [self.binary, "serve", "--config", home / "node.toml"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )
            (home / "pid").write_text(f"{process.pid}\n")

    def await_ready(self, *names):
        ends = time.monotonic() + READY_SECONDS_MAX
        for name in names:
            while not answers(f"{self.url(name)}/readyz"):
                if time.monotonic() > ends:
                    raise TimeoutError(f"{name} is not ready: {self.log(name)}")
                time.sleep(0.1)

    def await_end(self, name):
        """Waits until the node has ended by itself."""
        pid = int((self.root / name / "pid").read_text())
        ends = time.monotonic() + READY_SECONDS_MAX
        while alive(pid):
            if time.monotonic() > ends:
                raise TimeoutError(f"{name} goes on: {self.log(name)}")
            time.sleep(0.1)

    def await_status(self, code):
        """Waits until eureka-raft status ends with `code`."""
        environment = {**os.environ, "EUREKA_RAFT_SERVER": self.servers()}
        ends = time.monotonic() + READY_SECONDS_MAX
        while True:
            said = subprocess.run(
                [self.binary, "status"], env=environment, capture_output=True, text=True, check=False
            )
            if said.returncode == code:
                return
            if time.monotonic() > ends:
                raise TimeoutError(f"status ends with {said.returncode}, not {code}: {said.stdout}")
            time.sleep(0.2)

    def register(self, count, name="node-1"):
        """Some instances, so that there is something to lose."""
        for number in range(count):
            body = (
                f'{{"instance": {{"instanceId": "hello-{number}", "hostName": "h", "app": "HELLO", "ipAddr": "127.0.0.1",'
                '"vipAddress": "hello", "port": {"$": 80, "@enabled": "true"}, "dataCenterInfo": {"name": "MyOwn"},'
                '"leaseInfo": {"durationInSecs": 600}}}'
            )
            request = urllib.request.Request(
                f"{self.url(name)}/eureka/apps/HELLO", body.encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=5).close()

    def kill(self, *names):
        for name in names:
            self.end(name, signal.SIGKILL)

    def stop(self, *names):
        for name in names:
            self.end(name, signal.SIGTERM)

    def end(self, name, how):
        """Ends the process whose id the node's file has, if it is one of this stage."""
        try:
            pid = int((self.root / name / "pid").read_text())
            mine = str(self.root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if not mine:
            return
        os.kill(pid, how)
        ends = time.monotonic() + END_SECONDS_MAX
        while alive(pid):
            if time.monotonic() > ends:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def log(self, name):
        path = self.root / name / "log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return lines[-1] if lines else "no log"

    def mount(self, name, size):
        """A small volume of its own for a node's data; needs root."""
        home = self.root / name / "volume"
        home.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "eureka-raft", home], check=True)
        self.mounts.append(home)
        return home

    def close(self):
        self.kill(*NODES)
        for mount in self.mounts:
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def alive(pid):
    try:
        reaped, _status = os.waitpid(pid, os.WNOHANG)
        if reaped:
            return False
    except ChildProcessError:
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def free_ports(count):
    """Held together, so that they differ; let go before a node takes them."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
