"""What every client is put through, in order, and what came of each step.

Owns the order of the steps and their results. A step is a function of the story: it returns what it saw, in words, raises
`CheckFailed` (or whatever a probe may raise) if it does not hold, and `NotOffered` if the library has no way to do it.
"""

import random
import time
from dataclasses import dataclass

from . import outages, own, reading
from .clients import Client, NotOffered, Prometheus
from .plain import RESIDENT, SHORT_LEASE_SECONDS, UNRENEWED, Plain
from .waiting import CheckFailed, Unmet, describe

OK, FAIL, NOT_OFFERED, NOT_RUN = "ok", "FAIL", "n/a", "–"

@dataclass(frozen=True)
class Step:
    """One column of the table."""

    name: str
    shows: str
    run: object
    # Only where a node can be killed.
    needs_nodes: bool = False
    # Without it the next ones mean nothing.
    vital: bool = False


STEPS = (
    Step("registers", "registers itself: answered 204, then UP on every node", own.registers, vital=True),
    Step("arrives", "sees another instance arrive, with its metadata", reading.arrives, vital=True),
    Step("metadata", "sees another's metadata change", reading.metadata),
    Step("status", "sees another taken out of service, and back", reading.status),
    Step("leaves", "sees another leave", reading.leaves),
    Step("returns", "sees an application empty itself and come back, with the same and with another instance", reading.returns),
    Step("renews", "stays for longer than its lease, where an instance that nobody renews is evicted", own.renews),
    Step("removed", "removed by somebody else, is told 404 and registers again", own.removed),
    Step("own-status", "changes its own status, and back", own.status),
    Step("own-meta", "changes its own metadata", own.metadata),
    Step("kill", "kill -9 of the leader: goes on renewing and reading", outages.kill, needs_nodes=True),
    Step("stop-node", "SIGTERM to the node that it talks to: goes on renewing and reading", outages.stop, needs_nodes=True),
    Step("cancels", "stopped, cancels itself", own.cancels),
)


@dataclass
class Result:
    verdict: str
    detail: str
    began: float = 0.0
    ended: float = 0.0


class Story:
    """One client at one site."""

    def __init__(self, kind, site, directory, seed):
        self.kind = kind
        self.site = site
        self.directory = directory
        self.rng = random.Random(seed)
        self.client = None
        # Of the instance that comes, changes and goes.
        self.colour = "red"
        self.results = {}
        # Byte offsets in the client's log: where each step began.
        self.log_at = {}

    def tell(self, prometheus, until=None):
        """All steps, or those up to `until`. `prometheus` is its binary."""
        faced = self.site.begin()
        self.begin(faced, prometheus)
        broken = None
        for step in STEPS:
            if step.needs_nodes and not self.site.is_ours:
                continue
            self.log_at[step.name] = self.client.log.stat().st_size
            self.results[step.name] = Result(NOT_RUN, f"after {broken} failed") if broken else self.take(step)
            if step.vital and self.results[step.name].verdict == FAIL:
                broken = step.name
            if step.name == until:
                return

    def begin(self, faced, prometheus):
        """An instance that stays and one that nobody renews; then the client."""
        self.plain(RESIDENT).register()
        self.plain(UNRENEWED).register(lease_seconds=SHORT_LEASE_SECONDS)
        if self.kind.command is None:
            self.client = Prometheus(prometheus, faced, self.directory, refresh="1s")
        else:
            name = f"{self.kind.name}-client"
            self.client = Client(self.kind, faced, self.directory, application=name, lease_seconds=SHORT_LEASE_SECONDS)

    def take(self, step):
        if step.name in self.kind.cannot:
            return Result(NOT_OFFERED, self.kind.cannot[step.name])
        began = time.time()
        try:
            result = Result(OK, step.run(self) or "")
        except NotOffered as reason:
            result = Result(NOT_OFFERED, str(reason))
        except (CheckFailed, Unmet, OSError, ValueError, LookupError) as problem:
            result = Result(FAIL, describe(problem))
        result.began, result.ended = began, time.time()
        print(f"{result.ended - began:6.1f} s  {step.name}: {result.verdict}  {result.detail}", flush=True)
        return result

    def plain(self, application, number=1, server=None):
        """An instance that the harness registers with `server`, by default with any of those that run."""
        name = f"{application.lower()}-{number}"
        return Plain(server or self.rng.choice(self.site.servers), application, name)

    def me(self, server):
        """What `server` says of the client."""
        return server.instance(self.client)
