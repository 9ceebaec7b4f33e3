"""Steps in which a client sees what others do. Each change is made over plain HTTP, on any of the servers."""

import time

from .plain import RESIDENT
from .waiting import Within, eventually, require

SEEN_SECONDS_MAX = 25
OTHER = "OTHER"
RETURNING = "RETURNING"


def arrives(story):
    # After its first fetch, so that what comes does not come with that one.
    sees(story, RESIDENT, {1: ("UP", None)})
    began = time.time()
    story.plain(OTHER).register(colour=story.colour)
    sees(story, OTHER, {1: ("UP", story.colour)})
    return f"after {time.time() - began:.1f} s"


def metadata(story):
    began = time.time()
    story.colour = "blue"
    story.plain(OTHER).put_metadata("colour", "blue")
    sees(story, OTHER, {1: ("UP", "blue")})
    return f"after {time.time() - began:.1f} s"


def status(story):
    began = time.time()
    story.plain(OTHER).override_status("OUT_OF_SERVICE")

    def probe():
        seen = story.client.seen().get(story.plain(OTHER).instance_id)
        # Some keep what is not UP out of their cache, as their authors chose.
        require(seen is None or seen.status == "OUT_OF_SERVICE", f"it sees it as {seen}")
        return "OUT_OF_SERVICE" if seen else "no longer offered"

    shown = eventually("it sees it out of service", Within(SEEN_SECONDS_MAX), probe)
    seconds = time.time() - began
    story.plain(OTHER).end_override()
    sees(story, OTHER, {1: ("UP", story.colour)})
    return f"{shown} after {seconds:.1f} s, then UP"


def leaves(story):
    began = time.time()
    story.plain(OTHER).cancel()
    sees(story, OTHER, {})
    return f"after {time.time() - began:.1f} s"


def returns(story):
    """In one application, within one delta: gone and back, one gone as another comes, and that again the other way round."""
    one, other = story.plain(RETURNING, 1), story.plain(RETURNING, 2)
    one.register(colour="red")
    sees(story, RETURNING, {1: ("UP", "red")})
    one.cancel()
    sees(story, RETURNING, {})
    one.register(colour="green")
    sees(story, RETURNING, {1: ("UP", "green")})
    one.cancel()
    other.register(colour="blue")
    sees(story, RETURNING, {2: ("UP", "blue")})
    other.cancel()
    one.register(colour="white")
    sees(story, RETURNING, {1: ("UP", "white")})
    one.cancel()
    one.register(colour="white")
    fetches(story, since=time.time())
    sees(story, RETURNING, {1: ("UP", "white")})
    return "emptied and filled four times"


def fetches(story, since):
    """Waits until the client has asked, later than `since`, and has had time to look at the answer: it asks again."""

    def probe():
        asked = [one for one in story.site.journal.find(status=200, since=since) if one.route in ("full", "delta")]
        require(len(asked) > 1, f"{len(asked)} fetches")

    eventually("it fetches twice", Within(SEEN_SECONDS_MAX), probe)


def sees(story, application, wanted, seconds_max=SEEN_SECONDS_MAX):
    """Waits until of `application` the client's cache holds exactly {number: (status, colour)}."""
    expected = {f"{application.lower()}-{number}": state for number, state in wanted.items()}

    def probe():
        seen = {
            id: (one.status, one.metadata.get("colour"))
            for id, one in story.client.seen().items()
            if id.startswith(f"{application.lower()}-")
        }
        require(seen == expected, f"it sees {seen}")

    eventually(f"it sees {expected or 'nothing'} of {application}", Within(seconds_max), probe)
