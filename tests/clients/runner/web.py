"""HTTP requests to loopback addresses, never through a proxy."""

import http.client
import json
import urllib.error
import urllib.request

REQUEST_SECONDS_MAX = 5
# Enough of an error page to see what is wrong.
ERROR_BYTES_MAX = 200

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get_text(url, accept="*/*"):
    """The body of a 2xx answer. Anything else raises an `OSError`."""
    return request("GET", url, {"Accept": accept})


def get_json(url):
    """The parsed body of a 2xx answer. Anything else raises an `OSError` or a `ValueError`."""
    return json.loads(get_text(url, "application/json"))


def request(method, url, headers=None):
    call = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with _direct.open(call, timeout=REQUEST_SECONDS_MAX) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        raise OSError(f"{method} {url} answered {refused.code} {refused.read(ERROR_BYTES_MAX).decode(errors='replace')}") from None
    except (urllib.error.URLError, http.client.HTTPException) as broken:
        raise OSError(f"{method} {url} failed: {getattr(broken, 'reason', broken)}") from None
