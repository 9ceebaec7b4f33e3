"""Clients that register, renew, write and read while faults happen, and record every attempt.

Owns how an answer becomes an outcome, and the manners of Eureka's Java clients: a request goes to the server that last
worked, then to the next, to at most three in all. Each thread owns its instances, so the attempts for one instance never
overlap; what is renewed is never cancelled.
"""

import json
import random
import threading
import time
from dataclasses import dataclass

from .history import ABSENT, ACKED, REFUSED, UNKNOWN, History, Read, Renewal, Write
from .http1 import ANSWER_SECONDS_MAX, Connection, NoAnswer, NotSent

ATTEMPTS_MAX = 3
# After all servers failed.
PAUSE_SECONDS = 0.1
# How far a thread that was held up may lag before it drops what it missed.
LAG_SECONDS_MAX = 1.0
REGISTERED_SECONDS_MAX = 120
# Longest a thread can be inside one operation: three answers that never come.
JOIN_SECONDS_MAX = 25
# One steady instance in so many is left alone once a write of it was refused, so that the end shows whether that was true.
LEFT_ALONE_ONE_IN = 3
# Instances that come and go, one in so many; their lease outlives every row.
CHURN_ONE_IN = 10
CHURN_LEASE_S = 86_400


@dataclass(frozen=True)
class Shape:
    """How much load. Rates are for all threads together."""

    applications: int = 20
    instances: int = 25
    writes_per_second: float = 100.0
    reads_per_second: float = 50.0
    renew_every_s: int = 5
    lease_s: int = 15
    writers: int = 6
    renewers: int = 6
    readers: int = 3
    consistency: str = "linearizable"
    # How long a client waits for an answer before it asks another server.
    answer_seconds: float = ANSWER_SECONDS_MAX


class Instance:
    """One instance of the load. `value` is what its owner believes; only the owner touches it."""

    __slots__ = ("app", "id", "key", "lease_s", "churns", "value", "witness", "left_alone")

    def __init__(self, app, number, shape):
        self.app = f"APP-{app:03}"
        self.id = f"host-{app:03}-{number:04}"
        self.key = f"{self.app}/{self.id}"
        place = app * shape.instances + number
        self.churns = place % CHURN_ONE_IN == CHURN_ONE_IN - 1
        # A retry would cover what a refused attempt did all the same; these show it.
        self.witness = not self.churns and place % LEFT_ALONE_ONE_IN == 0
        self.left_alone = False
        self.lease_s = CHURN_LEASE_S if self.churns else shape.lease_s
        self.value = ABSENT

    @property
    def path(self):
        return f"/eureka/apps/{self.app}/{self.id}"


class Client:
    """One client with its servers. Belongs to one thread."""

    def __init__(self, nodes, first, history, answer_seconds=ANSWER_SECONDS_MAX):
        turned = nodes[first:] + nodes[:first]
        self._servers = [(node.name, Connection(node.address, node.http_port)) for node in turned]
        self._at = 0
        self.history = history
        self._answer_seconds = answer_seconds

    def close(self):
        for _, connection in self._servers:
            connection.close()

    def write(self, instance, change):
        """`change` is "register", "metadata" or "cancel". Whether it was acknowledged, after at most three attempts."""
        began = time.monotonic()
        for _ in range(ATTEMPTS_MAX):
            value = ABSENT if change == "cancel" else self.history.fresh_value()
            outcome = self._write_once(instance, change, value)
            if outcome == ACKED:
                instance.value = value
                self.history.operations.append((began, time.monotonic()))
                return True
            if outcome == "absent":
                instance.value = ABSENT
                return False
            if instance.left_alone:
                return False
            self._at += 1
        self.history.given_up.append((time.monotonic(), f"{change} {instance.key}"))
        return False

    def _write_once(self, instance, change, value):
        node, connection = self._server()
        started = time.monotonic()
        try:
            answer = connection.request(*request_of(instance, change, value), seconds_max=self._answer_seconds)
        except (NotSent, NoAnswer) as failure:
            outcome = REFUSED if isinstance(failure, NotSent) else UNKNOWN
            self.history.writes.append(Write(instance.key, value, started, time.monotonic(), node, outcome))
            return outcome
        ended = time.monotonic()
        if answer.status == 404 and answer.index is not None:
            self.history.reads.append(Read(instance.key, ABSENT, started, ended, node, answer.index))
            return "absent"
        outcome = outcome_of(answer, node, self.history)
        instance.left_alone = instance.witness and change == "metadata" and outcome == REFUSED
        self.history.writes.append(
            Write(instance.key, value, started, ended, node, outcome, answer.index, answer.seq, answer.status)
        )
        return outcome

    def renew(self, instance):
        """Whether a server knew the instance; None if none answered."""
        began = time.monotonic()
        for _ in range(ATTEMPTS_MAX):
            node, connection = self._server()
            started = time.monotonic()
            try:
                answer = connection.request("PUT", instance.path, seconds_max=self._answer_seconds)
            except (NotSent, NoAnswer) as failure:
                outcome = REFUSED if isinstance(failure, NotSent) else UNKNOWN
                self.history.renewals.append(Renewal(instance.key, started, time.monotonic(), node, outcome))
                self._at += 1
                continue
            ended = time.monotonic()
            if answer.status == 404:
                self.history.renewals.append(Renewal(instance.key, started, ended, node, ACKED, False, answer.index))
                return False
            outcome = outcome_of(answer, node, self.history)
            self.history.renewals.append(Renewal(instance.key, started, ended, node, outcome, True, answer.index))
            if outcome == ACKED:
                self.history.operations.append((began, ended))
                return True
            self._at += 1
        self.history.given_up.append((time.monotonic(), f"renew {instance.key}"))
        return None

    def read(self, instance, consistency="linearizable"):
        """Records what a server says about the instance."""
        for _ in range(ATTEMPTS_MAX):
            node, connection = self._server()
            started = time.monotonic()
            try:
                path = f"{instance.path}?consistency={consistency}"
                answer = connection.request("GET", path, seconds_max=self._answer_seconds)
            except (NotSent, NoAnswer):
                self._at += 1
                continue
            found = read_of(answer, instance.key, node, started, self.history)
            if found is not None:
                self.history.reads.append(found)
                return found
            self._at += 1
        self.history.given_up.append((time.monotonic(), f"read {instance.key}"))
        return None

    def _server(self):
        return self._servers[self._at % len(self._servers)]


def outcome_of(answer, node, history):
    """What the answer to a write claims. Notes claims that may not be made."""
    if 200 <= answer.status < 300:
        if answer.index is None or answer.seq is None:
            history.dishonest.append(f"{node} answered {answer.status} to a write without its place in the log")
            return UNKNOWN
        return ACKED
    label = answer.headers.get("x-eureka-raft-outcome")
    if label == "unknown":
        return UNKNOWN
    if answer.status == 503 and label != "not-executed":
        history.dishonest.append(f"{node} answered 503 to a write and did not say whether it was executed")
        return UNKNOWN
    if answer.status >= 500 and label != "not-executed" and answer.status != 507:
        history.dishonest.append(f"{node} answered {answer.status} to a write")
        return UNKNOWN
    return REFUSED


def read_of(answer, key, node, started, history):
    """A read for the record; None if it was refused."""
    if answer.status not in (200, 404) or answer.index is None:
        if answer.status < 500:
            history.dishonest.append(f"{node} answered {answer.status} to a read of {key}")
        return None
    value = ABSENT if answer.status == 404 else value_of(answer.json()["instance"])
    linearizable = answer.headers.get("x-eureka-raft-consistency") == "linearizable"
    age = answer.number("x-eureka-raft-age-ms")
    if not linearizable and age is None:
        history.dishonest.append(f"{node} gave a local answer without its age")
    return Read(key, value, started, time.monotonic(), node, answer.index, linearizable, age)


def value_of(document):
    """The value an instance's document carries."""
    return int(document["metadata"]["v"])


def request_of(instance, change, value):
    if change == "metadata":
        return "PUT", f"{instance.path}/metadata?v={value}"
    if change == "cancel":
        return "DELETE", instance.path
    return "POST", f"/eureka/apps/{instance.app}", document_of(instance.app, instance.id, value, instance.lease_s)


def document_of(app, instance_id, value, lease_s, renew_every_s=5, padding=None):
    """An instance as Java clients send it. `value` is also its dirty timestamp: a later registration wins."""
    return json.dumps({"instance": {
        "instanceId": instance_id, "hostName": instance_id, "app": app, "ipAddr": "10.0.0.1", "status": "UP",
        "port": {"$": 8080, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"},
        "vipAddress": app.lower(), "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": renew_every_s, "durationInSecs": lease_s},
        "metadata": {"v": str(value), **({"padding": padding} if padding else {})}, "lastDirtyTimestamp": str(value),
    }}).encode()


class Load:
    """All clients of a row. `nodes` are the servers that they know."""

    def __init__(self, nodes, shape, seed, history=None):
        self.nodes = list(nodes)
        self.shape = shape
        self.history = history or History()
        self.instances = [Instance(a, n, shape) for a in range(shape.applications) for n in range(shape.instances)]
        self._seed = seed
        self._stop = threading.Event()
        self._threads = []

    def start(self):
        """Registers every instance, each acknowledged, then goes on renewing, writing and reading."""
        self._register_all()
        steady = [instance for instance in self.instances if not instance.churns]
        self._run(self.shape.writers, self._write, self.instances, self.shape.writes_per_second)
        self._run(self.shape.renewers, self._renew, steady, len(steady) / self.shape.renew_every_s)
        self._run(self.shape.readers, self._read, self.instances, self.shape.reads_per_second)

    def stop(self):
        """Returns when every attempt has its outcome."""
        self._stop.set()
        deadline = time.monotonic() + JOIN_SECONDS_MAX
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        self._threads = []
        if stuck:
            raise RuntimeError(f"clients did not end: {', '.join(stuck)}")

    @property
    def running(self):
        return bool(self._threads)

    def _register_all(self):
        deadline = time.monotonic() + REGISTERED_SECONDS_MAX
        missing = []

        def register(client, mine):
            for instance in mine:
                while not client.write(instance, "register"):
                    if time.monotonic() > deadline or self._stop.is_set():
                        missing.append(instance.key)
                        return
                    time.sleep(PAUSE_SECONDS)

        threads = [self._thread(register, n, self.instances[n :: self.shape.writers]) for n in range(self.shape.writers)]
        for thread in threads:
            thread.join()
        if missing:
            raise RuntimeError(f"{missing[0]} could not be registered within {REGISTERED_SECONDS_MAX} s")

    def _run(self, count, body, instances, per_second):
        for n in range(count):
            mine = instances[n::count]
            if mine and per_second > 0:
                self._threads.append(self._thread(body, n, mine, count / per_second))

    def _thread(self, body, n, mine, *rest):
        def run():
            client = Client(self.nodes, n % len(self.nodes), self.history, self.shape.answer_seconds)
            try:
                body(client, mine, *rest)
            finally:
                client.close()

        thread = threading.Thread(target=run, name=f"{body.__name__}-{n}", daemon=True)
        thread.start()
        return thread

    def _write(self, client, mine, period):
        rng = random.Random(f"{self._seed}-{mine[0].key}")
        for _ in self._ticks(period, rng):
            instance = rng.choice(mine)
            if instance.left_alone:
                continue
            if instance.value is ABSENT:
                done = client.write(instance, "register")
            elif instance.churns and rng.random() < 0.5:
                done = client.write(instance, "cancel")
            else:
                done = client.write(instance, "metadata")
            if not done:
                self._stop.wait(PAUSE_SECONDS)

    def _renew(self, client, mine, period):
        rng = random.Random(f"{self._seed}-renew-{mine[0].key}")
        turn = 0
        for _ in self._ticks(period, rng, lag=self.shape.renew_every_s):
            if client.renew(mine[turn % len(mine)]) is None:
                self._stop.wait(PAUSE_SECONDS)
            else:
                turn += 1

    def _read(self, client, mine, period):
        rng = random.Random(f"{self._seed}-read-{mine[0].key}")
        for _ in self._ticks(period, rng):
            if client.read(rng.choice(mine), self.shape.consistency) is None:
                self._stop.wait(PAUSE_SECONDS)

    def _ticks(self, period, rng, lag=LAG_SECONDS_MAX):
        """Yields once a period until the load stops, and sooner while it is behind."""
        due = time.monotonic() + rng.random() * period
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            yield
            due = max(due + period, time.monotonic() - lag)
