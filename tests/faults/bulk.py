"""Many registrations quickly, for rows that need a big registry and do not look at each instance.

Owns one thread that keeps some connections filled with requests. Everything must be acknowledged; the leases outlive every row.
"""

import itertools
import selectors
import socket
import time

from .load import CHURN_LEASE_S, document_of

CONNECTIONS = 64
# Requests written to a connection at once; the server answers them in turn.
WINDOW = 32
INSTANCES_PER_APPLICATION = 50
SECONDS_MAX = 300
DONE = b"HTTP/1.1 204 "
# Metadata that makes a document as long as those of real clients, about 1 KB.
PADDING = "x" * 500


class _Channel:
    """One connection: how many answers it waits for, and the end of what it read that may hold half a status line."""

    def __init__(self, node):
        self.socket = socket.create_connection((node.address, node.http_port), 5)
        self.host = f"{node.address}:{node.http_port}"
        self.waiting = 0
        self.tail = b""

    def send(self, numbers):
        self.socket.settimeout(SECONDS_MAX)
        self.socket.sendall(b"".join(_request(self.host, number) for number in numbers))
        self.waiting += len(numbers)

    def receive(self):
        """How many registrations were acknowledged since the last time."""
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionResetError(f"{self.host} closed a connection")
        text = self.tail + received
        if text.count(b"HTTP/1.1 ") != text.count(DONE) and text.rfind(b"HTTP/1.1 ") + len(DONE) < len(text):
            raise ValueError(f"{self.host} refused a registration: {text[:200]!r}")
        done = text.count(DONE)
        # A whole status line is never counted twice: what is kept is shorter than it.
        self.tail = text[-(len(DONE) - 1) :]
        self.waiting -= done
        return done


def register_many(nodes, count):
    """Registers `count` instances by way of `nodes`. How long it took, in seconds."""
    began = time.monotonic()
    numbers = iter(range(count))
    selector = selectors.DefaultSelector()
    for n in range(CONNECTIONS):
        channel = _Channel(nodes[n % len(nodes)])
        selector.register(channel.socket, selectors.EVENT_READ, channel)
        _refill(channel, numbers)
    done = 0
    while done < count:
        if time.monotonic() - began > SECONDS_MAX:
            raise TimeoutError(f"only {done} of {count} registrations within {SECONDS_MAX} s")
        for key, _ in selector.select(1.0):
            done += key.data.receive()
            _refill(key.data, numbers)
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    selector.close()
    return time.monotonic() - began


def _refill(channel, numbers):
    if channel.waiting <= WINDOW // 4:
        more = list(itertools.islice(numbers, WINDOW))
        if more:
            channel.send(more)


def _request(host, number):
    app = f"BULK-{number // INSTANCES_PER_APPLICATION}"
    body = document_of(app, f"bulk-{number}", number, CHURN_LEASE_S, padding=PADDING)
    head = f"POST /eureka/apps/{app} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
