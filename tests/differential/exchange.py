"""One request and one answer.

Owns how a request is written to a socket and read back, byte for byte as it was made up, and how it looks as a `curl` line.
It may not know what a request means.
"""

import gzip
import http.client
import shlex
import zlib
from dataclasses import dataclass, replace

# Both servers answer within milliseconds; the released one answers some bodies never.
ANSWER_SECONDS_MAX = 8


class NoAnswer(OSError):
    """The server did not answer, or not in time, or with something that is no HTTP."""


@dataclass(frozen=True)
class Request:
    """What is sent. `path` is as on the wire, without the query; `query` its parts between `&`."""

    method: str
    path: str
    query: tuple = ()
    headers: tuple = ()
    body: bytes | None = None

    @property
    def target(self):
        return self.path + ("?" + "&".join(self.query) if self.query else "")

    def header(self, name):
        """The last header of that name in lower case, or None."""
        return next((value for key, value in reversed(self.headers) if key.lower() == name), None)

    def tagged(self, token, tag):
        """The same request with the place holder `token` replaced by `tag`, in both cases."""
        swap = swapper(token, tag)
        body = None if self.body is None else swap(self.body.decode("latin-1")).encode("latin-1")
        return replace(self, path=swap(self.path), query=tuple(map(swap, self.query)), body=body)

    def curl(self, base):
        """The request as a command line for a shell."""
        parts = ["curl", "-si", "--path-as-is", "-g"]
        parts += ["-I"] if self.method == "HEAD" else ["-X", self.method]
        for name, value in self.headers:
            parts += ["-H", f"{name}: {value}"]
        if self.body is not None:
            if self.header("content-type") is None:
                parts += ["-H", "Content-Type:"]
            if self.header("accept") is None:
                parts += ["-H", "Accept:"]
            return " ".join(map(shlex.quote, parts)) + " --data-binary " + _shell_bytes(self.body) + " " + shlex.quote(base + self.target)
        if self.header("accept") is None:
            parts += ["-H", "Accept:"]
        return " ".join(map(shlex.quote, [*parts, base + self.target]))


def _shell_bytes(body):
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and text.isprintable():
        return shlex.quote(text)
    # Bash's $'…' carries every byte but NUL, and so does no argument of a process.
    return "$'" + "".join(chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in body) + "'"


def swapper(token, tag):
    """A function that puts `tag` in the place of `token`, in upper and in lower case."""

    def swap(text):
        return text.replace(token.upper(), tag.upper()).replace(token.lower(), tag.lower())

    return swap


@dataclass(frozen=True)
class Answer:
    """What came back; `body` without its compression, header names in lower case."""

    status: int
    headers: tuple
    body: bytes
    began_ms: int = 0
    ended_ms: int = 0

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)

    @property
    def media_type(self):
        """The content type without parameters, empty if there is none."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()

    def text(self):
        return self.body.decode("utf-8", "replace")


class _Plain(http.client.HTTPConnection):
    """A connection that sends what it is told, odd paths too."""

    def _validate_path(self, url):
        pass

    def _encode_request(self, request):
        return request.encode("utf-8", "surrogateescape")


class Connection:
    """To one server; kept while the server keeps it."""

    def __init__(self, port, seconds_max=ANSWER_SECONDS_MAX):
        self._port = port
        self._seconds_max = seconds_max
        self._open = None

    def send(self, request):
        """The answer, whatever its status. A kept connection that was closed meanwhile is opened once more.

        Raises `NoAnswer`.
        """
        fresh = self._open is None
        try:
            return self._exchange(request)
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError) as problem:
            self.close()
            if fresh:
                raise NoAnswer(f"{request.method} {request.target}: {problem!r}") from problem
            return self.send(request)
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            raise NoAnswer(f"{request.method} {request.target}: {problem!r}") from problem

    def close(self):
        if self._open is not None:
            self._open.close()
            self._open = None

    def _exchange(self, request):
        if self._open is None:
            self._open = _Plain("127.0.0.1", self._port, timeout=self._seconds_max)
        link = self._open
        link.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in request.headers:
            link.putheader(name, value)
        if request.body is not None or request.method in ("POST", "PUT"):
            if request.header("content-length") is None:
                link.putheader("Content-Length", str(len(request.body or b"")))
        link.endheaders(request.body)
        found = link.getresponse()
        raw = found.read()
        headers = tuple((name.lower(), value) for name, value in found.getheaders())
        if found.will_close:
            self.close()
        return Answer(found.status, headers, _plain(raw, found.getheader("Content-Encoding")))


def _plain(raw, encoding):
    if encoding != "gzip" or not raw:
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        return b"no gzip: " + raw
