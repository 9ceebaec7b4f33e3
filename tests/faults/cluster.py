"""Real processes of the product and what is done to them.

Owns starting, killing, pausing and asking them. A node ends only when a row says so: `Cluster.died` names the others.
Loopback clusters have addresses 127.77.SLOT.N, those with a network 10.77.SLOT.N; ports are always 8761 and 8771.
"""

import os
import shutil
import signal
import threading
import time

from runner.processes import Process
from runner.waiting import CheckFailed, Within, eventually, require

from .http1 import Connection, NoAnswer, NotSent
from .load import value_of
from .network import PEER_PORT, Network

HTTP_PORT = 8761
READY_SECONDS_MAX = 30
LEADER_SECONDS_MAX = 15
STOP_SECONDS_MAX = 15
STATUS_SECONDS_MAX = 2


class Node:
    """One member: its place, and its process while it runs. Change `settings`, `environment` or `data` before `start()`."""

    def __init__(self, cluster, number, address, prefix, directory):
        self.number = number
        self.name = f"node-{number}"
        self.address = address
        self.http_port = HTTP_PORT
        self.url = f"http://{address}:{HTTP_PORT}"
        self.peer = f"{address}:{PEER_PORT}"
        self.data = directory / self.name
        self.log = directory / f"{self.name}.log"
        self.settings = []
        self.environment = {}
        self.process = None
        # Whether the row wants it to run now.
        self.wanted = False
        # Started so often: a restart may show an older state.
        self.starts = 0
        self._cluster = cluster
        self._prefix = prefix

    def start(self):
        """Starts the process; it may not be ready yet."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start nodes from the main thread: a node ends with the thread that started it")
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        # The variables reach the node alone, not the tool that enters the namespace.
        words = [*self._prefix, *(["env", *environment] if environment else []), *self._cluster.command_of(self)]
        self.process = Process(words, self.log, self._cluster.slot.mark())
        self.wanted = True
        self.starts += 1

    @property
    def running(self):
        return self.process is not None and self.process.exit_code is None

    def kill(self):
        """kill -9."""
        self.wanted = False
        self.process.kill()

    def stop(self, seconds_max=STOP_SECONDS_MAX):
        """SIGTERM. Fails unless it ends with 0 in time. Returns how long that took, in seconds."""
        began = time.monotonic()
        self.wanted = False
        self.process.terminate()
        code = self.await_exit(seconds_max)
        if code != 0:
            raise CheckFailed(f"{self.name} ended with {code} on SIGTERM: {self.last_line()}")
        return time.monotonic() - began

    def await_exit(self, seconds_max):
        """The exit code of a process that ends by itself (negative: the signal), which is then as it should be."""
        self.wanted = False
        code = self.process.wait(seconds_max)
        if code is None:
            raise CheckFailed(f"{self.name} did not end within {seconds_max} s and was killed")
        return code

    def pause(self):
        """SIGSTOP."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        """SIGCONT."""
        os.kill(self.process.pid, signal.SIGCONT)

    def wipe(self):
        """Removes everything it ever stored."""
        for entry in self.data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def ask(self, method, path, body=None, headers="", seconds_max=6):
        """One request on a connection of its own."""
        connection = Connection(self.address, self.http_port)
        try:
            return connection.request(method, path, body, headers, seconds_max)
        finally:
            connection.close()

    def status(self):
        """`/v1/status`. Raises an `OSError` if there is none."""
        answer = self.ask("GET", "/v1/status", seconds_max=STATUS_SECONDS_MAX)
        if answer.status != 200:
            raise NoAnswer(f"{self.name} answered {answer.status} to /v1/status")
        return answer.json()

    def metric(self, name):
        """The sum over all labels of a metric; None if it is not there."""
        text = self.ask("GET", "/metrics").body.decode()
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(values) if values else None

    def is_ready(self):
        try:
            return self.ask("GET", "/readyz", seconds_max=STATUS_SECONDS_MAX).status == 200
        except (NotSent, NoAnswer):
            return False

    def await_ready(self, seconds_max=READY_SECONDS_MAX):
        """How long it took, in seconds."""
        began = time.monotonic()

        def probe():
            if not self.running:
                raise CheckFailed(f"{self.name} ended with {self.process and self.process.exit_code}: {self.last_line()}")
            require(self.is_ready(), "not ready")

        eventually(f"{self.name} answers 200 to /readyz", Within(seconds_max), probe)
        return time.monotonic() - began

    def registry(self, applications, consistency="local"):
        """What it holds of some applications: key of the load (`APP/id`) to value."""
        connection = Connection(self.address, self.http_port)
        found = {}
        for name in applications:
            answer = connection.request("GET", f"/eureka/apps/{name}?consistency={consistency}")
            if answer.status not in (200, 404):
                raise NoAnswer(f"{self.name} answered {answer.status} to /eureka/apps/{name}")
            document = answer.json() if answer.status == 200 else {"application": {"instance": []}}
            for instance in document["application"]["instance"]:
                found[f"{instance['app']}/{instance['instanceId']}"] = value_of(instance)
        connection.close()
        return found

    def resident_bytes(self):
        """Memory now, 0 if it does not run."""
        return self._memory("VmRSS")

    def peak_bytes(self):
        """The most memory it ever had since it started."""
        return self._memory("VmHWM")

    def _memory(self, field):
        try:
            with open(f"/proc/{self.process.pid}/status") as lines:
                return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)
        except OSError:
            return 0

    def disk_bytes(self):
        """What its data directory takes."""
        total = 0
        for entry in self.data.rglob("*"):
            try:
                total += entry.stat().st_blocks * 512
            except OSError:
                pass
        return total

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def last_line(self):
        lines = [line.strip() for line in self.log_text().splitlines() if line.strip()]
        return lines[-1] if lines else "its log is empty"


class Cluster:
    """`size` nodes that know each other as `initial_members`, not started. `settings` are `--set` values for all."""

    def __init__(self, slot, binary, directory, size=3, settings=(), network=False):
        self.slot = slot
        self.settings = list(settings)
        self._binary = binary
        self._directory = directory
        self.net = Network(slot, size) if network else None
        self.nodes = [self._node(n) for n in range(1, size + 1)]
        self._initial = list(self.nodes)

    def _node(self, n):
        if self.net:
            return Node(self, n, self.net.address(n), self.net.inside(n), self._directory)
        return Node(self, n, f"127.77.{self.slot.number}.{n}", [], self._directory)

    def add_node(self):
        """One more node, which will ask the others to let it in: `cluster.join`. Not started."""
        number = self.net.add_host() if self.net else len(self.nodes) + 1
        node = self._node(number)
        self.nodes.append(node)
        return node

    def command_of(self, node):
        """The words that start a node."""
        settings = [
            f'node.name="{node.name}"',
            f'node.data_dir="{node.data}"',
            f'listen.http="{node.address}:{HTTP_PORT}"',
            f'listen.peer="{node.peer}"',
            self._members_setting(node),
            *(["peer.allow_plaintext=true"] if self.net else []),
            *self.settings,
            *node.settings,
        ]
        return [self._binary, "serve", *(word for setting in settings for word in ("--set", setting))]

    def _members_setting(self, node):
        if node in self._initial:
            members = ", ".join(f'{{ name = "{n.name}", peer = "{n.peer}" }}' for n in self._initial)
            return f"cluster.initial_members=[{members}]"
        peers = ", ".join(f'"{n.peer}"' for n in self._initial)
        return f"cluster.join=[{peers}]"

    def start(self):
        """Starts every node that does not run."""
        for node in self.nodes:
            if not node.running:
                node.start()

    def await_ready(self, seconds_max=READY_SECONDS_MAX):
        """Every running node within one bound. How long it took, in seconds."""
        within = Within(seconds_max)
        began = time.monotonic()
        for node in self.running():
            node.await_ready(max(0.0, began + within.seconds - time.monotonic()))
        return time.monotonic() - began

    def running(self):
        return [node for node in self.nodes if node.running]

    def leader(self, among=None, seconds_max=LEADER_SECONDS_MAX):
        """The node that all of `among` (default: all running ones) call the leader, which is one of them."""
        asked = among or self.running()

        def probe():
            statuses = [node.status() for node in asked]
            named = {status["cluster"]["leader"] for status in statuses}
            require(len(named) == 1, f"leaders {sorted(map(str, named))}")
            leader = next((node for node in asked if node.name in named), None)
            require(leader, f"leader {named.pop()}")
            return leader

        return eventually(f"{', '.join(node.name for node in asked)} name one of them as leader", Within(seconds_max), probe)

    def followers(self):
        """Running nodes that do not lead."""
        leader = self.leader()
        return [node for node in self.running() if node is not leader]

    def others(self, node):
        return [other for other in self.nodes if other is not node]

    def await_equal_state(self, seconds_max=READY_SECONDS_MAX, among=None):
        """Waits until all running nodes have the same state hash at the same index; that index."""

        def probe():
            states = {node.name: node.status()["state"] for node in among or self.running()}
            first = next(iter(states.values()))
            require(all(state == first for state in states.values()), f"states {states}")
            return first["index"]

        return eventually("equal state on all running nodes", Within(seconds_max), probe)

    def died(self):
        """Sentences about nodes that ended though no row wanted it."""
        return [
            f"{node.name} ended by itself with {node.process.exit_code}: {node.last_line()}"
            for node in self.nodes
            if node.wanted and not node.running
        ]

    def kill_all(self):
        for node in self.running():
            node.kill()

    def remove(self):
        """Nothing of it runs any more; its network is gone, its files stay."""
        self.kill_all()
        if self.net:
            self.net.remove()
