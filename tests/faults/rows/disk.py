"""Disks that lose power, fill up, fail, stall or answer slowly: rows 5, 25 to 29 and 36 to 38."""

import concurrent.futures
import contextlib
import fcntl
import os
import statistics
import struct
import time

from runner.waiting import CheckFailed, Within, eventually, require

from ..bad_disk import BadDisk
from ..history import ACKED
from ..http1 import NoAnswer, NotSent
from ..load import document_of
from ..row import TURNS, row
from ..slots import command

# ext4's own shutdown, without a flush of its journal: what was not synced is gone.
EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_LOG_FLUSH = 2

EXIT_STORAGE = 74
# From the first error to the end of the process.
FAIL_STOP_SECONDS_MAX = 2.0
# What a fill writes at a time, and how long it then waits: 10 MB/s.
FILL_BYTES = 1 << 20
FILL_PAUSE_SECONDS = 0.1
FULL_FOR_SECONDS = 600
FULL_FOR_SECONDS_CI = 20
# One a second or so; then there are none left to cancel.
CANCELLED_WHILE_FULL = 60


@row(5, "power cut of all nodes", seconds=40, ci=TURNS, runs=20, root=True)
def power_cut(run):
    size = run.rng.choice((3, 3, 1))
    cluster = run.cluster(size, start=False)
    mounts = []
    for node in cluster.nodes:
        directory, device = run.loop_ext4(f"{node.name}-disk", 400)
        node.data = directory / "data"
        mounts.append((directory, device))
    run.begin(cluster)
    load = run.load(cluster)
    for _ in range(2):
        run.rest(1, 4)
        for node in cluster.nodes:
            node.pause()
        # What had been handed to the disk by then is the disk's; a sync that was under way may or may not have made it.
        time.sleep(0.1)
        run.fault(f"power cut of {size} nodes")
        for directory, _ in mounts:
            cut_power(directory)
        for node in cluster.nodes:
            node.kill()
        for directory, device in mounts:
            command("umount", directory)
            command("mount", device, directory)
        cluster.start()
        took = cluster.await_ready()
        run.expect(took <= 15, f"ready {took:.1f} s after power came back; 15 s are allowed")
    run.settle(cluster, load)


@row(25, "disk full on a follower", seconds=50, ci=TURNS, runs=5, root=True)
def follower_full(run):
    cluster, _ = on_small_disks(run, victims=1)
    load = run.load(cluster)
    victim = cluster.nodes[0] if cluster.leader() is not cluster.nodes[0] else move_leader(cluster, cluster.nodes[0])
    fill = Fill(victim)
    run.on_end(fill.remove)
    since = run.fault(f"the disk of {victim.name}, a follower, fills up")
    fill.until_state(run, "low")
    await_alarm(victim, "disk_low", 5)
    fill.until_state(run, "full")
    await_alarm(victim, "disk_full", 5)
    fill.to_the_brim()
    run.rest(5, 8)
    run.gap(load, since, ms_max=2000)
    free_and_recover(run, [victim], [fill])
    run.settle(cluster, load)


@row(26, "disk full on the leader", seconds=50, ci=TURNS, runs=5, root=True)
def leader_full(run):
    cluster, _ = on_small_disks(run, victims=3)
    load = run.load(cluster)
    victim = cluster.leader()
    fill = Fill(victim)
    run.on_end(fill.remove)
    since = run.fault(f"the disk of {victim.name}, the leader, fills up")
    fill.until_state(run, "full")
    free = victim.status()["disk"]["free_bytes"]
    successor = await_another_leader(cluster, victim, 10)
    run.expect(free > 0, "leadership was still there when nothing was free any more")
    fill.to_the_brim()
    run.rest(5, 8)
    run.gap(load, since, ms_max=5000)
    leader = cluster.leader(among=cluster.others(victim))
    run.expect(leader is not victim, f"{victim.name} leads again on a full disk")
    run.note(f"{successor.name} took over with {free >> 20} MiB free on {victim.name}")
    free_and_recover(run, [victim], [fill])
    run.settle(cluster, load)


@row(27, "disk full on all nodes", seconds=180, ci=TURNS, runs=2, root=True)
def all_full(run):
    cluster, _ = on_small_disks(run, victims=3)
    load = run.load(cluster)
    going = [f"going-{number}" for number in range(CANCELLED_WHILE_FULL)]
    for name in going:
        require(register(cluster.nodes[0], name).status == 204, f"{name} was refused before the disks were full")
    fills = [Fill(node) for node in cluster.nodes]
    for fill in fills:
        run.on_end(fill.remove)
    run.fault("the disks of all nodes fill up")
    for fill in fills:
        fill.until_state(run, "full")
    for fill in fills:
        fill.to_the_brim()
    for node in cluster.nodes:
        refused_for_want_of_room(run, node)
    steady = [instance for instance in load.instances if not instance.churns]
    seconds = FULL_FOR_SECONDS if run.full else FULL_FOR_SECONDS_CI
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for node in cluster.nodes:
            goes_on(run, node, "PUT", run.rng.choice(steady).path, {200})
            goes_on(run, node, "GET", f"{run.rng.choice(steady).path}?consistency=linearizable", {200})
        if going:
            goes_on(run, run.rng.choice(cluster.nodes), "DELETE", f"/eureka/apps/ROOM/{going.pop()}", {200})
        run.rest(1)
    for node in cluster.nodes:
        refused_for_want_of_room(run, node)
        run.note(f"{node.name} has {node.status()['disk']['free_bytes'] >> 10} KiB left after {seconds} s")
    free_and_recover(run, cluster.nodes, fills)
    run.settle(cluster, load)


@row(28, "no inodes left on a follower", seconds=40, ci=TURNS, runs=5, root=True)
def inodes_exhausted(run):
    cluster, _ = on_small_disks(run, victims=1, inodes=80)
    load = run.load(cluster)
    victim = cluster.nodes[0] if cluster.leader() is not cluster.nodes[0] else move_leader(cluster, cluster.nodes[0])
    fill = Fill(victim)
    run.on_end(fill.remove)
    since = run.fault(f"no inodes are left to {victim.name}")
    fill.all_inodes()
    await_alarm(victim, "disk_full", 5)
    run.rest(5, 8)
    run.gap(load, since, ms_max=2000)
    free_and_recover(run, [victim], [fill])
    run.settle(cluster, load)


# Rule for the shim, and what the last line of the process has to name.
FAILURES = (
    ("sync log/db fail:EIO once", ("fdatasync", "log/db")),
    ("sync log/db fail:EIO", ("fdatasync", "log/db")),
    ("sync META fail:EIO once", ("fdatasync", "META")),
    ("write log/db fail:EIO once", ("write", "log/db")),
    ("write log/db short", ("write", "log/db")),
    ("write log/db fail:ENOSPC", ("write", "log/db")),
    ("write LOG.end fail:EIO once", ("write", "LOG.end")),
)


@row(29, "EIO on fsync or write", seconds=60, ci=TURNS, runs=5)
def failing_disk(run):
    one_node_acknowledges_nothing_more(run)
    cluster = run.cluster(start=False)
    disks = {node: BadDisk(node) for node in cluster.nodes}
    run.begin(cluster)
    load = run.load(cluster)
    failures = list(FAILURES)
    run.rng.shuffle(failures)
    for number, (rule, named) in enumerate(failures if run.full else failures[:3]):
        run.rest(1, 2)
        leader = cluster.leader()
        victim = leader if number % 2 == 0 else cluster.others(leader)[0]
        since = run.fault(f"{rule} on {victim.name}")
        ends_with_storage(run, victim, disks[victim], rule, named)
        cluster.leader(among=cluster.others(victim))
        run.rest(1)
        run.gap(load, since, ms_max=5000)
        disks[victim].heal()
        victim.start()
        cluster.await_ready()
    run.settle(cluster, load)


def one_node_acknowledges_nothing_more(run):
    """With one node nobody else's copy hides an acknowledgement that should not have been given."""
    cluster = run.cluster(1, start=False, name="alone")
    node = cluster.nodes[0]
    disk = BadDisk(node)
    run.begin(cluster)
    load = run.load(cluster, applications=4, instances=10)
    for rule, named in (("sync log/db fail:EIO once", ("fdatasync", "log/db")), ("sync META fail:EIO once", ("fdatasync", "META"))):
        run.rest(1, 2)
        run.fault(f"{rule} on a node alone")
        failed_at = ends_with_storage(run, node, disk, rule, named)
        late = [w for w in load.history.writes if w.outcome == ACKED and w.started > failed_at]
        run.silent([f"a write of {w.key} that began after the disk had failed was acknowledged" for w in late])
        tries = [event for event in disk.events() if event[0] >= failed_at and event[3] == "failed"]
        run.expect(len(tries) == 1, f"{rule}: the disk refused {len(tries)} times")
        disk.heal()
        node.start()
        cluster.await_ready()
    run.settle(cluster, load)
    cluster.kill_all()


@row(36, "slow disk: 300 ms a sync", seconds=70, ci=TURNS, runs=3)
def slow_disk(run):
    cluster = run.cluster(start=False)
    disks = {node: BadDisk(node) for node in cluster.nodes}
    run.begin(cluster)
    # Few enough that six clients can renew them all in time while each renewal takes 600 ms.
    load = run.load(cluster, applications=5, instances=10)
    run.rest(5)
    leader = cluster.leader()
    follower = cluster.others(leader)[0]
    before = median_ms(load, time.monotonic() - 4, time.monotonic())
    since = run.fault(f"300 ms a sync on {follower.name}, a follower")
    disks[follower].rule("sync * delay:300")
    run.rest(8)
    during = median_ms(load, since, time.monotonic())
    run.note(f"p50 of a write {before:.0f} ms, with a slow follower {during:.0f} ms")
    # A small absolute part: on an idle disk both are a few milliseconds, and the machine is shared.
    run.expect(during <= 2 * before + 20, f"a slow follower made writes take {during:.0f} ms instead of {before:.0f} ms")
    disks[follower].heal()
    run.rest(2)
    leader = cluster.leader()
    since = run.fault(f"300 ms a sync on {leader.name}, the leader")
    disks[leader].rule("sync * delay:300")
    successor = await_another_leader(cluster, leader, 25)
    run.note(f"{successor.name} took over after {time.monotonic() - since:.1f} s")
    await_alarm(leader, "slow_disk", 5)
    run.rest(3)
    run.expect(cluster.leader() is not leader, f"{leader.name} leads again on a slow disk")
    disks[leader].heal()
    await_no_alarm(leader, "slow_disk", 30)
    run.settle(cluster, load)


@row(37, "hung disk on the leader", seconds=40, ci=TURNS, runs=5)
def hung_leader(run):
    cluster = run.cluster(start=False)
    disks = {node: BadDisk(node) for node in cluster.nodes}
    run.begin(cluster)
    load = run.load(cluster)
    run.rest(1, 3)
    leader = cluster.leader()
    since = run.fault(f"no sync of {leader.name}, the leader, ends any more")
    disks[leader].rule("sync * hang")
    successor = await_another_leader(cluster, leader, 10, among=cluster.others(leader))
    run.note(f"{successor.name} took over after {time.monotonic() - since:.1f} s")
    code = leader.await_exit(20)
    took = time.monotonic() - since
    run.expect(code == EXIT_STORAGE, f"{leader.name} ended with {code}, not {EXIT_STORAGE}: {leader.last_line()}")
    run.expect("hangs" in leader.last_line(), f"the last line does not say that the disk hangs: {leader.last_line()}")
    run.expect(took <= 14, f"{leader.name} ended {took:.1f} s after its disk hung")
    run.rest(1)
    run.gap(load, since, ms_max=5000)
    disks[leader].heal()
    leader.start()
    run.settle(cluster, load)


@row(38, "hung disk on a follower, then on all", seconds=60, ci=TURNS, runs=5)
def hung_follower_then_all(run):
    cluster = run.cluster(start=False)
    disks = {node: BadDisk(node) for node in cluster.nodes}
    run.begin(cluster)
    load = run.load(cluster)
    run.rest(1, 2)
    follower = cluster.followers()[0]
    since = run.fault(f"no sync of {follower.name}, a follower, ends any more")
    disks[follower].rule("sync * hang")
    run.rest(4)
    run.gap(load, since, ms_max=1000)
    disks[follower].heal()
    cluster.await_ready()
    run.rest(1)
    before = {node: (len(os.listdir(f"/proc/{node.process.pid}/fd")), node.resident_bytes()) for node in cluster.nodes}
    run.fault("no sync of any node ends any more")
    # Within the 10 s after which a node gives up, or beyond: then somebody has to start it again.
    seconds = 15 if run.full and run.rng.random() < 0.5 else 7
    began = time.monotonic()
    for disk in disks.values():
        disk.rule("sync * hang")
    run.rest(3)
    # All at once: one after the other they would be asked until the nodes give up.
    with concurrent.futures.ThreadPoolExecutor() as clients:
        list(clients.map(lambda node: refused_in_time(run, node), cluster.nodes))
    for node, (files, memory) in before.items():
        if node.running:
            now = len(os.listdir(f"/proc/{node.process.pid}/fd"))
            run.expect(now <= files + 100, f"{node.name} has {now} open files, before it had {files}")
            grown = (node.resident_bytes() - memory) >> 20
            run.expect(grown <= 100, f"{node.name} took {grown} MiB of memory while its disk hung")
    if seconds > 10:
        for node in cluster.nodes:
            code = node.await_exit(20)
            run.expect(code == EXIT_STORAGE, f"{node.name} ended with {code}, not {EXIT_STORAGE}")
    else:
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    healed = time.monotonic()
    for disk in disks.values():
        disk.heal()
    cluster.start()
    cluster.await_ready(30)
    took = time.monotonic() - healed
    run.expect(took <= 10, f"ready {took:.1f} s after the disks came back; 10 s are allowed")
    run.settle(cluster, load)


class Fill:
    """A file that takes the room of a node's disk, and files that take its inodes."""

    def __init__(self, node):
        self.node = node
        self._directory = node.data.parent / "filler"
        self._directory.mkdir()
        self._file = open(self._directory / "bytes", "wb", buffering=0)

    def until_state(self, run, state, seconds_max=60):
        """Fills, at the speed of a careless log, until the node says that its disk is `low` or `full`."""
        deadline = time.monotonic() + seconds_max
        order = ["ok", "low", "full"]
        while order.index(self.node.status()["disk"]["state"]) < order.index(state):
            if time.monotonic() > deadline:
                raise CheckFailed(f"{self.node.name} does not call its disk {state}: {self.node.status()['disk']}")
            with contextlib.suppress(OSError):
                self._file.write(bytes(FILL_BYTES))
            time.sleep(FILL_PAUSE_SECONDS)

    def to_the_brim(self):
        """Takes everything that is left, at one go: what is given back after that is the node's."""
        while True:
            volume = os.statvfs(self._directory)
            free = volume.f_bavail * volume.f_frsize
            if free == 0:
                return
            with contextlib.suppress(OSError):
                os.posix_fallocate(self._file.fileno(), os.fstat(self._file.fileno()).st_size, free)
                return

    def all_inodes(self):
        with contextlib.suppress(OSError):
            for number in range(100_000):
                open(self._directory / f"{number}", "w").close()

    def remove(self):
        self._file.close()
        for entry in list(self._directory.glob("*")):
            entry.unlink(missing_ok=True)


def on_small_disks(run, victims, inodes=None):
    """A cluster of which so many nodes have 100 MB of disk each, which is memory."""
    cluster = run.cluster(start=False)
    for node in cluster.nodes[:victims]:
        node.data = run.tmpfs(f"{node.name}-disk", "100m", inodes) / "data"
    return run.begin(cluster), cluster.nodes[:victims]


def cut_power(directory):
    root = os.open(directory, os.O_RDONLY)
    try:
        fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_LOG_FLUSH))
    finally:
        os.close(root)


def move_leader(cluster, node):
    """Has another node lead; returns `node`, which does not any more."""
    node.pause()
    cluster.leader(among=cluster.others(node))
    node.resume()
    await_another_leader(cluster, node, 10)
    return node


def await_another_leader(cluster, node, seconds_max, among=None):
    def probe():
        asked = among or cluster.running()
        named = {each.status()["cluster"]["leader"] for each in asked}
        leader = next((each for each in cluster.nodes if named == {each.name}), None)
        require(leader not in (None, node), f"{', '.join(map(str, named))} is named")
        return leader

    return eventually(f"another node than {node.name} leads", Within(seconds_max), probe)


def await_alarm(node, kind, seconds_max):
    def probe():
        up = [alarm["alarm"] for alarm in node.status()["alarms"]]
        require(kind in up, f"alarms {up}")

    eventually(f"{node.name} raises {kind}", Within(seconds_max), probe)


def await_no_alarm(node, kind, seconds_max):
    def probe():
        up = [alarm["alarm"] for alarm in node.status()["alarms"]]
        require(kind not in up, f"alarms {up}")

    eventually(f"{node.name} clears {kind}", Within(seconds_max), probe)


def ends_with_storage(run, node, disk, rule, named):
    """Lets the disk fail; judges how the node ends: when, with what code and what last line. Returns the moment of the failure."""
    known = len(disk.events())
    disk.rule(rule)

    def probe():
        first = [event for event in disk.events()[known:] if event[3] in ("failed", "cut short")]
        require(first, "the disk was not asked yet")
        return first[0][0]

    failed_at = eventually(f"a call of {node.name} fails", Within(15), probe)
    code = node.await_exit(10)
    took = time.monotonic() - failed_at
    run.expect(code == EXIT_STORAGE, f"{node.name} ended with {code}, not {EXIT_STORAGE}: {node.last_line()}")
    run.expect(took <= FAIL_STOP_SECONDS_MAX, f"{node.name} ended {took:.1f} s after its disk had failed")
    line = node.last_line()
    run.expect(all(word in line for word in named), f"the last line does not name {' and '.join(named)}: {line}")
    return failed_at


def free_and_recover(run, nodes, fills):
    """Gives the room back; a node that had ended is started again, as a supervisor would. By itself all is well in 30 s."""
    for node in nodes:
        if not node.running:
            code = node.await_exit(1)
            run.expect(code == EXIT_STORAGE, f"{node.name} ended with {code}, not {EXIT_STORAGE}: {node.last_line()}")
            run.note(f"{node.name} had ended with {code}")
    for fill in fills:
        fill.remove()
    freed = time.monotonic()
    for node in nodes:
        if not node.running:
            node.start()

    def probe():
        for node in nodes:
            disk = node.status()["disk"]
            require(disk["state"] == "ok" and not disk["growth_refused"], f"{node.name} says {disk}")
            require(register(node, f"freed-{node.name}").status == 204, f"{node.name} refuses a registration")

    eventually("all is well after room was made", Within(30), probe)
    run.note(f"recovered {time.monotonic() - freed:.1f} s after room was made")


def register(node, name):
    value = int(time.time() * 1000)
    return node.ask("POST", "/eureka/apps/ROOM", document_of("ROOM", name, value, 86_400))


def refused_for_want_of_room(run, node):
    answer = register(node, f"full-{node.name}")
    seen = (answer.status, answer.headers.get("x-eureka-raft-outcome"), answer.headers.get("x-eureka-raft-reason"))
    run.expect(seen == (503, "not-executed", "disk-full"), f"{node.name} answered {seen} to a registration with all disks full")


def goes_on(run, node, method, path, allowed):
    try:
        status = node.ask(method, path).status
    except (NotSent, NoAnswer) as failure:
        status = str(failure)
    run.expect(status in allowed, f"{node.name} answered {status} to {method} {path} with all disks full")


def refused_in_time(run, node):
    began = time.monotonic()
    try:
        status = register(node, f"hung-{node.name}").status
    except NoAnswer:
        status = None
    took = time.monotonic() - began
    run.expect(status == 503 and took <= 5, f"{node.name} answered {status} after {took:.1f} s while all disks hung")


def median_ms(load, since, until):
    """Of acknowledged writes that began between the two."""
    took = [(w.ended - w.started) * 1000 for w in load.history.writes if w.outcome == ACKED and since <= w.started <= until]
    return statistics.median(took) if took else float("inf")
