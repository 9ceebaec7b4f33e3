"""The released clients, each as a process, and what each of them sees.

Owns how an application under tests/clients is started, asked and stopped; what each library is and can do is in `kinds`.
"""

import string
from dataclasses import dataclass
from pathlib import Path

from . import web
from .processes import Process, quiet_ports
from .servers import last_line
from .waiting import CheckFailed

RENEWAL_SECONDS = 2
FETCH_SECONDS = 1
# Longer than a killed leader is missed, many times over: nobody loses a lease by it.
LEASE_SECONDS = 30
STOP_SECONDS_MAX = 10
NOT_OFFERED = 501

CLIENTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Seen:
    """What a client's own cache says of one instance."""

    status: str
    metadata: dict

    @property
    def language(self):
        return self.metadata.get("language", "")


class NotOffered(Exception):
    """The library has no such thing; the text says so in words."""


class Client:
    """A service that registers itself and finds the others."""

    def __init__(self, kind, servers, directory, name=None, application=None, lease_seconds=LEASE_SECONDS):
        """`servers` in the order in which the client shall try them."""
        self.kind = kind
        self.name = name or kind.name
        application = application or f"{kind.name}-service"
        self.application = application.upper()
        self.servers = servers
        [port] = quiet_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.instance_id = f"127.0.0.1:{application}:{port}"
        self.log = directory / f"{self.name.replace(' ', '-')}.log"
        environment = {
            "PORT": str(port),
            "APP_NAME": application,
            "EUREKA_URLS": ",".join(f"{server.eureka_url}/" for server in servers),
            "RENEWAL_SECONDS": str(RENEWAL_SECONDS),
            "FETCH_SECONDS": str(FETCH_SECONDS),
            "LEASE_SECONDS": str(lease_seconds),
            **kind.environment,
        }
        self.process = Process(kind.command, self.log, environment)

    @property
    def runs(self):
        return self.process.exit_code is None

    def require_running(self):
        if not self.runs:
            raise CheckFailed(f"expected: the client runs; seen: it ended with {self.process.exit_code}: {last_line(self.log)}")

    def seen(self):
        """What its own cache holds: {instance id: Seen}."""
        self.require_running()
        view = web.get_json(f"{self.url}/seen")
        return {instance["id"]: Seen(instance["status"], instance["metadata"]) for instance in view}

    def ask(self, other):
        """What `other` answers to this client, which knows nothing of it but the application's name."""
        return web.get_text(f"{self.url}/ask/{other.application.lower()}")

    def set_status(self, status):
        """In the library's own way. Raises `NotOffered` if it has none."""
        self._control("PUT", f"/status?value={status}")

    def set_metadata(self, key, value):
        """In the library's own way. Raises `NotOffered` if it has none."""
        self._control("PUT", f"/metadata?{key}={value}")

    def stop(self):
        """SIGTERM, on which a service cancels its registration."""
        self.process.terminate()
        self._await_end("SIGTERM")

    def stop_by_request(self):
        """The control route for the library's orderly shutdown."""
        try:
            self._control("POST", "/stop")
        except web.Refused:
            raise
        except OSError:
            pass  # it may end before it answers
        self._await_end("POST /stop")

    def _await_end(self, what):
        if self.process.wait(STOP_SECONDS_MAX) is None:
            raise CheckFailed(f"expected: the client ends within {STOP_SECONDS_MAX} s of {what}; seen: it had to be killed")

    def _control(self, method, target):
        self.require_running()
        try:
            web.request(method, f"{self.url}{target}")
        except web.Refused as refused:
            if refused.status == NOT_OFFERED:
                raise NotOffered(refused.text.strip()) from None
            raise


class Prometheus:
    """Debian's Prometheus with eureka_sd_configs. It reads only."""

    name = "prometheus"
    instance_id = None

    def __init__(self, binary, servers, directory, refresh="5s"):
        config = directory / "prometheus.yml"
        template = string.Template((CLIENTS / "prometheus/prometheus.yml").read_text())
        # A single server stands in for all three.
        addresses = {f"server_{n}": servers[(n - 1) % len(servers)].eureka_url for n in (1, 2, 3)}
        config.write_text(template.substitute(addresses, refresh=refresh))
        [port] = quiet_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / "prometheus.log"
        self.process = Process(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"],
            self.log,
        )

    def require_running(self):
        if self.process.exit_code is not None:
            raise CheckFailed(f"expected: Prometheus runs; seen: it ended with {self.process.exit_code}: {last_line(self.log)}")

    def targets(self):
        """What it scrapes: {instance id: Target}."""
        found = {}
        for target in self._active_targets():
            labels = target["labels"]
            found[labels["instance"]] = Target(labels["application"], labels["status"], labels["language"], target["health"])
        return found

    def seen(self):
        """What it discovered: {instance id: Seen}."""
        prefix = "__meta_eureka_app_instance_"
        return {
            labels[f"{prefix}id"]: Seen(
                labels[f"{prefix}status"],
                {key.removeprefix(f"{prefix}metadata_"): value for key, value in labels.items() if key.startswith(f"{prefix}metadata_")},
            )
            for labels in (target["discoveredLabels"] for target in self._active_targets())
        }

    def stop_by_request(self):
        self.process.terminate()
        if self.process.wait(STOP_SECONDS_MAX) is None:
            raise CheckFailed(f"expected: Prometheus ends within {STOP_SECONDS_MAX} s of SIGTERM; seen: it had to be killed")

    def _active_targets(self):
        return web.get_json(f"{self.url}/api/v1/targets?state=active")["data"]["activeTargets"]


@dataclass(frozen=True)
class Target:
    application: str
    status: str
    language: str
    health: str
