"""Requests that the released server does not survive.

Owns which registrations may not be sent to it: those it parses for ever (a thread spins until the process is killed), those
after which no list can be read for minutes, and those whose lease would end within a run. It may not know ours: ours gets
all of them, and has to refuse or to survive them.
"""

import re

# Below this many seconds a lease could end while its sequence is played, shrunk or not.
LEASE_SECONDS_MIN = 30
# Beyond this, the released server's arithmetic in milliseconds overflows.
LEASE_SECONDS_MAX = 2_000_000
_SPINS = re.compile(rb'"(metadata|leaseInfo|instance|port|securePort|dataCenterInfo)"\s*:\s*\[')
_CONTROL = re.compile(rb"\\u00[01][0-9a-fA-F]|\\[bf]|%[01][0-9a-fA-F]|&#|[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DURATION = re.compile(rb'durationInSecs"?\s*[:>]\s*(?:"|<!\[CDATA\[)?\s*([0-9.eE+-]+|true)')


def spins(request):
    """Whether the released server may never answer it: an array where it walks an object."""
    return request.method == "POST" and request.body is not None and _SPINS.search(request.body) is not None


def poisons(request):
    """Whether no list can be read there afterwards: an Amazon data center of another class, in JSON."""
    body = request.body
    return request.method == "POST" and body is not None and b'"Amazon"' in body and b'"com.netflix.appinfo.AmazonInfo"' not in body


def ends_soon(request):
    """Whether it asks for a lease that ends within a run. An arithmetic overflow counts."""
    return any(0 < seconds < LEASE_SECONDS_MIN or LEASE_SECONDS_MAX < seconds < 2**31 for seconds in leases(request))


def leases(request):
    """The lengths of leases that it asks for, in s, as far as they are numbers."""
    for text in _DURATION.findall(request.body or b""):
        try:
            yield 1 if text == b"true" else int(float(text))
        except (ValueError, OverflowError):
            continue


def has_controls(request):
    """Whether it may store a control character: compact XML with one has no bytes there."""
    return _CONTROL.search(request.body or b"") is not None or _CONTROL.search(" ".join(request.query).encode()) is not None
