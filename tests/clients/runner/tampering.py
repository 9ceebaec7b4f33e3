"""Answers changed on their way to the client: what servers got wrong, each as one fault for the self-test.

Owns the faults by name. Each is what a server might answer, so a step that holds in spite of one shows nothing.
"""

import gzip
import json
import re

from .journal import route
from .proxy import Answer

HASH_JSON = re.compile(rb'("apps__hashcode":")[^"]*(")')
HASH_XML = re.compile(rb"(<apps__hashcode>)[^<]*(</apps__hashcode>)")
ACTION = re.compile(rb',?"actionType":"[A-Z]+"|<actionType>[A-Z]+</actionType>')


class Tamper:
    """A fault: what to say without asking the server, and what to make of its answer."""

    def instead(self, request):
        """An `Answer`, None to ask the server."""
        return None

    def answer(self, request, answer):
        """The `Answer` to pass on."""
        return answer


class Told(Tamper):
    """On one route (statuses `given` only) another status, without a body."""

    def __init__(self, wanted, status, given=None):
        self._wanted = wanted
        self._status = status
        self._given = given

    def answer(self, request, answer):
        if route(request.method, request.target) != self._wanted or (self._given and answer.status != self._given):
            return answer
        return Answer.made(self._status)


class Swallowed(Tamper):
    """One route is answered with a status and never reaches the server."""

    def __init__(self, wanted, status):
        self._wanted = wanted
        self._status = status

    def instead(self, request):
        return Answer.made(self._status) if route(request.method, request.target) == self._wanted else None


class Rewritten(Tamper):
    """The bodies of some routes, 200 only, through a function."""

    def __init__(self, wanted, change):
        self._wanted = wanted
        self._change = change

    def answer(self, request, answer):
        if route(request.method, request.target) not in self._wanted or answer.status != 200:
            return answer
        body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
        return Answer.made(200, self._change(body), answer.headers.get("content-type", "application/json"))


class Repeated(Tamper):
    """A route goes on giving its first answer: a cache that is never refreshed."""

    def __init__(self, wanted):
        self._wanted = wanted
        self._first = None

    def answer(self, request, answer):
        if route(request.method, request.target) != self._wanted:
            return answer
        self._first = self._first or answer
        return self._first


class AtTimes(Tamper):
    """Every third request of a route is answered with another status."""

    def __init__(self, wanted, status):
        self._wanted = wanted
        self._status = status
        self._seen = 0

    def answer(self, request, answer):
        if route(request.method, request.target) == self._wanted:
            self._seen += 1
            if self._seen % 3 == 0:
                return Answer.made(self._status)
        return answer


class OtherFormat(Tamper):
    """JSON to those who did not ask for it."""

    def answer(self, request, answer):
        if route(request.method, request.target) in ("full", "delta") and "json" not in request.headers.get("accept", ""):
            return Answer.made(200, b'{"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}}')
        return answer


def wrong_hash(body):
    return HASH_XML.sub(rb"\1UP_999_\2", HASH_JSON.sub(rb"\1UP_999_\2", body))


def deleted_first(body):
    """The instances of each application with DELETED in front, and of one instance all that happened: as the released server
    lists an application that emptied itself."""
    document = json.loads(body)
    for application in document["applications"]["application"]:
        gone = [dict(one, actionType="DELETED") for one in application["instance"]]
        application["instance"] = gone + [one for one in application["instance"] if one["actionType"] != "DELETED"]
    return json.dumps(document).encode()


def single(body):
    """One instance as an object, not in an array."""
    document = json.loads(body)
    for application in document["applications"]["application"]:
        if len(application["instance"]) == 1:
            [application["instance"]] = application["instance"]
    return json.dumps(document).encode()


def more_fields(body):
    document = json.loads(body)
    for application in document["applications"]["application"]:
        for instance in application["instance"]:
            instance["revision"] = 1
    return json.dumps(document).encode()


READS = ("full", "delta")
TAMPERS = {
    "registered-200": Told("register", 200, given=204),
    "unknown-200": Told("heartbeat", 200, given=404),
    "renewals-lost": Swallowed("heartbeat", 200),
    "cancel-lost": Swallowed("cancel", 200),
    "status-lost": Swallowed("status", 200),
    "metadata-lost": Swallowed("metadata", 200),
    "delta-stale": Repeated("delta"),
    "full-stale": Repeated("full"),
    "delta-403": Told("delta", 403),
    "delta-500-at-times": AtTimes("delta", 500),
    "json-unasked": OtherFormat(),
    "hash-wrong": Rewritten(("delta",), wrong_hash),
    "no-action": Rewritten(("delta",), lambda body: ACTION.sub(b"", body)),
    "deleted-first": Rewritten(("delta",), deleted_first),
    "single-instance": Rewritten(READS, single),
    "field-added": Rewritten(READS, more_fields),
}
