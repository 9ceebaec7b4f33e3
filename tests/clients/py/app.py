"""A Python service that registers with py-eureka-client (PyPI), as it is released.

Shows that it registers, renews, finds the other services and calls them by name, and cancels itself when it is stopped.

    GET /hello        says who answers
    GET /seen         what this client's own cache holds: {"APPLICATION": [{"id", "status", "language"}]}
    GET /ask/NAME     finds NAME through the client, calls its /hello and passes the answer on
    GET /metrics      how many instances it sees, for Prometheus

Environment: PORT, EUREKA_URLS (comma-separated, in the order in which to try them), RENEWAL_SECONDS, LEASE_SECONDS.
"""

import asyncio
import json
import logging
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from py_eureka_client.eureka_client import EurekaClient

PORT = int(os.environ["PORT"])
APPLICATION = "py-service"
ASK_SECONDS_MAX = 5


async def main():
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    client = EurekaClient(
        eureka_server=os.environ["EUREKA_URLS"],
        app_name=APPLICATION,
        instance_id=f"127.0.0.1:{APPLICATION}:{PORT}",
        instance_host="127.0.0.1",
        instance_ip="127.0.0.1",
        instance_port=PORT,
        # One interval for both: this client renews and then fetches.
        renewal_interval_in_secs=int(os.environ["RENEWAL_SECONDS"]),
        duration_in_secs=int(os.environ["LEASE_SECONDS"]),
        metadata={"language": "python"},
    )
    server = ThreadingHTTPServer(("127.0.0.1", PORT), handler_for(client))
    Thread(target=server.serve_forever, daemon=True).start()

    await client.start()
    await stopped.wait()
    await client.stop()
    # This client's heartbeat thread outlives its stop() and would soon register again, so the process ends here and now.
    os._exit(0)


def seen_by(client):
    return {
        application.name: [
            {"id": instance.instanceId, "status": instance.status, "language": instance.metadata.get("language")}
            for instance in application.instances
        ]
        for application in client.applications.applications
    }


def handler_for(client):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                self.answer(200, self.body_of(self.path))
            except Exception as problem:
                self.answer(500, f"{type(problem).__name__}: {problem}")

        def body_of(self, path):
            if path == "/hello":
                return "hello from python"
            if path == "/seen":
                return json.dumps(seen_by(client))
            if path.startswith("/ask/"):
                name = path.removeprefix("/ask/")
                return asyncio.run(client.do_service(name, "/hello", timeout=ASK_SECONDS_MAX))
            if path == "/metrics":
                return f"demo_instances_seen {sum(map(len, seen_by(client).values()))}\n"
            return "GET /hello, /seen, /ask/NAME or /metrics"

        def answer(self, status, body):
            data = body.encode()
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
