"""Steps in which a node goes: the client goes on renewing and reading with the others."""

import time

from .reading import sees
from .waiting import Within, eventually, require

# Its own retries, and its next renewal.
RENEWED_SECONDS_MAX = 20
NEWCOMER = "NEWCOMER"


def kill(story):
    site = story.site
    leader, since = site.leader(), time.time()
    site.kill(leader)
    successor = site.leader()
    led = time.time() - since
    story.plain(NEWCOMER, server=successor).register(colour="red")
    sees(story, NEWCOMER, {1: ("UP", "red")})
    seen = time.time() - since
    text = f"{successor.name} leads after {led:.1f} s, a newcomer is seen {seen:.1f} s after the kill{goes_on(story, since)}"
    site.bring_back(leader)
    return text


def stop(story):
    site = story.site
    name = site.journal.last_node()
    node = next((node for node in site.running() if node.name == name), site.leader())
    asked = time.time()
    site.stop(node)
    ended = time.time()
    story.plain(NEWCOMER, 2, server=site.leader()).register(colour="blue")
    sees(story, NEWCOMER, {1: ("UP", "red"), 2: ("UP", "blue")})
    seen = time.time() - ended
    return f"{node.name} ended {ended - asked:.1f} s after SIGTERM, a newcomer is seen {seen:.1f} s later{goes_on(story, ended)}"


def goes_on(story, since):
    """Waits for a renewal that came after `since`, when the node was gone; what to say of it."""
    if story.client.instance_id is None or "renews" in story.kind.cannot:
        return ""

    def probe():
        story.client.require_running()
        for server in story.site.servers:
            seconds = story.me(server).renewed_ms / 1000 - since
            require(seconds > 0, f"{server.name}: its last renewal is of {-seconds:.1f} s before the fault")
        return seconds

    seconds = eventually("it renews", Within(RENEWED_SECONDS_MAX), probe)
    lost = story.site.journal.find("heartbeat", 404, since)
    require(not lost, f"{len(lost)} of its heartbeats were answered 404")
    return f", a renewal {seconds:.1f} s after it"
