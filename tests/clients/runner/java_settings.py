"""Starts the Java clients with other settings than the usual, and once more in front of 10,000 instances.

Against three nodes, behind recording proxies; with --reference against the released server. One client at a time: first with what can
be set together (a region that is not there, no gzip, only what is UP), then with the compact form, with a single vip, and last in a
registry of 10,000. Exit 0 only if every line of the table holds.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from . import cli, crowd, kinds, web
from .clients import Client
from .part import keep_logs
from .plain import Plain
from .processes import kill_all
from .report import GaveUp, Report
from .site import Ours, Theirs
from .waiting import CheckFailed, Within, describe, eventually, require

NAMES = ("netflix2", "netflix1", "spring5", "spring4")
# A JVM on a busy machine, and some fetches.
SEEN_SECONDS_MAX = 60
NOWHERE = "nowhere"
ONE, TWO, LATER = "ONE", "TWO", "LATER"

# What a setting is called by Netflix and by Spring.
NO_GZIP = ("eureka.eurekaServer.gzipContent=false", "eureka.client.g-zip-content=false")
REGION = (f"eureka.fetchRemoteRegionsRegistry={NOWHERE}", f"eureka.client.fetch-remote-regions-registry={NOWHERE}")
# Without it a client does not start with a remote region.
ZONE = (f"eureka.{NOWHERE}.availabilityZones={NOWHERE}-a", f"eureka.client.availability-zones.{NOWHERE}={NOWHERE}-a")
ONLY_UP = ("eureka.shouldFilterOnlyUpInstances=true", "eureka.client.filter-only-up-instances=true")
COMPACT = ("eureka.clientDataAccept=compact", "eureka.client.client-data-accept=compact")
SINGLE_VIP = (f"eureka.registryRefreshSingleVipAddress={TWO.lower()}", f"eureka.client.registry-refresh-single-vip-address={TWO.lower()}")

# The others send a header that no server knows, or none, and get the full form.
SENDS_COMPACT = ("netflix1",)


def main(root, words):
    options = parse_arguments(words)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        print(f"client-settings: there is no {unknown[0]}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 64
    binary = None if options.reference else cli.server(root)
    if binary is None and not options.reference:
        return 64
    chosen = kinds.named(options.names or NAMES)
    subprocess.run([root / "scripts" / "install", *(kind.install for kind in chosen)], check=True)
    cli.end_on_signals()
    report, directory = Report(), Path(tempfile.mkdtemp(prefix="eureka-raft-settings-"))
    watch = Watch()
    site = Theirs(root, directory, watch) if options.reference else Ours(root, binary, directory, watch)
    place = Place(report, site, directory, watch)
    try:
        place.tell(chosen)
    except GaveUp:
        pass
    except (CheckFailed, OSError, ValueError, LookupError) as problem:
        report.fail_unfinished(problem)
    finally:
        kill_all()
        if not report.passed:
            print(f"logs: {keep_logs(place, root / 'target' / 'clients' / 'settings')}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
    report.print_table()
    return 0 if report.passed else 1


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog="scripts/client-settings", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{', '.join(NAMES)}; none: all")
    parser.add_argument("--reference", action="store_true", help="against the released server, to compare")
    return parser.parse_args(words)


class Watch:
    """Sees what passes the proxies, and changes nothing: which encodings were asked for, and which came."""

    def __init__(self):
        self.encodings = set()

    def instead(self, _request):
        return None

    def answer(self, request, answer):
        if request.method == "GET":
            self.encodings.add((request.headers.get("accept-encoding", ""), answer.headers.get("content-encoding", "")))
        return answer


@dataclass
class Place:
    """Where it happens, and what every client there goes through."""

    report: Report
    site: object
    directory: Path
    watch: Watch
    # When the present client was started: the journal has those before it, too.
    since: float = 0.0

    def tell(self, chosen):
        with self.report.vital(), self.report.check("servers are ready", "", self.site.logs) as row:
            faced = self.site.begin()
            for application in (ONE, TWO):
                self.plain(application).register(colour="red")
            row.detail = ", ".join(server.name for server in faced)
        for kind in chosen:
            self.several_settings(kind)
            self.compact(kind)
            self.single_vip(kind)
        with self.report.vital(), self.report.check(f"{crowd.COUNT} instances register", "", self.site.logs) as row:
            row.detail = f"in {crowd.register(self.site.servers[0].eureka_url):.0f} s"
        for kind in chosen:
            crowd.is_read(self, kind)

    def plain(self, application):
        return Plain(self.site.servers[0], application, f"{application.lower()}-1")

    def start(self, kind, label, *settings, environment=None):
        """The client of `kind` with `settings`, each a pair of names. `label` tells its log from those of its other starts."""
        self.since = time.time()
        self.watch.encodings.clear()
        ours = [f"-D{spring if kind.name.startswith('spring') else netflix}" for netflix, spring in settings]
        command = (kind.command[0], *ours, *kind.command[1:])
        changed = replace(kind, command=command, environment={**kind.environment, **(environment or {})})
        name = f"{kind.name}-{label}"
        return Client(changed, self.site.faced(), self.directory, name=name, application=f"{kind.name}-client")

    def several_settings(self, kind):
        client = self.start(kind, "several", NO_GZIP, REGION, ZONE, ONLY_UP)
        steps = (
            ("asks for a region that is not there: answered with what there is", self.region),
            ("with that region: sees a newcomer by delta", self.newcomer),
            ("keeps what is UP alone: another goes and comes back", self.only_up),
            ("getInstancesByVipAddress, also of a secure vip", self.by_vip),
            ("getInstancesById", self.by_id),
            ("told not to use gzip", self.gzip),
            ("a health check handler says DOWN, then UP", self.health),
        )
        for what, step in steps:
            with self.report.check(what, kind.name, [client.log]) as row:
                row.detail = step(client)
        self.stop(client)

    def region(self, client):
        self.sees(client, {"one-1": "UP", "two-1": "UP"})
        self.asked(f"apps/?regions={NOWHERE}")
        return "sees both"

    def newcomer(self, client):
        self.plain(LATER).register()
        self.sees(client, {"later-1": "UP"})
        self.asked(f"apps/delta?regions={NOWHERE}")
        self.plain(LATER).cancel()
        self.sees(client, {"later-1": None})
        return f"{self.full_fetches(1)} full fetch"

    def only_up(self, client):
        self.plain(ONE).override_status("OUT_OF_SERVICE")
        self.sees(client, {"one-1": None, "two-1": "UP"})
        self.plain(ONE).end_override()
        self.sees(client, {"one-1": "UP"})
        return f"{self.full_fetches(1)} full fetch"

    def by_vip(self, client):
        found = {path: ids(client, f"{path}/{TWO.lower()}") for path in ("vip", "svip")}
        require(found == {"vip": ["two-1"], "svip": ["two-1"]}, f"it finds {found}")
        return "two-1 by either"

    def by_id(self, client):
        require(ids(client, "id/two-1") == ["two-1"], f"it finds {ids(client, 'id/two-1')}")
        return "two-1"

    def gzip(self, _client):
        """The setting changes nothing in these releases: what counts is that it gets what it asks for."""
        seen = sorted(self.watch.encodings)
        require(all(("gzip" in asked) == (came == "gzip") for asked, came in seen), f"asked for and got {seen}")
        return "asks for it all the same, and gets it" if seen[0][0] else "does not ask, and gets none"

    def health(self, client):
        for status in ("DOWN", "UP"):
            web.request("PUT", f"{client.url}/health?value={status}")

            def probe():
                for server in self.site.servers:
                    shown = server.instance(client).status
                    require(shown == status, f"{server.name} shows {shown}")

            eventually(f"every server shows {status}", Within(SEEN_SECONDS_MAX), probe)
        return "on every server"

    def compact(self, kind):
        client = self.start(kind, "compact", COMPACT)
        with self.report.check("asks for the compact form: reads it, and its deltas", kind.name, [client.log]) as row:
            self.sees(client, {"one-1": "UP", "two-1": "UP"})
            shown = client.seen()["one-1"].metadata
            # The compact form has no metadata.
            expected = {} if kind.name in SENDS_COMPACT else {"colour": "red"}
            require(shown == expected, f"its copy has metadata {shown}")
            self.newcomer_alone(client)
            row.detail = f"{self.full_fetches(1)} full fetch, {'no metadata' if not shown else 'metadata: it got the full form'}"
        self.stop(client)

    def newcomer_alone(self, client):
        self.plain(LATER).register()
        self.sees(client, {"later-1": "UP"})
        self.plain(LATER).cancel()
        self.sees(client, {"later-1": None})

    def single_vip(self, kind):
        client = self.start(kind, "vip", SINGLE_VIP)
        with self.report.check("reads a single vip", kind.name, [client.log]) as row:
            self.sees(client, {"two-1": "UP", "one-1": None})
            self.asked(f"vips/{TWO.lower()}")
            row.detail = "two-1 alone"
        self.stop(client)

    def sees(self, client, wanted, seconds_max=SEEN_SECONDS_MAX):
        """Waits until its cache has those of `wanted`, {id: status}, where None is: not at all."""

        def probe():
            seen = client.seen()
            shown = {id: seen[id].status if id in seen else None for id in wanted}
            require(shown == wanted, f"it sees {shown}")

        eventually(f"it sees {wanted}", Within(seconds_max), probe)

    def asked(self, target):
        """That the client sent this, so that the setting was one."""
        targets = {exchange.target.removeprefix("/eureka/") for exchange in self.site.journal.find(status=200, since=self.since)}
        require(target in targets, f"it never asked for {target} but for {sorted(targets)}")

    def full_fetches(self, at_most):
        count = len(self.site.journal.find("full", since=self.since))
        require(count <= at_most, f"{count} full fetches")
        return count

    def stop(self, client):
        """Not a check: whether clients cancel is scripts/clients' to show."""
        try:
            client.stop_by_request()
        except (CheckFailed, OSError) as problem:
            self.report.say(f"{client.name}: {describe(problem)}")


def ids(client, path):
    return [one["id"] for one in web.get_json(f"{client.url}/{path}")]
