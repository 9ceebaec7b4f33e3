"""A Python service on py-eureka-client (PyPI), as it is released.

The control routes and the environment are those of every application here (tests/clients/README.md), except that
FETCH_SECONDS means nothing: this client renews and fetches in one loop, every RENEWAL_SECONDS.

It has no way to change the metadata that it registered.
"""

import asyncio
import json
import logging
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from py_eureka_client.eureka_client import EurekaClient

PORT = int(os.environ["PORT"])
APPLICATION = os.environ.get("APP_NAME", "py-service")
ASK_SECONDS_MAX = 5
NO_METADATA = "py-eureka-client cannot change the metadata that it registered"


async def main():
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    client = EurekaClient(
        eureka_server=os.environ["EUREKA_URLS"],
        app_name=APPLICATION,
        instance_id=f"127.0.0.1:{APPLICATION}:{PORT}",
        instance_host="127.0.0.1",
        instance_ip="127.0.0.1",
        instance_port=PORT,
        renewal_interval_in_secs=int(os.environ["RENEWAL_SECONDS"]),
        duration_in_secs=int(os.environ["LEASE_SECONDS"]),
        metadata={"language": "python"},
    )
    routes = Routes(client, lambda: loop.call_soon_threadsafe(stopped.set))
    server = ThreadingHTTPServer(("127.0.0.1", PORT), handler_for(routes))
    Thread(target=server.serve_forever, daemon=True).start()

    await client.start()
    await stopped.wait()
    await client.stop()
    # This client's heartbeat thread outlives its stop() and would soon register again, so the process ends here and now.
    os._exit(0)


class Routes:
    """What the control routes do with the client; each answers (status, text)."""

    def __init__(self, client, stop):
        self.client = client
        self.stop = stop

    def get(self, path):
        if path == "/hello":
            return 200, "hello from python"
        if path == "/seen":
            return 200, json.dumps(self.seen())
        if path.startswith("/ask/"):
            return 200, asyncio.run(self.client.do_service(path.removeprefix("/ask/"), "/hello", timeout=ASK_SECONDS_MAX))
        if path == "/metrics":
            return 200, f"demo_instances_seen {len(self.seen())}\n"
        return 404, "GET /hello, /seen, /ask/NAME, /metrics; PUT /status, /metadata; POST /stop"

    def put(self, path, query):
        if path == "/status":
            asyncio.run(self.client.status_update(query["value"][0]))
            return 200, "asked the server to change it"
        return (501, NO_METADATA) if path == "/metadata" else (404, path)

    def post(self, path):
        if path != "/stop":
            return 404, path
        self.stop()
        return 200, "stopping"

    def seen(self):
        return [
            {"app": application.name, "id": instance.instanceId, "status": instance.status, "metadata": instance.metadata}
            for application in self.client.applications.applications
            for instance in application.instances
        ]


def handler_for(routes):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(lambda: routes.get(self.path))

        def do_PUT(self):
            asked = urlsplit(self.path)
            self.answer(lambda: routes.put(asked.path, parse_qs(asked.query)))

        def do_POST(self):
            self.answer(lambda: routes.post(self.path))

        def answer(self, work):
            try:
                status, text = work()
            except Exception as problem:
                status, text = 500, f"{type(problem).__name__}: {problem}"
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass  # a line per request would bury what the client logs

    return Handler


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    asyncio.run(main())
