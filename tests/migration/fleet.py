"""The old server and the new nodes, and what one of them says of an instance.

Owns their processes and their addresses. Every process ends with the run, whatever ends it.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runner import web
from runner.processes import Process, free_ports, kill_all
from runner.servers import Server, leader_of, three_nodes_anywhere
from runner.waiting import CheckFailed, Within, eventually, require

READY_SECONDS_MAX = 180
APPLICATION = "MOVING"
LEASE_SECONDS = 90


@dataclass(frozen=True)
class Client:
    """What asks a server as a client would; it runs nowhere."""

    instance_id: str
    application: str = APPLICATION

    def document(self):
        """As Netflix's Java client registers."""
        return {"instance": {
            "instanceId": self.instance_id, "hostName": "10.0.0.1", "app": self.application, "ipAddr": "10.0.0.1",
            "status": "UP", "overriddenStatus": "UNKNOWN", "port": {"$": 8080, "@enabled": "true"},
            "securePort": {"$": 443, "@enabled": "false"}, "countryId": 1,
            "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
            "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": LEASE_SECONDS}, "metadata": {"zone": "z1"},
            "vipAddress": self.application.lower(), "lastUpdatedTimestamp": "1000", "lastDirtyTimestamp": "1000",
        }}  # fmt: skip

    def heartbeat(self, server):
        """Raises `web.Refused` with 404 if the server does not know it."""
        path = f"{server.eureka_url}/apps/{self.application}/{self.instance_id}"
        web.request("PUT", f"{path}?status=UP&lastDirtyTimestamp=1000")


class Fleet:
    """One old server that has three new nodes as peers."""

    def __init__(self, root):
        self._kept = tempfile.TemporaryDirectory(prefix="migration-", ignore_cleanup_errors=True)
        directory = Path(self._kept.name)
        binary = Path(os.environ.get("EUREKA_RAFT_BIN", root / "target" / "release" / "eureka-raft"))
        if not binary.is_file():
            raise CheckFailed(f"there is no {binary}: cargo build --release --locked, or name one in EUREKA_RAFT_BIN")
        self.nodes = three_nodes_anywhere(root, binary, directory, ("compat.peer_replication=true",))
        port = free_ports(1)[0]
        self.old = Server("the old server", f"http://127.0.0.1:{port}/eureka")
        self.log = directory / "old.log"
        peers = ",".join(f"{node.eureka_url}/" for node in self.nodes)
        # Under its own name, or it would take 127.0.0.1 for itself.
        self._command = [
            root / "tests" / "reference-server" / "start", "spring5", port, "--eureka.instance.hostname=old.example",
            f"--eureka.client.service-url.defaultZone={peers}", "--eureka.server.peer-node-read-timeout-ms=5000",
        ]  # fmt: skip
        self._cache = {"REFERENCE_CACHE": os.environ.get("REFERENCE_CACHE", str(root / "target" / "reference"))}

    def __enter__(self):
        try:
            for node in self.nodes:
                node.start()
            for node in self.nodes:
                node.await_ready()
            process = Process(self._command, self.log, self._cache)

            def probe():
                if process.exit_code is not None:
                    raise CheckFailed(f"the old server ended with {process.exit_code}")
                self.old.instances()

            eventually("the old server answers", Within(READY_SECONDS_MAX), probe)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        kill_all()
        self._kept.cleanup()

    def running(self):
        return [node for node in self.nodes if node.runs]

    def leader(self):
        return leader_of(self.running())[0]

    def await_same(self, seconds_max):
        """Until every node shows of every instance what the old server shows."""

        def shown(server):
            return {one.id: (one.status, one.metadata) for one in server.instances().values() if one.application == APPLICATION}

        def probe():
            theirs = shown(self.old)
            for node in self.running():
                ours = shown(node)
                differs = sorted(id for id in theirs.keys() | ours.keys() if theirs.get(id) != ours.get(id))
                require(not differs, f"{node.name} differs from the old server in {len(differs)}: {differs[:3]}")
            return len(theirs)

        return eventually("all show the same", Within(seconds_max), probe)
