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
    reads = goes_on_reading(story, successor, since, {1: ("UP", "red")})
    text = f"{successor.name} leads after {led:.1f} s{reads}{goes_on_renewing(story, since)}"
    site.bring_back(leader)
    return text


def stop(story):
    site = story.site
    name = site.journal.last_node()
    node = next((node for node in site.running() if node.name == name), site.leader())
    asked = time.time()
    site.stop(node)
    ended = time.time()
    reads = goes_on_reading(story, site.leader(), ended, {1: ("UP", "red"), 2: ("UP", "blue")})
    text = f"{node.name} ended {ended - asked:.1f} s after SIGTERM{reads}{goes_on_renewing(story, ended)}"
    site.bring_back(node)
    return text


def goes_on_reading(story, server, since, wanted):
    """Registers the last of the `wanted` newcomers and waits until the client sees them all; what to say of it."""
    number = max(wanted)
    story.plain(NEWCOMER, number, server).register(colour=wanted[number][1])
    if "arrives" in story.kind.cannot:
        return ""
    sees(story, NEWCOMER, wanted)
    return f", a newcomer is seen {time.time() - since:.1f} s after it"


def goes_on_renewing(story, since):
    """Waits for a renewal that came after `since`, when the node was gone; what to say of it."""
    if story.client.instance_id is None:
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
