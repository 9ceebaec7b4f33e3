"""The released clients, each as a process, and what each of them sees."""

import string
from dataclasses import dataclass
from pathlib import Path

from . import web
from .processes import Process, free_ports
from .servers import last_line
from .waiting import CheckFailed

RENEWAL_SECONDS = 2
# Longer than a killed leader is missed, many times over: nobody loses a lease by it.
LEASE_SECONDS = 30
STOP_SECONDS_MAX = 10

CLIENTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Kind:
    """A client library: the name in the table, its application, the metadata it registers, how it is started."""

    name: str
    application: str
    language: str
    command: tuple


def kinds(tools):
    """The kinds of clients that register, out of what scripts/install put into the directory `tools`."""
    java = ("java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    return (
        Kind("py", "PY-SERVICE", "python", (tools / "py/bin/python", CLIENTS / "py/app.py")),
        Kind("js", "JS-SERVICE", "javascript", ("env", f"NODE_PATH={tools / 'js/node_modules'}", "node", CLIENTS / "js/app.js")),
        Kind("spring5", "SPRING5-SERVICE", "java", (*java, "-jar", tools / "spring5/spring5.jar")),
    )


class Client:
    """A service that registers itself and finds the others."""

    def __init__(self, kind, servers, directory, name=None):
        """`servers` in the order in which the client shall try them."""
        self.kind = kind
        self.name = name or kind.name
        self.application = kind.application
        self.servers = servers
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.instance_id = f"127.0.0.1:{kind.application.lower()}:{port}"
        self.log = directory / f"{self.name.replace(' ', '-')}.log"
        environment = {
            "PORT": str(port),
            "APP_NAME": kind.application.lower(),
            "EUREKA_URLS": ",".join(f"{server.eureka_url}/" for server in servers),
            "RENEWAL_SECONDS": str(RENEWAL_SECONDS),
            "FETCH_SECONDS": str(RENEWAL_SECONDS),
            "LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self.process = Process(kind.command, self.log, environment)

    @property
    def runs(self):
        return self.process.exit_code is None

    def require_running(self):
        if not self.runs:
            raise CheckFailed(f"expected: the client runs; seen: it ended with {self.process.exit_code}: {last_line(self.log)}")

    def seen(self):
        """What its own cache holds: {instance id: (status, language)}."""
        self.require_running()
        view = web.get_json(f"{self.url}/seen")
        if isinstance(view, dict):
            return {instance["id"]: (instance["status"], instance["language"]) for some in view.values() for instance in some}
        return {instance["id"]: (instance["status"], instance["metadata"].get("language")) for instance in view}

    def ask(self, other):
        """What `other` answers to this client, which knows nothing of it but the application's name."""
        return web.get_text(f"{self.url}/ask/{other.application.lower()}")

    def stop(self):
        """SIGTERM, on which a service cancels its registration."""
        self.process.terminate()
        if self.process.wait(STOP_SECONDS_MAX) is None:
            raise CheckFailed(f"expected: the client ends within {STOP_SECONDS_MAX} s of SIGTERM; seen: it had to be killed")


class Prometheus:
    """Debian's Prometheus with eureka_sd_configs."""

    name = "prometheus"

    def __init__(self, binary, servers, directory):
        config = directory / "prometheus.yml"
        template = string.Template((CLIENTS / "prometheus/prometheus.yml").read_text())
        # A single server stands in for all three.
        config.write_text(template.substitute({f"server_{n}": servers[(n - 1) % len(servers)].eureka_url for n in (1, 2, 3)}))
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / "prometheus.log"
        self.process = Process(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"],
            self.log,
        )

    def targets(self):
        """What it scrapes: {instance id: Target}."""
        found = {}
        for target in web.get_json(f"{self.url}/api/v1/targets?state=active")["data"]["activeTargets"]:
            labels = target["labels"]
            found[labels["instance"]] = Target(labels["application"], labels["status"], labels["language"], target["health"])
        return found


@dataclass(frozen=True)
class Target:
    application: str
    status: str
    language: str
    health: str
