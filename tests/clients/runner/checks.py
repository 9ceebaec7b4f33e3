"""What the demo shows. Each function adds one row per client or node to the table."""

import subprocess
import time
from collections import defaultdict

from .clients import LEASE_SECONDS
from .servers import leader_of
from .waiting import CheckFailed, Within, eventually, require

# A JVM on a busy machine.
REGISTERED_SECONDS_MAX = 60
# Some fetches of the registry, and of Prometheus's, which asks every 5 s.
SEEN_SECONDS_MAX = 30
# Some renewals, and a client's own retries after its server died. Less than a lease.
RENEWED_SECONDS_MAX = LEASE_SECONDS - 5
SAME_STATE_SECONDS_MAX = 20
STATUS_SECONDS_MAX = 10


def registers(report, clients, servers):
    """Each client is on every server, with the status and the metadata it registered."""
    within = Within(REGISTERED_SECONDS_MAX)
    for client in clients:

        def probe():
            client.require_running()
            for server in servers:
                found = server.instances(own_copy=True).get(client.instance_id)
                require(found, f"{server.name} does not have it")
                state = (found.status, found.language)
                require(state == ("UP", client.kind.language), f"{server.name} has it as {state}")

        with report.check("registers itself", client.name, [client.log]) as row:
            eventually(f"{client.instance_id} is UP on {names(servers)}, with its metadata", within, probe)
            row.detail = f"{client.instance_id}, first of its servers {client.servers[0].name}"


def sees(report, clients, others, what="sees the others"):
    """Each client has in its own cache those of `others` that it is not, with status and metadata."""
    within = Within(SEEN_SECONDS_MAX)
    for client in clients:
        wanted = [other for other in others if other is not client]

        def probe():
            seen = client.seen()
            for other in wanted:
                found = seen.get(other.instance_id)
                require(found, f"nothing of {other.instance_id}")
                state = (found.status, found.language)
                require(state == ("UP", other.kind.language), f"{state} for {other.instance_id}")

        with report.check(what, client.name, [client.log]) as row:
            eventually(f"it sees {names(wanted)} UP with their metadata", within, probe)
            row.detail = f"{names(wanted)}: UP, with metadata"


def calls(report, clients):
    """Each client gets an answer from each other one, of which it knows only the application's name."""
    for client in clients:
        others = [other for other in clients if other is not client]
        with report.check("calls the others by name", client.name, [client.log]) as row:
            answers = []
            for other in others:
                answer = client.ask(other)
                if answer != f"hello from {other.kind.language}":
                    raise CheckFailed(f"expected: {other.name} says hello; seen: {answer!r}")
                answers.append(answer)
            row.detail = ", ".join(answers)


def prometheus_scrapes(report, prometheus, clients, what="finds and scrapes all"):
    """Prometheus has a target for each client, labelled from the registry, and its scrapes succeed."""

    def probe():
        targets = prometheus.targets()
        for client in clients:
            target = targets.get(client.instance_id)
            require(target, f"no target {client.instance_id} among {sorted(targets)}")
            labels = (target.application, target.status, target.language)
            require(labels == (client.application, "UP", client.kind.language), f"{client.instance_id} labelled {labels}")
            require(target.health == "up", f"{client.instance_id} is {target.health}")

    with report.check(what, prometheus.name, [prometheus.log]) as row:
        eventually(f"targets that are up, with the right labels, for {names(clients)}", Within(SEEN_SECONDS_MAX), probe)
        row.detail = f"{names(clients)}: up, with labels application, status, language"


def renews(report, clients, server, what="renews"):
    """The last renewal of each client moves on from where it is now."""
    within = Within(RENEWED_SECONDS_MAX)
    before = {
        client: eventually(f"{server.name} knows {client.name}", within, lambda: server.instance(client).renewed_ms)
        for client in clients
    }
    for client in clients:

        def probe():
            client.require_running()
            renewed_ms = server.instance(client).renewed_ms
            require(renewed_ms > before[client], f"lastRenewalTimestamp {renewed_ms}")
            return renewed_ms

        with report.check(what, client.name, [client.log]) as row:
            expected = f"lastRenewalTimestamp on {server.name} is above {before[client]}"
            renewed_ms = eventually(expected, within, probe)
            row.detail = f"{(renewed_ms - before[client]) / 1000:.1f} s after the renewal before, says {server.name}"


def sees_override(report, clients, subject, server):
    """An operator takes `subject` out of service and puts it back; the others see both."""
    within = Within(SEEN_SECONDS_MAX)
    server.override_status(subject, "OUT_OF_SERVICE")
    out = {client: _try(lambda: _sees_status(client, subject, within, up=False)) for client in clients}
    server.end_override(subject, "UP")
    within = Within(SEEN_SECONDS_MAX)
    for client in clients:
        with report.check(f"sees {subject.name} taken out, and back", client.name, [client.log]) as row:
            if isinstance(out[client], CheckFailed):
                raise out[client]
            back = _sees_status(client, subject, within, up=True)
            row.detail = f"{out[client]}, then {back}"


def _sees_status(client, subject, within, up):
    """Clients show another's OUT_OF_SERVICE or leave the instance out, as their authors chose."""

    def probe():
        seen = client.seen().get(subject.instance_id)
        status = seen.status if seen else "not offered"
        require((status == "UP") == up, f"{subject.name} is {status}")
        return status

    return eventually(f"{subject.name} is {'UP' if up else 'not UP'}", within, probe)


def _try(attempt):
    try:
        return attempt()
    except CheckFailed as failed:
        return failed


def replaces_killed_leader(report, leader, others):
    """kill -9 of the leader, and who of the others leads then. Returns that one, or None."""
    _, old_term = leader_of([leader, *others])
    new = None
    with report.check("kill -9 of the leader", leader.name, [node.log for node in others]) as row:
        leader.process.kill()
        began = time.monotonic()
        new, term = leader_of(others)
        row.detail = f"it led in term {old_term}; {new.name} leads in term {term} after {time.monotonic() - began:.1f} s"
    return new


def registrations_stand(report, nodes, before, what):
    """Each node's own copy of the registry has the instances of `before`, and none of them had to register again."""
    wanted = {id: instance.registered_ms for id, instance in before.items()}
    within = Within(SAME_STATE_SECONDS_MAX)

    for node in nodes:

        def probe():
            now = {id: instance.registered_ms for id, instance in node.instances(own_copy=True).items()}
            require(now == wanted, difference(wanted, now))

        with report.check(what, node.name, [node.log]) as row:
            eventually(f"{len(wanted)} instances with the same registrationTimestamp", within, probe)
            row.detail = f"{len(wanted)} instances, none registered again"


def same_state(report, nodes):
    """All nodes report one state hash at one index."""
    hashes = defaultdict(dict)

    def probe():
        for node in nodes:
            state = node.status()["state"]
            hashes[state["index"]][node.name] = state["hash"]
        common = [index for index, some in hashes.items() if len(some) == len(nodes)]
        latest = {node.name: max(index for index, some in hashes.items() if node.name in some) for node in nodes}
        require(common, f"last indexes {latest}, never all at one")
        different = [index for index in common if len(set(hashes[index].values())) > 1]
        if different:
            raise CheckFailed(f"expected: one hash at index {different[0]}; seen: {hashes[different[0]]}")
        return max(common)

    with report.check("same state on every node", count(nodes), [node.log for node in nodes]) as row:
        index = eventually("all nodes at one index", Within(SAME_STATE_SECONDS_MAX), probe)
        row.detail = f"hash {next(iter(hashes[index].values()))[:8]}… at index {index}"


def status_is_ok(report, binary, nodes):
    """What an operator would look at says that all is well."""
    within = Within(SAME_STATE_SECONDS_MAX)
    for node in nodes:

        def probe():
            shown = subprocess.run(
                [binary, "status", "--server", node.url], capture_output=True, text=True, timeout=STATUS_SECONDS_MAX
            )
            text = (shown.stdout + shown.stderr).strip()
            last = text.split("\n")[-1]
            require(shown.returncode == 0, f"exit code {shown.returncode}, {last!r}")
            return last

        with report.check("eureka-raft status", node.name, [node.log]) as row:
            row.detail = eventually("it exits with 0", within, probe)


def cancels(report, clients, servers):
    """A client that is stopped disappears from every server at once, without waiting for its lease."""
    for client in clients:

        def probe():
            for server in servers:
                require(client.instance_id not in server.instances(own_copy=True), f"{server.name} still has it")

        with report.check("stopped, it cancels itself", client.name, [client.log]) as row:
            client.stop()
            began = time.monotonic()
            eventually(f"{client.instance_id} is gone from {names(servers)}", Within(SAME_STATE_SECONDS_MAX), probe)
            row.detail = f"gone from {count(servers)} {time.monotonic() - began:.1f} s after it ended"


def sees_gone(report, watchers, client):
    """Those who saw `client` no longer do."""
    within = Within(SEEN_SECONDS_MAX)
    for watcher in watchers:

        def probe():
            seen = watcher.seen()
            require(client.instance_id not in seen, f"{client.instance_id} as {seen.get(client.instance_id)}")

        with report.check(f"no longer sees {client.name}", watcher.name, [watcher.log]) as row:
            eventually(f"it does not see {client.instance_id}", within, probe)
            row.detail = client.instance_id


def stops(report, nodes):
    """All nodes are asked at once to end, and each does."""
    began = time.monotonic()
    for node in nodes:
        node.ask_to_stop()
    for node in nodes:
        with report.check("ends with 0 on SIGTERM", node.name, [node.log]) as row:
            node.await_stop()
            row.detail = f"within {time.monotonic() - began:.1f} s"


def difference(wanted, seen):
    missing, more = sorted(wanted.keys() - seen.keys()), sorted(seen.keys() - wanted.keys())
    again = sorted(id for id in wanted.keys() & seen.keys() if wanted[id] != seen[id])
    return f"missing {missing}, not expected {more}, registered again {again}"


def count(servers):
    return "1 server" if len(servers) == 1 else f"all {len(servers)} nodes"


def names(some):
    return ", ".join(one.name for one in some)
