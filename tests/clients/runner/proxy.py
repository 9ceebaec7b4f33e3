"""A recording proxy in front of a server: bytes pass as they are, and every exchange goes into a journal.

Owns its listening port and its connections. Clients get to know this port only, so what the journal holds is what they sent. While
the server behind it is down the port is shut, so that a client sees a refused connection as it would without a proxy. For self-tests
it can tamper: then an answer, and nothing else, is changed on its way.
"""

import contextlib
import select
import socket
import threading
import time

from .journal import Exchange

LISTEN_BACKLOG = 64
CHUNK_BYTES = 65536
HEAD_BYTES_MAX = 65536
# Longer than any client waits for an answer, so that it is never the proxy that gives up.
ANSWER_SECONDS_MAX = 60
NO_BODY = (204, 304)


class Proxy:
    """Listens on `port` of 127.0.0.1 in front of `upstream`, another port of it. Shut until `open()`."""

    def __init__(self, name, port, upstream, journal, tamper=None):
        """`tamper(request, answer)` gives the `Answer` to pass on; `tamper.instead(request)` one to give without asking."""
        self.name = name
        self.port = port
        self._upstream = upstream
        self._journal = journal
        self._tamper = tamper
        self._listener = None
        self._connections = set()
        self._lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def open(self):
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=LISTEN_BACKLOG)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self):
        """Refuses connections from now on and breaks those there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Only shutdown() wakes a thread that waits in accept().
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self._lock:
            self._connections.add(connection)
        try:
            with socket.create_connection(("127.0.0.1", self._upstream), ANSWER_SECONDS_MAX) as server:
                self._relay(Stream(connection), Stream(server))
        except (OSError, ValueError):
            pass  # one side is gone or talks nonsense: the other one learns it from the closed connection
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _relay(self, client, server):
        """Requests one after another, until either side closes the connection."""
        while client.is_first_to_speak(server):
            at = time.time()
            request = client.request()
            if request is None:
                return
            instead = self._tamper.instead(request) if self._tamper else None
            try:
                answer = instead or self._ask(server, request)
            except (OSError, ValueError):
                self._journal.add(Exchange(at, self.name, request.method, request.target, None))
                raise
            client.send(answer.raw)
            self._journal.add(Exchange(at, self.name, request.method, request.target, answer.status))
            if answer.is_last:
                return

    def _ask(self, server, request):
        server.send(request.raw)
        answer = server.answer(request.method)
        return self._tamper.answer(request, answer) if self._tamper else answer


class Request:
    """One request; `raw` is what came, byte for byte."""

    def __init__(self, method, target, headers, raw):
        self.method = method
        self.target = target
        self.headers = headers
        self.raw = raw


class Answer:
    """One answer; `raw` is what came, byte for byte, and `body` what is in it."""

    def __init__(self, status, headers, body, raw, is_last=False):
        self.status = status
        self.headers = headers
        self.body = body
        self.raw = raw
        self.is_last = is_last

    @staticmethod
    def made(status, body=b"", content_type="application/json"):
        """One that no server gave."""
        head = f"HTTP/1.1 {status} Made\r\nContent-Type: {content_type}\r\n"
        if status not in NO_BODY:
            head += f"Content-Length: {len(body)}\r\n"
        return Answer(status, {"content-type": content_type}, body, head.encode() + b"\r\n" + body)


class Stream:
    """HTTP/1.1 messages out of one connection."""

    def __init__(self, connection):
        self._socket = connection
        self._socket.settimeout(ANSWER_SECONDS_MAX)
        self._rest = b""

    def is_first_to_speak(self, other):
        """Waits until one of the two speaks or closes; whether it is this one."""
        if self._rest:
            return True
        ready, _, _ = select.select([self._socket, other._socket], [], [])
        return other._socket not in ready

    def send(self, data):
        self._socket.sendall(data)

    def request(self):
        """The next one, None if there is none."""
        head = self._head()
        if not head:
            return None
        first, headers = parsed(head)
        method, target, _ = first.split(" ", 2)
        raw, _ = self._body(headers, b"")
        return Request(method, target, headers, head + raw)

    def answer(self, method):
        head = self._head()
        first, headers = parsed(head)
        status = int(first.split(" ", 2)[1])
        if status < 200:
            raise ValueError("interim answers are not for us")
        raw = body = b""
        if method != "HEAD" and status not in NO_BODY:
            raw, body = self._body(headers, None)
        last = headers.get("connection", "").lower() == "close" or raw is None
        return Answer(status, headers, body, head + (body if raw is None else raw), last)

    def _body(self, headers, unbounded):
        """(as it came, what is in it). Without a length it is `unbounded`; None stands for: until the connection closes."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        if "content-length" in headers:
            body = self._take(int(headers["content-length"]))
            return body, body
        if unbounded is None:
            return None, self._all()
        return unbounded, unbounded

    def _head(self):
        while b"\r\n\r\n" not in self._rest:
            if len(self._rest) > HEAD_BYTES_MAX:
                raise ValueError("a head without end")
            received = self._socket.recv(CHUNK_BYTES)
            if not received:
                if self._rest:
                    raise ValueError("half a head")
                return b""
            self._rest += received
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def _chunks(self):
        raw, body = b"", b""
        while True:
            while b"\r\n" not in self._rest:
                self._more()
            line, self._rest = self._rest.split(b"\r\n", 1)
            data = self._take(int(line.split(b";")[0], 16))
            raw += line + b"\r\n" + data + self._take(2)
            body += data
            if not data:
                return raw, body

    def _take(self, count):
        while len(self._rest) < count:
            self._more()
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _all(self):
        while received := self._socket.recv(CHUNK_BYTES):
            self._rest += received
        taken, self._rest = self._rest, b""
        return taken

    def _more(self):
        received = self._socket.recv(CHUNK_BYTES)
        if not received:
            raise ConnectionResetError("closed in the middle of a message")
        self._rest += received


def parsed(head):
    """The first line of a head, and its headers by lower-case name."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    return first, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
