"""Where a story takes place: three nodes of eureka-raft, or the released server, each behind a recording proxy.

Owns the servers and their proxies. A client gets to know the proxies only; the harness asks the servers themselves, so that the
journal holds nothing but the client's requests.
"""

import os

from . import web
from .journal import Journal
from .processes import Process, quiet_ports
from .proxy import Proxy
from .servers import Server, leader_of, three_nodes_anywhere
from .waiting import CheckFailed, Within, eventually

# Otherwise nothing would be evicted from a registry as small as this, and "stays by renewing" would say nothing.
SETTINGS = ("protection.enabled=false",)
# The first start builds it.
REFERENCE_READY_SECONDS_MAX = 180
REFERENCE_SETTINGS = ("--eureka.server.eviction-interval-timer-in-ms=1000",)


class Site:
    """Common to both: `servers` for the harness, `faced` for the client, `journal`."""

    def __init__(self, servers, tamper=None):
        self.servers = servers
        self.journal = Journal()
        ports = quiet_ports(len(servers))
        self.proxies = {
            server.name: Proxy(server.name, port, port_of(server), self.journal, tamper) for server, port in zip(servers, ports)
        }

    def faced(self, first=None):
        """The servers as a client sees them, that called `first` first."""
        named = sorted(self.proxies.values(), key=lambda proxy: proxy.name != first)
        return [Server(proxy.name, f"{proxy.url}/eureka") for proxy in named]

    def open(self):
        for proxy in self.proxies.values():
            proxy.open()


class Ours(Site):
    """Three nodes."""

    is_ours = True

    def __init__(self, root, binary, directory, tamper=None, settings=()):
        self.nodes = three_nodes_anywhere(root, binary, directory, (*SETTINGS, *settings))
        super().__init__(self.nodes, tamper)

    def begin(self):
        """Starts it; the servers in the order in which a client shall try them, the leader first."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.await_ready()
        self.open()
        return self.faced(first=self.leader().name)

    @property
    def logs(self):
        return [node.log for node in self.nodes]

    def leader(self):
        return leader_of(self.running())[0]

    def running(self):
        return [node for node in self.nodes if node.runs]

    def kill(self, node):
        node.process.kill()
        self._leave(node)

    def stop(self, node):
        node.ask_to_stop()
        node.await_stop()
        self._leave(node)

    def bring_back(self, node):
        node.start()
        node.await_ready()
        self.proxies[node.name].open()
        self.servers = self.running()

    def _leave(self, node):
        self.proxies[node.name].shut()
        self.servers = self.running()


class Theirs(Site):
    """The released server, as one process: it has no three nodes to compare with."""

    is_ours = False

    def __init__(self, root, directory, tamper=None):
        [port] = quiet_ports(1)
        self._command = [start_script(root), "spring5", port, *REFERENCE_SETTINGS]
        self._log = directory / "reference.log"
        super().__init__([Server("reference", f"http://127.0.0.1:{port}/eureka")], tamper)

    @property
    def logs(self):
        return [self._log]

    def begin(self):
        process = Process(self._command, self._log)
        [server] = self.servers

        def probe():
            if process.exit_code is not None:
                raise CheckFailed(f"the released server ended with {process.exit_code}: see {self._log.name}")
            web.get_json(f"{server.eureka_url}/apps")

        eventually("the released server answers", Within(REFERENCE_READY_SECONDS_MAX), probe)
        self.open()
        return self.faced()


def start_script(root):
    """What starts the released server; EUREKA_REFERENCE_START names another one."""
    script = os.environ.get("EUREKA_REFERENCE_START", root / "tests" / "reference-server" / "start")
    if not os.access(script, os.X_OK):
        raise CheckFailed(f"there is no {script} to start the released server with")
    return script


def port_of(server):
    return int(server.eureka_url.split(":")[2].split("/")[0])
