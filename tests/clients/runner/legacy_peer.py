"""A released Eureka server, configured with a node of ours as its peer, replicates to it what its clients tell it.

Three nodes take peerreplication/batch (compat.peer_replication); the released server has one of them, a follower, in its service
URLs, and everything else as released. Instances register with it, renew, change and leave: each node of ours has to follow. Two
instances are known on both sides with different timestamps, the leader is killed meanwhile. Exit 0 only if every line of the table
holds.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import cli, web
from .part import keep_logs
from .plain import Plain
from .processes import Process, kill_all, quiet_ports
from .report import GaveUp, Report
from .servers import Server, leader_of
from .site import Ours, start_script
from .waiting import CheckFailed, Within, eventually, require

SETTINGS = ("compat.peer_replication=true",)
# A JVM on a busy machine; it fetches our registry before it answers.
READY_SECONDS_MAX = 90
# It sends a batch every half second, and repeats one that was not taken after a second, and after longer each time.
FOLLOWS_SECONDS_MAX = 30
# A heartbeat that waits to be sent is replaced by the next of that instance and waits anew: faster ones would never be sent.
HEARTBEAT_SECONDS = 2


def main(root, words):
    parser = argparse.ArgumentParser(
        prog="scripts/legacy-peer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(words)
    binary = cli.server(root)
    if binary is None:
        return 64
    subprocess.run([root / "scripts" / "install", "spring5"], check=True)
    cli.end_on_signals()
    report, directory = Report(), Path(tempfile.mkdtemp(prefix="eureka-raft-legacy-peer-"))
    tale = Tale(root, directory, Ours(root, binary, directory, settings=SETTINGS), report)
    try:
        tale.tell()
    except GaveUp:
        pass
    except (CheckFailed, OSError, ValueError, LookupError) as problem:
        report.fail_unfinished(problem)
    finally:
        kill_all()
        if not report.passed:
            print(f"logs: {keep_logs(tale, root / 'target' / 'clients' / 'legacy-peer')}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
    report.print_table()
    return 0 if report.passed else 1


@dataclass
class Tale:
    """The released server on one side, our nodes on the other."""

    root: Path
    directory: Path
    site: Ours
    report: Report
    legacy: Server = None
    process: Process = None

    def tell(self):
        steps = (
            ("a registration", self.registers),
            ("renewals", self.renews),
            ("an override, and its end", self.overrides),
            ("an instance that our side lost: told 404, it is registered again", self.lost),
            ("an instance that is newer on our side: told 409, the legacy server takes it over", self.newer),
            ("a registration while the leader is dead", self.outlives_leader),
            ("a cancellation", self.cancels),
        )
        with self.report.vital(), self.report.check("nodes and the legacy server are ready", "", self.site.logs) as row:
            row.detail = self.begin()
        for what, step in steps:
            with self.report.check(what, "", [*self.site.logs, self.process.log]) as row:
                row.detail = step()
        with self.report.check("no batch was refused", "", [self.process.log]) as row:
            row.detail = self.all_taken()

    def begin(self):
        """Starts all; the legacy server begins with what we have, as a new peer does in a cluster of them."""
        self.site.begin()
        follower = next(node for node in self.site.nodes if node is not self.site.leader())
        self.mine("OURS-1").register()
        [port] = quiet_ports(1)
        log = self.directory / "legacy.log"
        self.process = Process([start_script(self.root), "spring5", port, *settings(self.site.proxies[follower.name].url)], log)
        self.legacy = Server("legacy", f"http://127.0.0.1:{port}/eureka")

        def probe():
            if self.process.exit_code is not None:
                raise CheckFailed(f"the legacy server ended with {self.process.exit_code}: see {log}")
            require("ours-1-1" in self.legacy.instances(), "it does not know ours-1-1")

        eventually("the legacy server begins with our registry", Within(READY_SECONDS_MAX), probe)
        return f"its peer is {follower.name}; it began with our registry"

    def mine(self, application):
        """An instance whose client knows our nodes."""
        return Plain(self.site.running()[-1], application, f"{application.lower()}-1")

    def theirs(self, application):
        """One whose client knows the legacy server."""
        return Plain(self.legacy, application, f"{application.lower()}-1")

    def registers(self):
        began = time.time()
        for application in ("STAYS", "GOES", "NEWER"):
            self.theirs(application).register(colour="red")
        for application in ("STAYS", "GOES", "NEWER"):
            self.ours_show(application, lambda one: (one.status, one.metadata), ("UP", {"colour": "red"}))
        return f"three, on every node after {time.time() - began:.1f} s, metadata included"

    def renews(self):
        # Read alone: a list shows the renewal that it had when somebody last came, changed or left.
        instance = self.theirs("STAYS")
        before = self.site.nodes[0].instance(instance).renewed_ms
        beat = self.heart("STAYS")

        def probe():
            beat()
            renewed_ms = min(node.instance(instance).renewed_ms for node in self.site.nodes)
            require(renewed_ms > before, f"lastRenewalTimestamp stays at {renewed_ms}")
            return (renewed_ms - before) / 1000

        seconds = eventually("renewals reach every node", Within(FOLLOWS_SECONDS_MAX), probe)
        return f"lastRenewalTimestamp moved on by {seconds:.1f} s on every node"

    def overrides(self):
        self.theirs("STAYS").override_status("OUT_OF_SERVICE")
        self.ours_show("STAYS", lambda one: one.status, "OUT_OF_SERVICE")
        self.theirs("STAYS").end_override()
        self.ours_show("STAYS", lambda one: one.status, "UP")
        return "OUT_OF_SERVICE, then UP, on every node"

    def lost(self):
        self.theirs("GOES").through(self.site.running()[0]).cancel()
        self.ours_show("GOES", lambda one: one, None)

        beat = self.heart("GOES")

        def probe():
            beat()
            require(all(self.on_our_side("GOES")), "our side does not have it again")

        eventually("our side has it again", Within(FOLLOWS_SECONDS_MAX), probe)
        return "on every node again"

    def newer(self):
        """Its client went over to us and changed it there; the legacy server hears of that by its own heartbeat's answer."""
        instance = self.theirs("NEWER")
        instance.through(self.site.running()[0]).register(colour="blue")

        beat = self.heart("NEWER")

        def probe():
            beat()
            shown = self.legacy.instance(instance).metadata
            require(shown == {"colour": "blue"}, f"the legacy server has {shown}")

        eventually("the legacy server has what we have", Within(FOLLOWS_SECONDS_MAX), probe)
        self.ours_show("NEWER", lambda one: one.metadata, {"colour": "blue"})
        return "blue there, too, and still here"

    def outlives_leader(self):
        leader = self.site.leader()
        self.site.kill(leader)
        began = time.time()
        self.theirs("MEANWHILE").register()
        self.ours_show("MEANWHILE", lambda one: one.status, "UP")
        seconds = time.time() - began
        return f"on both nodes after {seconds:.1f} s; {leader_of(self.site.running())[0].name} leads now"

    def cancels(self):
        self.ours_show("STAYS", lambda one: one.status, "UP")
        self.theirs("STAYS").cancel()
        self.ours_show("STAYS", lambda one: one, None)
        return "gone from every node"

    def all_taken(self):
        """By what the proxies saw: a 503 is repeated, and anything else but 200 would lose a batch."""
        counts = {}
        for exchange in self.site.journal.find():
            if "peerreplication" in exchange.target:
                counts[exchange.status] = counts.get(exchange.status, 0) + 1
        require(counts.get(200), "no batch came at all")
        require(set(counts) <= {200, 503}, f"answers to batches {counts}")
        return f"{counts[200]} batches answered 200, {counts.get(503, 0)} answered 503 and sent again"

    def heart(self, application):
        """What renews at the legacy server when it is called, but no more often than a client in a hurry would."""
        url = f"{self.legacy.eureka_url}/apps/{application}/{self.theirs(application).instance_id}"
        rests = None

        def beat():
            nonlocal rests
            if rests is None or rests.has_passed:
                web.request("PUT", url)
                rests = Within(HEARTBEAT_SECONDS)

        return beat

    def on_our_side(self, application):
        """What each node has: one instance or None."""
        held = [node.instances_of(application) for node in self.site.running()]
        return [some[0] if some else None for some in held]

    def ours_show(self, application, shown, wanted):
        def probe():
            for node, one in zip(self.site.running(), self.on_our_side(application)):
                seen = shown(one) if one else None
                require(seen == wanted, f"{node.name} shows {seen}")

        eventually(f"every node shows {wanted} for {application}", Within(FOLLOWS_SECONDS_MAX), probe)


def settings(peer_url):
    """Everything as released but what makes it one of two peers, the other of which is ours."""
    return (
        f"--eureka.client.service-url.defaultZone={peer_url}/eureka/",
        "--eureka.client.register-with-eureka=true",
        "--eureka.client.fetch-registry=true",
        "--eureka.server.registry-sync-retry-wait-ms=1000",
        "--spring.application.name=legacy",
    )
