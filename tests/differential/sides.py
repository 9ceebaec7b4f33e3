"""The two servers side by side.

Owns their processes, their ports, and how both are emptied. Every process ends with the run, whatever ends it.
"""

import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from runner.processes import Process, free_ports, kill_all
from runner.servers import three_nodes, leader_of
from runner.waiting import CheckFailed, Within, eventually, require

from .exchange import Connection, NoAnswer, Request

REFERENCE_READY_SECONDS_MAX = 180
READY_SECONDS_MAX = 30
# Nothing is evicted while sequences are played: leases differ on purpose, and are tested elsewhere.
EVICTION_MS = 3_600_000
MEMORY = Path("/dev/shm")
MEMORY_FREE_MIN = 2 * 1024**3
JSON_HEADERS = (("Accept", "application/json"),)


def now_ms():
    return int(time.time() * 1000)


class Side:
    """One server and the connection to it."""

    def __init__(self, name, port):
        self.name = name
        self.port = port
        self.connection = Connection(port)
        self._ended_ms = 0

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, request):
        """The answer, with the time before and after. No two requests share a millisecond, so a time names one of them."""
        while (began := now_ms()) <= self._ended_ms:
            pass
        answer = self.connection.send(request)
        self._ended_ms = now_ms()
        return replace(answer, began_ms=began, ended_ms=self._ended_ms)

    def registered(self):
        """Application names and what their instances may be known by."""
        answer = self.ask(Request("GET", "/eureka/apps", (), JSON_HEADERS))
        if answer.status != 200 or not answer.body:
            raise CheckFailed(f"{self.name} has no list: {answer.status} {answer.text()[:200]!r}")
        for application in json.loads(answer.body)["applications"]["application"]:
            for instance in application["instance"]:
                amazon = instance["dataCenterInfo"].get("metadata", {}).get("instance-id")
                yield application["name"], instance.get("instanceId"), amazon, instance["hostName"]


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

    def empty(self):
        """What was registered without an id is shown without one: it is kept under Amazon's, or its host name."""
        self.cancel([(app, id) for app, *ids in self.registered() for id in ids if id is not None])


class Ours(Side):
    """Our server: one node, or three of which a follower is asked."""

    def __init__(self, root, directory, binary, cluster, name="ours"):
        self._log = directory / f"{name}.log"
        if cluster:
            self._nodes = three_nodes(root, binary, directory)
            super().__init__(name, int(self._nodes[0].url.rsplit(":", 1)[1]))
        else:
            self._nodes = []
            http, peer = free_ports(2)
            self._command = [
                binary, "serve", "--config", root / "raft-config" / "single.toml", "--set", f"node.data_dir={directory / name}",
                "--set", f"listen.http=127.0.0.1:{http}", "--set", f"listen.peer=127.0.0.1:{peer}",
                "--set", f'cluster.initial_members=[{{ name = "node-1", peer = "127.0.0.1:{peer}" }}]',
            ]  # fmt: skip
            super().__init__(name, http)

    def start(self):
        for node in self._nodes:
            node.start()
        if not self._nodes:
            self.process = Process(self._command, self._log)

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

    def empty(self):
        self.cancel({(app, id) for app, id, *_ in self.registered()})


def log_end(log):
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-5:])


class Pair:
    """Both, started and stopped together, with a directory for what they write."""

    def __init__(self, theirs, ours, directory):
        self.theirs = theirs
        self.ours = ours
        self._directory = directory
        self._stretches = 0

    def next_stretch(self):
        """A number for a tag: no two stretches share one while these two run."""
        self._stretches += 1
        return self._stretches

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
        self._directory.cleanup()

    def empty(self):
        """Cancels everything in both; whether something is left."""
        try:
            self.theirs.empty()
            left = any(self.theirs.registered())
        except (CheckFailed, NoAnswer, ValueError):
            self.theirs.restart()
            left = False
        self.ours.empty()
        return left or any(self.ours.registered())


def released_and_ours(root, cluster=False):
    """The pair of the test."""
    directory, path = scratch()
    return Pair(Reference(root, path), Ours(root, path, binary(root), cluster), directory)


def scratch():
    """A directory in memory, if there is room: what a sync costs is no question here, and each write waits for one."""
    memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_FREE_MIN else None
    directory = tempfile.TemporaryDirectory(prefix="differential-", dir=memory, ignore_cleanup_errors=True)
    return directory, Path(directory.name)


def binary(root):
    """The release binary.

    Raises `CheckFailed` if there is none.
    """
    found = Path(os.environ.get("EUREKA_RAFT_BIN", root / "target" / "release" / "eureka-raft"))
    if not found.is_file():
        raise CheckFailed(f"there is no {found}: cargo build --release --locked, or name one in EUREKA_RAFT_BIN")
    return found
