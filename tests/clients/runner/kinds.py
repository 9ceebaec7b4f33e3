"""The client libraries: how the application of each is started, and what each library can do and cannot.

A reason given here is what the table shows instead of a verdict, so it is a sentence about the library, not about us.
"""

import re
import subprocess
from dataclasses import dataclass, field, replace

from .clients import CLIENTS

ROOT = CLIENTS.parents[1]
TOOLS = ROOT / "target" / "demo"
JAVA = ("java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar")
READS_ONLY = "Prometheus reads and does not register"


@dataclass(frozen=True)
class Kind:
    """A client library and the application on it."""

    name: str
    library: str
    # What it registers in its metadata, where the library lets it.
    language: str
    # None: see `Prometheus`.
    command: tuple | None
    # What scripts/install calls it.
    install: str
    # The file that pins its version, and the expression whose group is the version. None: it is asked.
    pin: tuple | None
    environment: dict = field(default_factory=dict)
    # Why it fetches all each time; empty if it fetches deltas.
    full_fetches: str = ""
    # Steps that the library has no way to do, and why.
    cannot: dict = field(default_factory=dict)
    # Roughly what its two stories take.
    seconds: int = 80
    # Steps in which it fetches all by its own fault, against any server, and why.
    own_fault: dict = field(default_factory=dict)
    # Complaints as it ends that depend on the moment alone; an expression.
    race_at_end: str = ""

    @property
    def is_slow(self):
        """To start, as a JVM is."""
        return self.language == "java"

    @property
    def version(self):
        if self.pin is None:
            said = subprocess.run([prometheus_binary(), "--version"], capture_output=True, text=True)
            found = re.search(r"version (\d\S+)", said.stdout + said.stderr)
        else:
            found = re.search(self.pin[1], (CLIENTS / self.pin[0]).read_text())
        return found[1] if found else "?"


JS = Kind(
    name="js",
    library="eureka-js-client",
    language="javascript",
    command=("env", f"NODE_PATH={TOOLS / 'js/node_modules'}", "node", CLIENTS / "js/app.js"),
    install="js",
    pin=("js/package.json", r'"eureka-js-client": "([^"]+)"'),
    full_fetches="by default it fetches all each time",
)
NETFLIX_PIN = r"com.netflix.eureka</groupId>\s*<artifactId>[^<]+</artifactId>\s*<version>([^<]+)<"
SPRING_PIN = r"<spring-cloud.version>([^<]+)<"
GO = Kind(
    name="go",
    library="fargo",
    language="go",
    command=(TOOLS / "go/app",),
    install="go",
    pin=("go/go.mod", r"hudl/fargo v(\S+)"),
    full_fetches="it knows no deltas",
)
# The steps of story.py in which a client only reads.
READING = ("arrives", "metadata", "status", "leaves", "returns")
RUST_REFUSES = (
    "it refuses every document with an instanceId, so any registry with another client's instances, the released server's too"
    " (and ours with its own: D-15 in docs/compatibility.md)"
)
PY_LOSES = "it loses an application that is new to it out of a delta, so its hash code differs and it fetches all"


def jvm(name, library, pin, variant=None, setting=None):
    """The application `name`; as a `variant` of that name with a `setting` of the client's."""
    settings = [f"-D{setting}"] if setting else []
    return Kind(
        name=f"{name}-{variant}" if variant else name,
        library=f"{library}, {setting}" if setting else library,
        language="java",
        command=(JAVA[0], *settings, *JAVA[1:], TOOLS / name / f"{name}.jar"),
        install=name,
        pin=(f"{name}/pom.xml", pin),
        # A fetch that takes longer than the interval is given up with a warning, and on a busy machine one takes a second.
        environment={"FETCH_SECONDS": "2"},
        # Netflix's shutdown() drops what its supervisors have just queued, and they say so.
        race_at_end=r"TimedSupervisorTask\b.* task supervisor (timed out|shutting down, can't accept the task)",
    )


ALL = (
    JS,
    replace(
        JS,
        name="js-delta",
        library="eureka-js-client, shouldUseDelta",
        environment={"USE_DELTAS": "true"},
        full_fetches="",
        cannot={"metadata": "a metadata change comes as ADDED, and out of a delta it adds no instance that it has"},
    ),
    Kind(
        name="py",
        library="py-eureka-client",
        language="python",
        command=(TOOLS / "py/bin/python", CLIENTS / "py/app.py"),
        install="py",
        pin=("py/requirements.in", r"py-eureka-client==(\S+)"),
        own_fault={step: PY_LOSES for step in ("registers", "arrives", "returns", "kill")},
    ),
    Kind(
        name="prometheus",
        library="Prometheus eureka_sd_configs",
        language="",
        command=None,
        install="prometheus",
        pin=None,
        full_fetches="it fetches all each time",
        cannot={step: READS_ONLY for step in ("registers", "renews", "removed", "own-status", "own-meta", "cancels")},
    ),
    GO,
    replace(GO, name="go-json", library="fargo, UseJson", environment={"USE_JSON": "true"}),
    Kind(
        name="rust",
        library="rust-eureka",
        language="",
        command=(TOOLS / "rust/debug/rust-service",),
        install="rust",
        pin=("rust/Cargo.toml", r'rust-eureka = "=([^"]+)"'),
        full_fetches="it knows no deltas",
        cannot={
            **dict.fromkeys(READING, RUST_REFUSES),
            "renews": "it has no heartbeat and cannot choose its lease: the application registers again instead",
            "removed": "without heartbeats it is never told 404: the application registers again anyway",
        },
    ),
    jvm("netflix2", "Netflix eureka-client", NETFLIX_PIN),
    jvm("netflix1", "Netflix eureka-client", NETFLIX_PIN),
    jvm("spring5", "Spring Cloud Netflix of Spring Cloud", SPRING_PIN),
    jvm("spring4", "Spring Cloud Netflix of Spring Cloud", SPRING_PIN),
    jvm("spring5", "Spring Cloud Netflix of Spring Cloud", SPRING_PIN, "webclient", "eureka.client.webclient.enabled=true"),
    jvm("spring4", "Spring Cloud Netflix of Spring Cloud", SPRING_PIN, "restclient", "eureka.client.restclient.enabled=true"),
)


def prometheus_binary():
    unpacked = TOOLS / "prometheus/usr/bin/prometheus"
    return unpacked if unpacked.exists() else "prometheus"


def named(names):
    """The kinds of these names, all if there are none. Raises `KeyError` with the first name that is none."""
    known = {kind.name: kind for kind in ALL}
    return [known[name] for name in dict.fromkeys(names)] if names else list(ALL)


def demo_kinds():
    """Those that scripts/demo shows."""
    return named(("py", "js", "spring5"))
