"""Ten thousand instances, and a client that reads them: whether its first fetch is over before its read timeout of 8 s."""

import http.client
import json
import re
import threading
import time
from urllib.parse import urlsplit

from . import web
from .waiting import CheckFailed, Within, eventually, require

COUNT = 10_000
APPLICATIONS = 200
CONNECTIONS = 8
LEASE_SECONDS = 3600
# Netflix's and Spring's default.
READ_TIMEOUT_SECONDS = 8
# A client gives up a fetch that takes longer than the interval, and for three minutes its deltas have the whole crowd in them.
FETCH_SECONDS = 20
SEEN_SECONDS_MAX = 120
SECONDS_OF_A_DAY = 86_400
BEGINS, ENDS = "Getting all instance registry info", "The response status is 200"


def register(eureka_url):
    """Registers all of them with one server. Returns how many seconds it took."""
    began, problems = time.monotonic(), []

    def work(first):
        try:
            _register_some(eureka_url, range(first, COUNT, CONNECTIONS))
        except (OSError, http.client.HTTPException, CheckFailed) as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(first,), daemon=True) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise CheckFailed(f"expected: all of them register; seen: {problems[0]}")
    return time.monotonic() - began


def _register_some(eureka_url, numbers):
    address = urlsplit(eureka_url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=web.REQUEST_SECONDS_MAX)
    for number in numbers:
        application = f"CROWD-{number % APPLICATIONS}"
        body = json.dumps({"instance": _document(number, application)})
        connection.request("POST", f"{address.path}/apps/{application}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 204:
            raise CheckFailed(f"{application} number {number} was answered {answer.status} {text[:200]}")


def _document(number, application):
    """As long as what Spring registers."""
    host = f"host-{number}.example.test"
    page = f"http://{host}:8080/"
    return {
        "instanceId": f"{host}:{application.lower()}:8080",
        "hostName": host,
        "app": application,
        "ipAddr": f"10.0.{number // 250}.{number % 250}",
        "vipAddress": application.lower(),
        "secureVipAddress": application.lower(),
        "status": "UP",
        "port": {"$": 8080, "@enabled": "true"},
        "securePort": {"$": 443, "@enabled": "false"},
        "homePageUrl": page,
        "statusPageUrl": f"{page}actuator/info",
        "healthCheckUrl": f"{page}actuator/health",
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": LEASE_SECONDS},
        "metadata": {"management.port": "8080", "zone": f"zone-{number % 3}"},
    }


def is_read(place, kind):
    """A line of the table: all of them in one full fetch, within the time; then a change by delta."""
    # Past the proxies, which hold back an answer until they have all of it.
    servers = ",".join(f"{server.eureka_url}/" for server in place.site.servers)
    client = place.start(kind, "crowd", environment={"FETCH_SECONDS": str(FETCH_SECONDS), "EUREKA_URLS": servers})
    with place.report.check(f"{COUNT} instances: full JSON within its {READ_TIMEOUT_SECONDS} s", kind.name, [client.log]) as row:

        def has_all():
            seen = len(client.seen())
            require(seen >= COUNT, f"it sees {seen}")

        eventually(f"it sees {COUNT} instances", Within(SEEN_SECONDS_MAX), has_all)
        seconds = fetch_seconds(client.log.read_text(errors="replace"))
        require(seconds < READ_TIMEOUT_SECONDS, f"its first fetch took {seconds:.1f} s")
        place.plain("LATER").register()
        place.sees(client, {"later-1": "UP"}, SEEN_SECONDS_MAX)
        place.plain("LATER").cancel()
        fetches = client.log.read_text(errors="replace").count(BEGINS)
        require(fetches == 1, f"{fetches} full fetches")
        row.detail = f"asked for, read and parsed in {seconds:.1f} s; then a change by delta"
    place.stop(client)


def fetch_seconds(log):
    """From the client's own lines: when it began to fetch all, and when it had what it wanted."""
    return (_time_of(log, ENDS) - _time_of(log, BEGINS)) % SECONDS_OF_A_DAY


def _time_of(log, words):
    """Of the first line with `words`, in seconds since midnight."""
    found = re.search(rf"(\d\d):(\d\d):(\d\d\.\d+).*{words}", log)
    if not found:
        raise CheckFailed(f"expected: a line with {words!r} in its log; seen: none")
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
