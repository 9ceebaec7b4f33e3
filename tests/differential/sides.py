"""The two servers side by side.

Owns their processes, their ports, and how both are emptied. Every process ends with the run, whatever ends it.
"""

import os
import tempfile
import time
from pathlib import Path
from urllib.parse import quote
import json

from runner.processes import Process, free_ports, kill_all
from runner.servers import three_nodes, leader_of
from runner.waiting import CheckFailed, Within, eventually, require

from .exchange import Connection, NoAnswer, Request

REFERENCE_READY_SECONDS_MAX = 180
READY_SECONDS_MAX = 30
# Nothing is evicted while sequences are played: leases differ on purpose, and are tested elsewhere.
EVICTION_MS = 3_600_000
JSON_HEADERS = (("Accept", "application/json"),)


class Side:
    """One server and the connection to it."""

    def __init__(self, name, port):
        self.name = name
        self.port = port
        self.connection = Connection(port)

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, request):
        """The answer, with the time before and after."""
        began = int(time.time() * 1000)
        answer = self.connection.send(request)
        ended = int(time.time() * 1000)
        object.__setattr__(answer, "began_ms", began)
        object.__setattr__(answer, "ended_ms", ended)
        return answer

    def registered(self):
        """Application names and the ids of their instances."""
        answer = self.ask(Request("GET", "/eureka/apps", (), JSON_HEADERS))
        if answer.status != 200 or not answer.body:
            raise CheckFailed(f"{self.name} has no list: {answer.status} {answer.text()[:200]!r}")
        for application in json.loads(answer.body)["applications"]["application"]:
            for instance in application["instance"]:
                yield application["name"], instance.get("instanceId"), instance["hostName"]


class Reference(Side):
    """The released server."""

    def __init__(self, root, directory):
        self._root = root
        self._directory = directory
        self.process = None
        self.starts = 0
        super().__init__("theirs", free_ports(1)[0])

    def start(self):
        self.starts += 1
        log = self._directory / "reference.log"
        command = [
            self._root / "tests" / "reference-server" / "start", "spring5", self.port,
            "--server.tomcat.max-keep-alive-requests=-1", f"--eureka.server.eviction-interval-timer-in-ms={EVICTION_MS}",
        ]  # fmt: skip
        self.process = Process(command, log, {"REFERENCE_CACHE": str(self._root / "target" / "reference")})

    def await_ready(self):
        def probe():
            if self.process.exit_code is not None:
                raise CheckFailed(f"the reference server ended with {self.process.exit_code}: {log_end(self.process.log)}")
            require(self.ask(Request("GET", "/eureka/apps")).status == 200, "not 200")

        eventually("the reference server answers", Within(REFERENCE_READY_SECONDS_MAX), probe)

    def restart(self):
        """After it was poisoned or hangs: nothing else helps within minutes."""
        self.connection.close()
        self.process.kill()
        self.start()
        self.await_ready()

    def cancel(self, names):
        """Cancels by a peer's door: names that Tomcat refuses in a path go in by it, too."""
        items = [{"appName": app, "id": id, "action": "Cancel"} for app, id in names]
        if items:
            body = json.dumps({"replicationList": items}).encode()
            headers = (*JSON_HEADERS, ("Content-Type", "application/json"))
            self.ask(Request("POST", "/eureka/peerreplication/batch/", (), headers, body))

    def empty(self, only=None):
        found = [(app, id) for app, *ids in self.registered() for id in ids if id is not None and (only is None or app in only)]
        self.cancel(found)


class Ours(Side):
    """Our server: one node, or three of which a follower is asked."""

    def __init__(self, root, directory, binary, cluster):
        self._directory = directory
        if cluster:
            self._nodes = three_nodes(root, binary, directory)
            super().__init__("ours", int(self._nodes[0].url.rsplit(":", 1)[1]))
        else:
            self._nodes = []
            http, peer = free_ports(2)
            self._command = [
                binary, "serve", "--config", root / "raft-config" / "single.toml", "--set", f"node.data_dir={directory / 'data'}",
                "--set", f"listen.http=127.0.0.1:{http}", "--set", f"listen.peer=127.0.0.1:{peer}",
                "--set", f'cluster.initial_members=[{{ name = "node-1", peer = "127.0.0.1:{peer}" }}]',
            ]  # fmt: skip
            super().__init__("ours", http)

    def start(self):
        for node in self._nodes:
            node.start()
        if not self._nodes:
            self.process = Process(self._command, self._directory / "ours.log")

    def await_ready(self):
        if self._nodes:
            for node in self._nodes:
                node.await_ready()
            leader, _ = leader_of(self._nodes)
            follower = next(node for node in self._nodes if node is not leader)
            self.port = int(follower.url.rsplit(":", 1)[1])
            self.connection = Connection(self.port)
            return

        def probe():
            if self.process.exit_code is not None:
                raise CheckFailed(f"our server ended with {self.process.exit_code}: {log_end(self.process.log)}")
            require(self.ask(Request("GET", "/readyz")).status == 200, "not ready")

        eventually("our server is ready", Within(READY_SECONDS_MAX), probe)

    def cancel(self, names):
        for app, id in names:
            self.ask(Request("DELETE", f"/eureka/apps/{quote(app, safe='')}/{quote(id, safe='')}", (), JSON_HEADERS))

    def empty(self, only=None):
        self.cancel({(app, id) for app, id, _ in self.registered() if only is None or app in only})


def log_end(log):
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-5:])


class Pair:
    """Both, started and stopped together."""

    def __init__(self, root, cluster=False):
        self._kept = tempfile.TemporaryDirectory(prefix="differential-", ignore_cleanup_errors=True)
        directory = Path(self._kept.name)
        binary = Path(os.environ.get("EUREKA_RAFT_BIN", root / "target" / "release" / "eureka-raft"))
        if not binary.is_file():
            raise CheckFailed(f"there is no {binary}: cargo build --release --locked, or name one in EUREKA_RAFT_BIN")
        self.theirs = Reference(root, directory)
        self.ours = Ours(root, directory, binary, cluster)

    def __enter__(self):
        try:
            self.theirs.start()
            self.ours.start()
            self.ours.await_ready()
            self.theirs.await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        kill_all()
        self._kept.cleanup()

    def empty(self, only=None):
        """Cancels everything, or the applications named, in both."""
        try:
            self.theirs.empty(only)
        except (CheckFailed, NoAnswer, ValueError):
            self.theirs.restart()
        self.ours.empty(only)
