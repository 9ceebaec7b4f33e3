"""HTTP/1.1 on one connection that is kept, cheap enough that hundreds of requests a second cost little processor time.

Owns what an answer is and how certain a missing answer is: `NotSent` means that the server cannot have seen the request,
`NoAnswer` that nobody knows.
"""

import json
import socket
import time

CONNECT_SECONDS_MAX = 2
# Longer than the server's answer_timeout (4.9 s), so that it is the server that gives up first.
ANSWER_SECONDS_MAX = 6
CHUNK_BYTES = 65536
HEAD_BYTES_MAX = 65536


class NotSent(OSError):
    """No connection: the request did not leave."""


class NoAnswer(OSError):
    """The request left and no whole answer came: it was executed, or not, or will be."""


class Answer:
    """Status, headers with names in lower case, body."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def number(self, header):
        """A header as a number, None if there is none."""
        text = self.headers.get(header)
        return None if text is None else int(text)

    @property
    def index(self):
        return self.number("x-eureka-raft-index")

    @property
    def seq(self):
        return self.number("x-eureka-raft-seq")


class Connection:
    """To one server; connects when it is first needed and again after every failure. Not for two threads at once."""

    def __init__(self, address, port):
        self._target = (address, port)
        self._host = f"{address}:{port}"
        self._socket = None
        self._rest = b""

    def request(self, method, path, body=None, headers="", seconds_max=ANSWER_SECONDS_MAX):
        """The answer, whatever its status. `headers` are whole lines, each ended by CRLF.

        Raises `NotSent` or `NoAnswer`, and then the connection is closed.
        """
        if self._socket is None:
            self._connect(min(seconds_max, CONNECT_SECONDS_MAX))
        try:
            self._send(method, path, body, headers)
            return self._receive(time.monotonic() + seconds_max)
        except (OSError, ValueError) as problem:
            self.close()
            raise NoAnswer(f"{method} {path}: {problem}") from problem

    def close(self):
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def _connect(self, seconds_max):
        try:
            self._socket = socket.create_connection(self._target, seconds_max)
        except OSError as problem:
            raise NotSent(f"cannot connect to {self._host}: {problem}") from problem
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _send(self, method, path, body, headers):
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nAccept: application/json\r\n{headers}"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._socket.settimeout(CONNECT_SECONDS_MAX)
        self._socket.sendall(head.encode() + b"\r\n" + (body or b""))

    def _receive(self, deadline):
        while b"\r\n\r\n" not in self._rest:
            if len(self._rest) > HEAD_BYTES_MAX:
                raise ValueError("the head of the answer has no end")
            self._more(deadline)
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split(" ", 2)[1])
        body = self._body(headers, deadline)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)

    def _body(self, headers, deadline):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(deadline)
        return self._take(int(headers.get("content-length", "0")), deadline)

    def _chunks(self, deadline):
        parts = []
        while True:
            while b"\r\n" not in self._rest:
                self._more(deadline)
            size, self._rest = self._rest.split(b"\r\n", 1)
            parts.append(self._take(int(size, 16), deadline))
            self._take(2, deadline)
            if not parts[-1]:
                return b"".join(parts)

    def _take(self, count, deadline):
        parts, have = [self._rest], len(self._rest)
        while have < count:
            self._rest = b""
            self._more(deadline)
            parts.append(self._rest)
            have += len(self._rest)
        whole = b"".join(parts)
        self._rest = whole[count:]
        return whole[:count]

    def _more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)
        received = self._socket.recv(CHUNK_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        self._rest += received
