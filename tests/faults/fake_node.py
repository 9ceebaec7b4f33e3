"""A server that speaks enough of Eureka for the load, and breaks one promise if told to.

Owns nothing of the product: it is what the judges of this package must catch. Honest by default.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from .cluster import Node

# One instance in so many is treated badly, in every write after its first.
SPOILED_ONE_IN = 5


class FakeNode:
    """One server on a loopback port. `fault` is None or one of the names in `FAULTS`."""

    FAULTS = (
        "forgets",
        "shows old values",
        "evicts",
        "does what it refused",
        "refuses without a label",
        "acknowledges without an index",
    )

    name = "fake"
    ask = Node.ask
    registry = Node.registry

    def __init__(self, fault=None):
        self.address = "127.0.0.1"
        self.fault = fault
        self.held = {}
        self.first = {}
        self.index = 0
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer((self.address, 0), _handler(self))
        self._server.daemon_threads = True
        self.http_port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def running(self):
        """A cluster of itself, for the judges."""
        return [self]

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def put(self, key, value):
        """(status, headers) of a write that sets `value`; None cancels."""
        self.index += 1
        headers = {"X-Eureka-Raft-Index": self.index, "X-Eureka-Raft-Seq": 0}
        fault = self._fault_for(key)
        if fault == "forgets":
            return 200, headers
        if fault == "refuses without a label":
            return 503, {}
        self._hold(key, value)
        if fault == "does what it refused":
            return 503, {"X-Eureka-Raft-Outcome": "not-executed"}
        return 200, {} if fault == "acknowledges without an index" else headers

    def renew(self, key):
        self.index += 1
        if self._fault_for(key) == "evicts":
            self.held.pop(key, None)
        status = 200 if key in self.held else 404
        return status, {"X-Eureka-Raft-Index": self.index, "X-Eureka-Raft-Seq": 0}

    def _hold(self, key, value):
        if value is None:
            self.held.pop(key, None)
        else:
            self.held[key] = value
            self.first.setdefault(key, value)

    def _fault_for(self, key):
        return self.fault if key in self.first and crc32(key.encode()) % SPOILED_ONE_IN == 0 else None

    def get(self, key):
        """(status, value)."""
        value = self.held.get(key)
        if value is not None and self.fault == "shows old values":
            value = self.first[key]
        return (404, None) if value is None else (200, value)


def _handler(node):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instance"]
            with node.lock:
                reply = node.put(f"{document['app']}/{document['instanceId']}", int(document["metadata"]["v"]))
            self._say(*reply)

        def do_PUT(self):
            url = urlsplit(self.path)
            app, instance = url.path.split("/")[3:5]
            with node.lock:
                key = f"{app}/{instance}"
                if url.query and key in node.held:
                    reply = node.put(key, int(parse_qs(url.query)["v"][0]))
                else:
                    reply = node.renew(key)
            self._say(*reply)

        def do_DELETE(self):
            app, instance = self.path.split("/")[3:5]
            with node.lock:
                reply = node.put(f"{app}/{instance}", None)
            self._say(*reply)

        def do_GET(self):
            parts = urlsplit(self.path).path.split("/")
            with node.lock:
                headers = {"X-Eureka-Raft-Index": node.index, "X-Eureka-Raft-Consistency": "linearizable"}
                if len(parts) == 4:
                    self._say(200, headers, {"application": {"instance": [
                        {"app": key.split("/")[0], "instanceId": key.split("/")[1], "metadata": {"v": str(value)}}
                        for key, value in node.held.items()
                        if key.startswith(f"{parts[3]}/")
                    ]}})
                    return
                status, value = node.get("/".join(parts[3:5]))
            self._say(status, headers, {"instance": {"metadata": {"v": str(value)}}} if status == 200 else None)

        def _say(self, status, headers, document=None):
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
