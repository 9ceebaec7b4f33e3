"""The trouble each page begins with."""

import os
import shutil


# Less than the hard mark of a volume of 100 MB, and more than a node needs in a minute.
LEFT_BYTES = 4 << 20


class Skip(Exception):
    """What a page needs is not here."""


def of(name):
    """What happens before the page `name` is opened."""
    return {
        "first-three-nodes": nothing_yet,
        "replace-a-dead-node": a_dead_machine,
        "move-a-node": three_nodes,
        "grow-and-shrink": three_nodes,
        "corrupt-node": a_rotten_log,
        "disk-full": somebody_elses_file,
        "quorum-lost": two_dead_machines,
        "backup-and-restore": three_nodes,
    }[name]


def nothing_yet(stage):
    """Three empty machines."""


def three_nodes(stage):
    stage.configure(["node-1", "node-2", "node-3"])
    stage.start("node-1", "node-2", "node-3")
    stage.await_ready("node-1", "node-2", "node-3")
    stage.register(10)
    stage.await_status(0)


def a_dead_machine(stage):
    three_nodes(stage)
    stage.kill("node-2")
    shutil.rmtree(stage.data("node-2"))


def two_dead_machines(stage):
    three_nodes(stage)
    stage.kill("node-2", "node-3")
    shutil.rmtree(stage.data("node-2"))
    shutil.rmtree(stage.data("node-3"))
    stage.await_status(2)


def somebody_elses_file(stage):
    """A core file fills the volume of one node; needs root."""
    if os.geteuid() != 0:
        raise Skip("skipped: a small volume takes root")
    names = ["node-1", "node-2", "node-3"]
    volume = stage.mount("node-2", "100m")
    stage.move_data("node-2", volume / "data")
    stage.configure(names)
    stage.start(*names)
    stage.await_ready(*names)
    stage.register(10)
    stage.await_status(0)
    with open(volume / "core.4711", "wb") as core:
        free = os.statvfs(volume)
        core.write(bytes(free.f_bavail * free.f_frsize - LEFT_BYTES))
    stage.await_status(1)


def a_rotten_log(stage):
    """A stopped node whose newest log bytes are gone: what was acknowledged is not there."""
    three_nodes(stage)
    stage.stop("node-2")
    with open(stage.data("node-2") / "log" / "db", "r+b") as log:
        size = os.fstat(log.fileno()).st_size
        log.seek(size // 2)
        log.write(b"\xff" * 64)
    stage.start("node-2")
    stage.await_end("node-2")
