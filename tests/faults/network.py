"""A network of namespaces, one host for each node, and what can go wrong in it.

Owns namespaces, bridge, drop rules and bandwidth limits; all of them go with `remove()`. Rules stand in the nodes' namespaces
alone, never in the machine's own. Clients live outside: they reach every node, whatever is cut between nodes.

What a drop rule does to TCP: `cut` and `deafen` drop packets, and a connection without acknowledgements soon carries nothing
either way. `bar` drops what goes to the peer port, so that only connections made from one side die: that is the cut that
is really asymmetric.
"""

import shutil

from .slots import command

PEER_PORT = 8771
PACKAGES = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "nsenter": "util-linux"}


def install_tools():
    """Gets the missing ones from Debian."""
    missing = sorted({package for tool, package in PACKAGES.items() if shutil.which(tool) is None})
    if missing:
        if shutil.which("apt-get") is None:
            raise OSError(f"no apt-get here: please install {' '.join(missing)}")
        command("apt-get", "update", "--quiet", check=False)
        command("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends", *missing)


class Network:
    """Hosts 10.77.SLOT.1 to .N; the clients' side is .254."""

    def __init__(self, slot, size):
        install_tools()
        self._bridge = slot.prefix
        self._subnet = f"10.77.{slot.number}"
        self._rules = {n: {} for n in range(1, size + 1)}
        command("ip", "link", "add", self._bridge, "type", "bridge", "forward_delay", "0")
        command("ip", "address", "add", f"{self._subnet}.254/24", "dev", self._bridge)
        command("ip", "link", "set", self._bridge, "up")
        for n in self._rules:
            self._add_host(n)

    def add_host(self):
        """One more; its number."""
        number = len(self._rules) + 1
        self._rules[number] = {}
        self._add_host(number)
        return number

    def _add_host(self, n):
        space, outside = self.namespace(n), self._outside(n)
        command("ip", "netns", "add", space)
        command("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
        command("ip", "link", "set", outside, "master", self._bridge, "up")
        command("ip", "-n", space, "address", "add", f"{self.address(n)}/24", "dev", "eth0")
        command("ip", "-n", space, "link", "set", "eth0", "up")
        command("ip", "-n", space, "link", "set", "lo", "up")

    def remove(self):
        for n in self._rules:
            # First the link: a namespace takes its own away with it, but only some time later.
            command("ip", "link", "delete", self._outside(n), check=False)
            command("ip", "netns", "delete", self.namespace(n), check=False)
        command("ip", "link", "delete", self._bridge, check=False)

    def namespace(self, n):
        return f"{self._bridge}-n{n}"

    def address(self, n):
        return f"{self._subnet}.{n}"

    def inside(self, n):
        """The words before a command that is to run on host `n`."""
        return ["nsenter", f"--net=/run/netns/{self.namespace(n)}"]

    def cut(self, one, other):
        """Nothing passes between two hosts. Everything below takes nodes."""
        self._add(one, ("cut", other.number), self._both_ways(other))
        self._add(other, ("cut", one.number), self._both_ways(one))

    def isolate(self, node, others):
        """Nothing passes between `node` and the others."""
        for other in others:
            if other is not node:
                self.cut(node, other)

    def bar(self, source, target):
        """`source` cannot reach the peer port of `target`; `target` still can reach that of `source`."""
        rule = f"in ip saddr {self.address(source.number)} tcp dport {PEER_PORT} drop"
        self._add(target, ("bar", source.number), [rule])

    def deafen(self, node, others):
        """Packets of `node` go out, none of the others comes in."""
        for other in others:
            if other is not node:
                self._add(node, ("deaf", other.number), [f"in ip saddr {self.address(other.number)} drop"])

    def mute(self, node, others):
        """Packets of the others come in, none of `node` goes out to them."""
        for other in others:
            if other is not node:
                self._add(node, ("mute", other.number), [f"out ip daddr {self.address(other.number)} drop"])

    def link(self, node, state):
        """Pulls the cable of a host ("down"), for clients too, or puts it back ("up")."""
        command("ip", "link", "set", self._outside(node.number), state)

    def limit(self, node, rate):
        """At most so much, as "64kbit", goes to a host, from nodes and clients together; None ends it."""
        outside = self._outside(node.number)
        command("tc", "qdisc", "delete", "dev", outside, "root", check=False)
        if rate is not None:
            command("tc", "qdisc", "add", "dev", outside, "root", "tbf", "rate", rate, "burst", "3200", "latency", "2s")

    def heal(self):
        """No rule is left on any host. Limits and pulled cables stay."""
        for n, rules in self._rules.items():
            if rules:
                rules.clear()
                self._apply(n)

    def _both_ways(self, other):
        address = self.address(other.number)
        return [f"in ip saddr {address} drop", f"out ip daddr {address} drop"]

    def _outside(self, n):
        return f"{self._bridge}v{n}"

    def _add(self, node, key, rules):
        self._rules[node.number][key] = rules
        self._apply(node.number)

    def _apply(self, n):
        lines = [
            "table inet faults",
            "delete table inet faults",
            "table inet faults {",
            "chain in { type filter hook input priority 0; }",
            "chain out { type filter hook output priority 0; }",
            "}",
        ]
        lines += [f"add rule inet faults {rule}" for rules in self._rules[n].values() for rule in rules]
        command(*self.inside(n), "nft", "-f", "-", text="\n".join(lines) + "\n")
