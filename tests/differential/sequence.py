"""Random sequences of requests over Eureka's whole API.

Owns which operations there are, how often each comes, and which reads follow it. The same seed is the same sequence: nothing
that a server answers flows back.
"""

import gzip
import random
from dataclasses import dataclass

from . import bodies, hazards, names
from .bodies import T
from .exchange import Request

JSON, XML = "application/json", "application/xml"
BASE = "/eureka"
R = ("x-netflix-discovery-replication", "true")
ACCEPTS = [
    JSON, JSON, JSON, XML, XML, None, "*/*", "application/*", "text/html", "text/plain", f"{JSON};q=0.5, {XML}", f"{XML}, {JSON}",
    "text/html, image/gif, image/jpeg, */*; q=0.2", "application/json, application/*+json", "application/vnd.foo+json", "text/xml",
    "application/json, application/xml, text/xml, application/*+json, application/*+xml", f"{JSON};q=0", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "", "APPLICATION/JSON", "application/json; charset=utf-8", f"text/plain, {JSON};q=0.1", "bogus", "*", ",", "a/", f"{JSON};q=2", "json",
]  # fmt: skip
CONTENT_TYPES = [
    None, "text/plain", "text/json", "application/json; charset=utf-8", "application/json;charset=ISO-8859-1", "application/json; charset=utf-16",
    "APPLICATION/JSON", "application/xml", "application/*", "*/*", "application/vnd.x+json", "text/xml", "", "application/json; x=y", "json",
]  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A request, and the reads that show what it did."""

    request: Request
    checks: tuple = ()


class Sequence:
    """The operations of one seed."""

    def __init__(self, seed, length):
        self.seed = seed
        self._rng = random.Random(seed)
        rng = self._rng
        odd = rng.random() < 0.45
        self._apps = rng.sample(names.PLAIN_APPS, 2) + ([rng.choice(names.ODD_APPS)] if odd else [])
        self._ids = rng.sample(names.PLAIN_IDS, 2) + (rng.sample(names.ODD_IDS, 2) if rng.random() < 0.5 else [])
        self._vips = rng.sample(names.VIPS, 2)
        # In few sequences applications share ids. Then there are no overrides: theirs would be shared, too (D-60).
        self._shared = rng.random() < 0.12
        self._kinds = [(kind, weight) for kind, weight in KINDS if not self._shared or kind in WITHOUT_OVERRIDES]
        self._current = self._pick()
        self.operations = [self._operation() for _ in range(length)]

    def _operation(self):
        rng = self._rng
        if rng.random() < 0.6:
            self._current = self._pick()
        make = rng.choices([kind for kind, _ in self._kinds], [weight for _, weight in self._kinds])[0]
        while True:
            request = make(self)
            if not hazards.ends_soon(request):
                return Operation(request, self._checks())

    def _pick(self):
        """An application and an id, which is its own unless ids are shared."""
        app, id = self._rng.choice(self._apps), self._rng.choice(self._ids)
        return app, id if self._shared else f"{self._apps.index(app)}{id}"

    def _checks(self):
        rng = self._rng
        return tuple(rng.choice(READS)(self) for _ in range(rng.choice([1, 2, 2, 3])))

    # Parts of requests

    def _base(self):
        return BASE + ("/v2" if self._rng.random() < 0.15 else "")

    def _app(self):
        rng = self._rng
        app = self._current[0]
        if rng.random() < 0.15:
            app = rng.choice([app.lower(), app.upper(), app.swapcase()])
        return names.encode(rng, app)

    def _id(self):
        rng = self._rng
        id = self._current[1] if rng.random() < 0.93 else rng.choice([self._current[1].upper(), "nope" + names.TOKEN])
        return names.encode(rng, id)

    def _instance(self, tail=""):
        slash = "/" if self._rng.random() < 0.04 else ""
        return f"{self._base()}/apps/{self._app()}/{self._id()}{tail}{slash}"

    def _headers(self, replicated=0.1, **more):
        rng = self._rng
        found = []
        accept = JSON if rng.random() < 0.6 else rng.choice(ACCEPTS)
        if accept is not None:
            found.append(("Accept", accept))
        if rng.random() < replicated:
            found.append(R if rng.random() < 0.9 else (R[0], rng.choice(["TRUE", "false", "1"])))
        if rng.random() < 0.05:
            found.append(("Accept-Encoding", rng.choice(["gzip", "identity", "gzip;q=0", "deflate, gzip;q=0.5", "*", "br"])))
        return tuple(found) + tuple(more.items())

    def _stamp(self):
        """Mostly none or a time near those of registrations; sometimes what is no time."""
        rng = self._rng
        if rng.random() < 0.35:
            return ()
        if rng.random() < 0.88:
            return (f"lastDirtyTimestamp={bodies.dirty(rng)}",)
        return (f"lastDirtyTimestamp={rng.choice(['abc', '', '%2B5', '-5', '5', '9223372036854775807', '9223372036854775808', '1.5', '%205', '0x1'])}",)

    # Operations

    def register(self):
        rng = self._rng
        edits = 0 if self._shared else rng.choice([0, 0, 0, 0, 1, 1, 2, 3])
        return self._post(self._edited(edits), xml=rng.random() < 0.3)

    def _edited(self, edits):
        """A registration with some odd parts, whose id is of this application all the same."""
        body = bodies.edited(self._rng, self._body(), edits)
        for at, (name, value) in enumerate(body):
            if name in ("instanceId", "hostName") and str(value).strip() and value is not None and names.TOKEN not in str(value).upper():
                body[at] = (name, value + self._number() if type(value) is int else value if isinstance(value, (list, dict)) else f"{value}{self._number()}")
        return body

    def _number(self):
        """Of the application, for ids that belong to it alone."""
        return self._apps.index(self._current[0])

    def register_damaged(self):
        rng = self._rng
        request = self._post(self._edited(rng.choice([0, 0, 1])), xml=rng.random() < 0.45)
        return Request(request.method, request.path, request.query, request.headers, bodies.damaged(rng, request.body))

    def register_strange(self):
        """Other roots, no body, other types."""
        rng = self._rng
        body = self._body()
        text = rng.choice([
            b"", b"{}", b"[]", b"null", b"77", b'"x"', b"{", b"<", b"<x/>", b"<instance/>", b'{"instance":{}}', b'{"instance":null}',
            b"nonsense", b'{"instance":7}', b'{"instance":"x"}', b'{"x":1}', b"\xef\xbb\xbf" + bodies.to_json(rng, body), bodies.to_json(rng, body) + b"x",
            bodies.to_json(rng, body, "Instance"), bodies.to_json(rng, body, ""), bodies.to_json(rng, body, "application"),
            b'<!DOCTYPE instance [<!ENTITY a "b">]>' + bodies.to_xml(rng, body), b"<?xml version='1.1'?>" + bodies.to_xml(rng, body),
            b"<!-- -->" + bodies.to_xml(rng, body), b" \n" + bodies.to_xml(rng, body), bodies.to_xml(rng, body).replace(b"instance>", b"Instance>"),
            *bodies.deadly(rng, body), *bodies.deadly(rng, body),
            bodies.to_json(rng, body)[:-1] + b',"x":1}', b'{"x":1,' + bodies.to_json(rng, body)[1:], bodies.to_json(rng, body), bodies.to_xml(rng, body),
        ])  # fmt: skip
        right = XML if text.lstrip()[:1] == b"<" else JSON
        kind = right if rng.random() < 0.6 else rng.choice(CONTENT_TYPES)
        headers = self._headers() + ((("Content-Type", kind),) if kind is not None else ())
        if rng.random() < 0.1:
            headers, text = (*headers, ("Content-Encoding", "gzip")), gzip.compress(text, mtime=0)
        return Request("POST", f"{self._base()}/apps/{self._app()}", (), headers, text)

    def _body(self):
        rng = self._rng
        app, id = self._current
        host = f"host{rng.choice('12')}.{self._number()}.{names.TOKEN.lower()}"
        return rng.choice(bodies.SHAPES)(rng, app, id, host, rng.choice(self._vips))

    def _post(self, body, xml):
        rng = self._rng
        text, kind = (bodies.to_xml(rng, body), XML) if xml else (bodies.to_json(rng, body), JSON)
        if rng.random() < 0.03:
            kind = rng.choice([one for one in CONTENT_TYPES if one])
        headers = (*self._headers(replicated=0.08), ("Content-Type", kind))
        return Request("POST", f"{self._base()}/apps/{self._app()}", (), headers, text)

    def renew(self):
        rng = self._rng
        query = ((f"status={rng.choice(['UP', 'DOWN', 'bogus'])}",) if rng.random() < 0.5 else ()) + self._stamp()
        if rng.random() < 0.15 and not self._shared:
            query += (f"overriddenstatus={rng.choice([*bodies.STATUSES, 'bogus', ''])}",)
        body, headers = None, self._headers(replicated=0.25)
        if rng.random() < 0.2:
            body, headers = rng.choice([b"{}", b"", b"x", b"null"]), (*headers, ("Content-Type", JSON))
        return Request("PUT", self._instance(), query, headers, body)

    def put_status(self):
        rng = self._rng
        value = rng.choice(bodies.STATUSES if rng.random() < 0.88 else ["up", "BOGUS", "", "UP%20", "%55P"])
        query = (f"value={value}", *self._stamp()) if rng.random() < 0.96 else self._stamp()
        return Request("PUT", self._instance("/status"), query, self._headers(replicated=0.15))

    def delete_status(self):
        rng = self._rng
        value = (f"value={rng.choice([*bodies.STATUSES, 'bogus', ''] if rng.random() < 0.2 else bodies.STATUSES)}",) if rng.random() < 0.5 else ()
        return Request("DELETE", self._instance("/status"), value + self._stamp(), self._headers(replicated=0.15))

    def metadata(self):
        rng = self._rng
        pool = ["a=1", "a=2", "b=x%20y", "c=x+y", "e", "e=", "=v", "d=%2B5", "%C3%A4=%E2%82%AC", "a;b=c", "k=a=b", "x_y=1", "1x=2", "z=%F0%9F%99%82", "q=%3C%26%3E", "%40x=1", ""]
        return Request("PUT", self._instance("/metadata"), tuple(rng.sample(pool, rng.choice([0, 1, 1, 2, 3]))), self._headers(replicated=0.05))

    def cancel(self):
        return Request("DELETE", self._instance(), (), self._headers(replicated=0.15))

    def read(self):
        return self._rng.choice(READS)(self)

    def stray(self):
        """Methods and paths that are not there, or that few use."""
        rng = self._rng
        path = rng.choice([
            "/apps", "/apps/", f"/apps/{self._app()}", f"/apps/{self._app()}/{self._id()}", f"/apps/{self._app()}/{self._id()}/status",
            f"/apps/{self._app()}/{self._id()}/metadata", "/apps/delta", "/apps/delta/", "/apps/DELTA", "/apps/Delta", "/vips", "/svips", "/instances", "/vips/", "/asg/x/status",
            "/asg/x", "/asg", f"/apps/{self._app()}/{self._id()}/x", f"/apps//{self._id()}", "/Apps", "/nope", "", "/", "/v1/apps", "/v2/apps",
            f"/apps/{self._app()}/{self._id()}/status/x", "/status", "/status/", "/serverinfo/statusoverrides", f"/vips/{self._id()}/x", "/apps/%2e%2e/status", "/apps//",
            f"/instances/{self._id()}", f"/vips/{self._id()}", f"/apps/{self._app()}//{self._id()}",
        ])  # fmt: skip
        method = rng.choice(["GET", "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "FOO", "OPTIONS", "HEAD"])
        query = ("value=ENABLED",) if "asg" in path else ()
        body = b"{}" if method in ("POST", "PATCH") else None
        headers = self._headers() + ((("Content-Type", JSON),) if body else ())
        return Request(method, BASE + path, query, headers, body)

    # Reads

    def _reading(self, path, query=(), compact=False):
        rng = self._rng
        accept = rng.choice([JSON, JSON, XML, XML, None] if rng.random() < 0.9 else ACCEPTS)
        headers = (("Accept", accept),) if accept is not None else ()
        if compact and rng.random() < 0.35:
            headers += (("X-Eureka-Accept", rng.choice(["compact", "compact", "COMPACT", "[compact]", "full", "x"])),)
        if rng.random() < 0.3:
            headers += (("Accept-Encoding", rng.choice(["gzip", "gzip, x-gzip, deflate", "identity", "gzip;q=0.5", "gzip;q=0"])),)
        return Request("GET", f"{self._base()}{path}", query, headers)

    def _regions(self):
        rng = self._rng
        return (f"regions={rng.choice(['us-east-1', 'a,b', '', 'us-east-1,us-east-1'])}",) if rng.random() < 0.12 else ()

    def get_apps(self):
        return self._reading(self._rng.choice(["/apps", "/apps/"]), self._regions(), compact=True)

    def get_delta(self):
        return self._reading("/apps/delta", self._regions(), compact=True)

    def get_app(self):
        return self._reading(f"/apps/{self._app()}", compact=True)

    def get_instance(self):
        return self._reading(f"/apps/{self._app()}/{self._id()}", compact=True)

    def get_any_instance(self):
        return self._reading(f"/instances/{self._id()}", compact=True)

    def get_vip(self):
        return self._reading(f"/{self._rng.choice(['vips', 'vips', 'svips'])}/{self._vip()}", self._regions(), compact=True)

    def _vip(self):
        rng = self._rng
        whole = rng.choice([*self._vips, rng.choice(self._vips).upper(), "nope" + names.TOKEN])
        part = whole if rng.random() < 0.4 else rng.choice(whole.split(","))
        return names.encode(rng, part)


KINDS = [
    (Sequence.register, 30), (Sequence.register_damaged, 6), (Sequence.register_strange, 4), (Sequence.renew, 15),
    (Sequence.put_status, 9), (Sequence.delete_status, 6), (Sequence.metadata, 7), (Sequence.cancel, 6), (Sequence.read, 7),
    (Sequence.stray, 8),
]  # fmt: skip
WITHOUT_OVERRIDES = {Sequence.register, Sequence.renew, Sequence.metadata, Sequence.cancel, Sequence.read, Sequence.stray}
READS = [
    Sequence.get_apps, Sequence.get_apps, Sequence.get_delta, Sequence.get_delta, Sequence.get_app, Sequence.get_app, Sequence.get_instance,
    Sequence.get_instance, Sequence.get_instance, Sequence.get_any_instance, Sequence.get_vip, Sequence.get_vip,
]  # fmt: skip
