"""Instances that the harness itself registers, over plain HTTP: what a client shall see come, change and go."""

from dataclasses import dataclass, replace

# Nobody renews these; it outlasts every story.
LEASE_SECONDS = 600
# A client that does not renew loses it while the story goes on; one that renews every 2 s survives two lost renewals and an
# election.
SHORT_LEASE_SECONDS = 10
# No story changes it: with it no client finds an empty registry, which each of them would fetch anew in full.
RESIDENT = "RESIDENT"
# Has the short lease.
UNRENEWED = "UNRENEWED"


@dataclass(frozen=True)
class Plain:
    """One instance of `application`; `server` is the one that is told of its changes."""

    server: object
    application: str
    instance_id: str

    def register(self, lease_seconds=LEASE_SECONDS, **metadata):
        self.server.register(self.application, {"instance": self._document(lease_seconds, metadata)})

    def override_status(self, status):
        self.server.override_status(self, status)

    def end_override(self):
        self.server.end_override(self, "UP")

    def put_metadata(self, key, value):
        self.server.put_metadata(self, key, value)

    def cancel(self):
        self.server.cancel(self)

    def through(self, server):
        """The same instance, telling another server."""
        return replace(self, server=server)

    def _document(self, lease_seconds, metadata):
        """With every field that some client cannot do without."""
        page = "http://127.0.0.1:9/"
        return {
            "instanceId": self.instance_id,
            "hostName": self.instance_id,
            "app": self.application,
            "ipAddr": "127.0.0.1",
            "vipAddress": self.application.lower(),
            "secureVipAddress": self.application.lower(),
            "status": "UP",
            "port": {"$": 9, "@enabled": "true"},
            "securePort": {"$": 443, "@enabled": "false"},
            "homePageUrl": page,
            "statusPageUrl": f"{page}info",
            "healthCheckUrl": f"{page}health",
            "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
            "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": lease_seconds},
            "metadata": metadata,
        }
