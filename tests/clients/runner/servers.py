"""Eureka servers as a client sees them, and the three nodes of eureka-raft behind them."""

from dataclasses import dataclass
from urllib.parse import quote

from . import web
from .processes import Process, free_ports, is_free
from .waiting import CheckFailed, Within, eventually, require

READY_SECONDS_MAX = 30
LEADER_SECONDS_MAX = 15
STOP_SECONDS_MAX = 15


@dataclass(frozen=True)
class Registered:
    """What a server says about one instance."""

    id: str
    application: str
    status: str
    language: str
    registered_ms: int
    renewed_ms: int


class Server:
    """Any Eureka server; all that the client part of the demo needs."""

    def __init__(self, name, eureka_url):
        self.name = name
        self.eureka_url = eureka_url.rstrip("/")

    def answers(self):
        """Whether it is there at all."""
        try:
            self.instances(own_copy=True)
        except (OSError, ValueError, LookupError):
            return False
        return True

    def instances(self, own_copy=False):
        """Every instance by its id. `own_copy` asks a node for what it holds itself, without asking the leader."""
        query = "?consistency=local" if own_copy else ""
        document = web.get_json(f"{self.eureka_url}/apps{query}")
        found = {}
        for application in document["applications"]["application"]:
            for instance in application["instance"]:
                found[instance["instanceId"]] = _registered(instance)
        return found

    def instance(self, client):
        return _registered(web.get_json(self._url_of(client))["instance"])

    def override_status(self, client, status):
        web.request("PUT", f"{self._url_of(client)}/status?value={status}")

    def end_override(self, client, status):
        web.request("DELETE", f"{self._url_of(client)}/status?value={status}")

    def _url_of(self, client):
        return f"{self.eureka_url}/apps/{client.application}/{quote(client.instance_id)}"


def _registered(instance):
    lease = instance["leaseInfo"]
    return Registered(
        id=instance["instanceId"],
        application=instance["app"],
        status=instance["status"],
        language=instance.get("metadata", {}).get("language", ""),
        registered_ms=int(lease["registrationTimestamp"]),
        renewed_ms=int(lease["lastRenewalTimestamp"]),
    )


class Node(Server):
    """One process of eureka-raft."""

    def __init__(self, number, binary, config, settings, http_port, directory):
        super().__init__(f"node-{number}", f"http://127.0.0.1:{http_port}/eureka")
        self.url = f"http://127.0.0.1:{http_port}"
        self.log = directory / f"{self.name}.log"
        self.process = None
        data = directory / self.name
        self._command = [binary, "serve", "--config", config, "--set", f"node.data_dir={data}"]
        for setting in settings:
            self._command += ["--set", setting]

    def start(self):
        self.process = Process(self._command, self.log)

    @property
    def runs(self):
        return self.process is not None and self.process.exit_code is None

    def await_ready(self):
        def probe():
            if not self.runs:
                raise CheckFailed(f"{self.name} ended with {self.process.exit_code}: {last_line(self.log)}")
            web.get_text(f"{self.url}/readyz")

        eventually(f"{self.name} answers 200 to /readyz", Within(READY_SECONDS_MAX), probe)

    def status(self):
        return web.get_json(f"{self.url}/v1/status")

    def ask_to_stop(self):
        self.process.terminate()

    def await_stop(self):
        code = self.process.wait(STOP_SECONDS_MAX)
        if code != 0:
            how = f"it took more than {STOP_SECONDS_MAX} s and was killed" if code is None else f"exit code {code}"
            raise CheckFailed(f"expected: {self.name} ends with 0 on SIGTERM; seen: {how}")


def three_nodes(root, binary, directory):
    """The nodes of raft-config/three, on their own ports if these are free, else on others."""
    numbers = (1, 2, 3)
    http, peer = [8760 + n for n in numbers], [8770 + n for n in numbers]
    others = not all(map(is_free, http + peer))
    if others:
        ports = free_ports(6)
        http, peer = ports[:3], ports[3:]
    members = ", ".join(f'{{ name = "node-{n}", peer = "127.0.0.1:{peer[n - 1]}" }}' for n in numbers)
    nodes = []
    for n in numbers:
        settings = []
        if others:
            settings = [
                f"listen.http=127.0.0.1:{http[n - 1]}",
                f"listen.peer=127.0.0.1:{peer[n - 1]}",
                f"cluster.initial_members=[{members}]",
            ]
        config = root / "raft-config" / "three" / f"node-{n}.toml"
        nodes.append(Node(n, binary, config, settings, http[n - 1], directory))
    return nodes


def leader_of(nodes):
    """The node that all of `nodes` call the leader, and its term."""

    def probe():
        named = {(status["cluster"]["leader"], status["cluster"]["term"]) for status in (node.status() for node in nodes)}
        require(len(named) == 1, f"leaders and terms {sorted(map(str, named))}")
        name, term = named.pop()
        leader = next((node for node in nodes if node.name == name), None)
        require(leader, f"leader {name} in term {term}")
        return leader, term

    return eventually(f"{' and '.join(node.name for node in nodes)} name one of them as leader", Within(LEADER_SECONDS_MAX), probe)


def last_line(log):
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
