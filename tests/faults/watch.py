"""What every node says about itself all the time, collected beside the row.

Owns one thread a node that asks for `/v1/status` five times a second; the oracles judge what it has seen (O4).
"""

import re
import threading
import time

from . import oracles
from .http1 import Connection, NoAnswer, NotSent

PERIOD_SECONDS = 0.2
ANSWER_SECONDS_MAX = 3
LEADS = re.compile(r"this node leads term=(\d+)")


class Watch:
    def __init__(self, cluster):
        self._cluster = cluster
        self._stop = threading.Event()
        self._threads = []
        # (term, node) of who said that it leads.
        self.claims = set()
        # (index, hash, node), each once.
        self.states = set()
        # (node, what, value) in order of time.
        self.samples = []
        # (time, node, term) whenever an answer came.
        self.terms = []

    def start(self):
        for node in self._cluster.nodes:
            self.follow(node)

    def follow(self, node):
        """One more node."""
        thread = threading.Thread(target=self._watch, args=(node,), name=f"watch-{node.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS_MAX + 2)

    def problems(self):
        """What is wrong with what was seen, from the answers and from the logs."""
        return (
            oracles.two_leaders(self.claims | self._claims_in_logs())
            + oracles.split_states(sorted(self.states))
            + oracles.went_back(self.samples)
        )

    def terms_between(self, since, until):
        """The lowest and the highest term that any node named in a span of time; (0, 0) if none did."""
        seen = [term for at, _, term in self.terms if since <= at <= until and term > 0]
        return (min(seen), max(seen)) if seen else (0, 0)

    def _claims_in_logs(self):
        return {(int(term), node.name) for node in self._cluster.nodes for term in LEADS.findall(node.log_text())}

    def _watch(self, node):
        connection = Connection(node.address, node.http_port)
        while not self._stop.wait(PERIOD_SECONDS):
            if not node.running:
                continue
            starts = node.starts
            try:
                answer = connection.request("GET", "/v1/status", seconds_max=ANSWER_SECONDS_MAX)
            except (NotSent, NoAnswer):
                continue
            if answer.status == 200 and starts == node.starts:
                self._note(node, starts, answer.json())
        connection.close()

    def _note(self, node, starts, status):
        cluster, state, log = status["cluster"], status["state"], status["log"]
        term = cluster["term"]
        # Before it has opened its log a node has no term to speak of.
        if status["node"]["role"] == "starting":
            return
        self.terms.append((time.monotonic(), node.name, term))
        if status["node"]["role"] == "leader":
            self.claims.add((term, node.name))
        self.states.add((state["index"], state["hash"], node.name))
        # Until its Raft runs a node knows no term and says 0.
        if term > 0:
            self.samples.append((node.name, "term", term))
        # A restarted process begins again with what its disk shows.
        process = f"{node.name}, start {starts}"
        self.samples.append((process, "applied", log["applied"]))
        self.samples.append((process, "committed", log["committed"]))
