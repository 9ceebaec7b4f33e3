"""Requests that the released server does not survive.

Owns which registrations may not be sent to it: those it parses for ever (a thread spins until the process is killed), those
after which no list can be read for minutes, and those whose lease would end within a run. It may not know ours: ours gets
all of them, and has to refuse or to survive them.
"""

import json
import re

# Below this many seconds a lease could end while its sequence is played, shrunk or not.
LEASE_SECONDS_MIN = 30
_SPINS = re.compile(rb'"(metadata|leaseInfo|instance|port|securePort|dataCenterInfo)"\s*:\s*\[')
_DURATION = re.compile(rb'durationInSecs"?\s*[:>]\s*"?\s*([0-9.eE+-]+)')
_AMAZON = re.compile(rb'"Amazon"|<name>\s*Amazon')


def spins(request):
    """Whether the released server may never answer it: an array where it walks an object."""
    return request.method == "POST" and request.body is not None and _SPINS.search(request.body) is not None


def poisons(request):
    """Whether no list can be read there afterwards: an Amazon data center of another class, in JSON."""
    body = request.body
    return request.method == "POST" and body is not None and b'"Amazon"' in body and b'"com.netflix.appinfo.AmazonInfo"' not in body


def ends_soon(request):
    """Whether it asks for a lease that ends within a run. An arithmetic overflow counts."""
    for text in _DURATION.findall(request.body or b""):
        try:
            seconds = int(float(text))
        except (ValueError, OverflowError):
            continue
        if 0 < seconds < LEASE_SECONDS_MIN or 2_000_000 < seconds < 2**31:
            return True
    return False


def nested_keys(body):
    """Names of the members of the instance that hold an object or array, if `body` is such JSON; else nothing."""
    try:
        instance = json.loads(body)["instance"]
        return {key for key, value in instance.items() if isinstance(value, (dict, list))}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return set()
