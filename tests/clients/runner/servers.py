"""Eureka servers as a client sees them, and the three nodes of eureka-raft behind them."""

from dataclasses import dataclass
from urllib.parse import quote

from . import web
from .processes import Process, is_free, quiet_ports
from .waiting import CheckFailed, Within, eventually, require

READY_SECONDS_MAX = 30
LEADER_SECONDS_MAX = 15
STOP_SECONDS_MAX = 15
NUMBERS = (1, 2, 3)


@dataclass(frozen=True)
class Registered:
    """What a server says about one instance."""

    id: str
    application: str
    status: str
    language: str
    metadata: dict
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
                registered = _registered(instance)
                found[registered.id] = registered
        return found

    def instance(self, client):
        return _registered(web.get_json(self._url_of(client))["instance"])

    def override_status(self, client, status):
        web.request("PUT", f"{self._url_of(client)}/status?value={status}")

    def end_override(self, client, status):
        web.request("DELETE", f"{self._url_of(client)}/status?value={status}")

    def put_metadata(self, client, key, value):
        web.request("PUT", f"{self._url_of(client)}/metadata?{key}={value}")

    def register(self, application, document):
        web.post_json(f"{self.eureka_url}/apps/{application}", document)

    def cancel(self, client):
        web.request("DELETE", self._url_of(client))

    def instances_of(self, application):
        """Those of one application, as this server itself holds them."""
        return [one for one in self.instances(own_copy=True).values() if one.application == application]

    def _url_of(self, client):
        """Of anything with an `application` and an `instance_id`."""
        return f"{self.eureka_url}/apps/{client.application}/{quote(client.instance_id)}"


def _registered(instance):
    lease = instance["leaseInfo"]
    metadata = {key: value for key, value in instance.get("metadata", {}).items() if not key.startswith("@")}
    return Registered(
        # The released server shows none where the client sent none.
        id=instance.get("instanceId") or instance["hostName"],
        application=instance["app"],
        status=instance["status"],
        language=metadata.get("language", ""),
        metadata=metadata,
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
    http, peer = [8760 + n for n in NUMBERS], [8770 + n for n in NUMBERS]
    if not all(map(is_free, http + peer)):
        return three_nodes_anywhere(root, binary, directory)
    return [Node(n, binary, config_of(root, n), (), http[n - 1], directory) for n in NUMBERS]


def three_nodes_anywhere(root, binary, directory, settings=()):
    """The same on ports of their own, so that several clusters run beside each other; with further `settings`."""
    ports = quiet_ports(2 * len(NUMBERS))
    http, peer = ports[:3], ports[3:]
    members = ", ".join(f'{{ name = "node-{n}", peer = "127.0.0.1:{peer[n - 1]}" }}' for n in NUMBERS)
    nodes = []
    for n in NUMBERS:
        own = (
            f"listen.http=127.0.0.1:{http[n - 1]}",
            f"listen.peer=127.0.0.1:{peer[n - 1]}",
            f"cluster.initial_members=[{members}]",
            *settings,
        )
        nodes.append(Node(n, binary, config_of(root, n), own, http[n - 1], directory))
    return nodes


def config_of(root, n):
    return root / "raft-config" / "three" / f"node-{n}.toml"


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
