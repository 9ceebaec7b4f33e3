"""Steps in which a client does something about itself: registers, renews, returns, changes, leaves."""

import time

from .plain import SHORT_LEASE_SECONDS, UNRENEWED
from .waiting import Within, eventually, require

# A JVM on a busy machine.
REGISTERED_SECONDS_MAX = 60
CHANGED_SECONDS_MAX = 25
# How long a change may take before the client is asked once more: some libraries drop one while they renew.
ASKED_AGAIN_SECONDS = 8
GONE_SECONDS_MAX = 10
RENEWALS_MIN = 2


def registers(story):
    began = time.time()

    def probe():
        story.client.require_running()
        for server in story.site.servers:
            found = server.instances_of(story.client.application)
            require(len(found) == 1, f"{server.name} has {[one.id for one in found]}")
            require(found[0].status == "UP", f"{server.name} has it as {found[0].status}")
        return found[0].id

    story.client.instance_id = eventually(f"{story.client.application} is UP on every server", Within(REGISTERED_SECONDS_MAX), probe)
    answers = {one.status for one in story.site.journal.find("register")}
    # Some try paths first that the released server does not have.
    expected = answers == {204} if story.site.is_ours else 204 in answers
    require(expected, f"its registrations were answered {sorted(map(str, answers))}")
    return f"answered 204; UP on {len(story.site.servers)} after {time.time() - began:.1f} s"


def renews(story):
    """From its registration to its last renewal more than a lease has passed, and another with that lease is gone."""
    journal = story.site.journal

    def probe():
        story.client.require_running()
        for server in story.site.servers:
            me = story.me(server)
            seconds = (me.renewed_ms - me.registered_ms) / 1000
            require(seconds > SHORT_LEASE_SECONDS, f"{server.name}: renewed {seconds:.1f} s after it registered")
            if story.site.is_ours:
                require(not server.instances_of(UNRENEWED), f"{server.name} still has an instance that nobody renews")
        renewals = len(journal.find("heartbeat", 200)) or len(journal.find("register", 204)) - 1
        require(renewals >= RENEWALS_MIN, f"{renewals} renewals")
        return seconds, renewals

    # The doubled lease of the released server costs nothing here: there the control is not waited for.
    within = Within(2 * SHORT_LEASE_SECONDS + CHANGED_SECONDS_MAX)
    seconds, renewals = eventually(f"it renews for more than {SHORT_LEASE_SECONDS} s", within, probe)
    refused = journal.find("heartbeat", 404)
    require(not refused, f"{len(refused)} of its heartbeats were answered 404")
    return f"{renewals} renewals, the last {seconds:.0f} s after it registered, on a lease of {SHORT_LEASE_SECONDS} s"


def removed(story):
    journal, since = story.site.journal, time.time()
    server = story.rng.choice(story.site.servers)
    before = story.me(server).registered_ms
    server.cancel(story.client)

    def probe():
        story.client.require_running()
        refused = journal.find("heartbeat", 404, since)
        require(refused, "no heartbeat was answered 404")
        again = journal.find("register", 204, refused[0].at)
        require(again, "told 404, it did not register again")
        for server in story.site.servers:
            me = story.me(server)
            require(me.registered_ms > before, f"{server.name} has its registration of before")
        return again[0].at - refused[0].at

    seconds = eventually("it learns of it and registers again", Within(CHANGED_SECONDS_MAX), probe)
    return f"registered again {seconds:.1f} s after the 404"


def status(story):
    for wanted in ("DOWN", "UP"):
        changed(story, lambda: story.client.set_status(wanted), lambda me: me.status, wanted)
    return "DOWN, then UP, on every server"


def metadata(story):
    value = f"v{story.rng.randrange(10**6)}"
    changed(story, lambda: story.client.set_metadata("colour", value), lambda me: me.metadata.get("colour"), value)
    return f"colour={value}, on every server"


def changed(story, ask, shown, wanted):
    """Has the client make a change, and waits until every server shows it."""
    asked = None

    def probe():
        nonlocal asked
        if asked is None or asked.has_passed:
            ask()
            asked = Within(ASKED_AGAIN_SECONDS)
        for server in story.site.servers:
            seen = shown(story.me(server))
            require(seen == wanted, f"{server.name} shows {seen}")

    eventually(f"every server shows {wanted}", Within(CHANGED_SECONDS_MAX), probe)


def cancels(story):
    story.client.stop_by_request()
    ended = time.time()
    if story.client.instance_id is None:
        return "ended"

    def probe():
        for server in story.site.servers:
            require(not server.instances_of(story.client.application), f"{server.name} still has it")

    eventually("it is gone from every server", Within(GONE_SECONDS_MAX), probe)
    return f"gone from {len(story.site.servers)} {max(0, time.time() - ended):.1f} s after it ended"
