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


def post_json(url, document):
    """For a 2xx answer. Anything else raises an `OSError`."""
    return request("POST", url, {"Content-Type": "application/json"}, json.dumps(document).encode())


class Refused(OSError):
    """An answer that is no 2xx, with its `status` and its `text`."""

    def __init__(self, method, url, status, text):
        super().__init__(f"{method} {url} answered {status} {text}")
        self.status = status
        self.text = text


def request(method, url, headers=None, body=None):
    call = urllib.request.Request(url, method=method, headers=headers or {}, data=body)
    try:
        with _direct.open(call, timeout=REQUEST_SECONDS_MAX) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        raise Refused(method, url, refused.code, refused.read(ERROR_BYTES_MAX).decode(errors="replace")) from None
    except (urllib.error.URLError, http.client.HTTPException) as broken:
        raise OSError(f"{method} {url} failed: {getattr(broken, 'reason', broken)}") from None
