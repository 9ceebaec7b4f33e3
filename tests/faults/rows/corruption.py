"""Disks that lie: damaged, torn, older, foreign and lost files. Rows 30 to 33, 40 and 41.

Rows 31 to 33 damage copies of the directory of a node that is alone, so that nobody can give back what it lost: it has to open
with everything it acknowledged, or to refuse with 74 or 77 and name the file.
"""

import collections
import shutil
import time

from runner.waiting import CheckFailed, Within, eventually, require

from ..bad_disk import BadDisk
from ..http1 import NoAnswer, NotSent
from ..load import document_of
from ..network import PEER_PORT
from ..row import TURNS, row

EXIT_STORAGE, EXIT_IDENTITY = 74, 77
# No start may take longer, whatever the disk holds.
HANG_SECONDS = 10
POLL_SECONDS = 0.02
LEASE_S = 86_400
APPLICATION = "KEPT"
PAGE = 4096
NAMES = ("META", "LOG.end", "PEERS", "log/", "snapshots", "LOCK")
# Snapshots, purges and sled's own files within some hundred writes.
LOW_POLICY = ["raft.snapshot_every_entries=150", "raft.keep_entries=100"]
# The same, but the log reaches back to the last snapshot but one.
LONG_LOG = ["raft.snapshot_every_entries=150", "raft.keep_entries=1000"]
WORKERS = 4


class Recording:
    """A node alone that has lived: its directory at some moments, and what it had acknowledged by then."""

    def __init__(self, run, settings):
        self.cluster = run.cluster(WORKERS, settings=settings, start=False)
        self.node = self.cluster.nodes[0]
        self.directory = run.directory / "moments"
        self.directory.mkdir()
        for worker in self.cluster.nodes:
            # All of them stand for the one node; they never run on the same directory.
            alone = f'{{ name = "node-1", peer = "{worker.address}:{PEER_PORT}" }}'
            worker.settings = ['node.name="node-1"', f"cluster.initial_members=[{alone}]"]
        self._acked = {}
        self.moments = {}

    def live(self, rounds=3, writes=120):
        """Writes, stops and starts. The last two moments are "killed" and "stopped"."""
        self._start()
        for number in range(rounds):
            self._write(number, writes)
            self._pause_and_copy(f"round-{number}")
            self._write(number + 100, writes // 4)
            self.node.kill() if number % 2 else self.node.stop()
            self._start()
        self._write(200, writes)
        self.node.kill()
        self.copy("killed")
        self._start()
        self.node.stop()
        self.copy("stopped")
        return self

    def _start(self):
        self.node.start()
        self.node.await_ready()

    def _write(self, number, count):
        for n in range(count):
            self.put(f"host-{n % 80:03}", number * 10_000 + n + 1)

    def put(self, instance, value):
        answer = self.node.ask("POST", f"/eureka/apps/{APPLICATION}", document_of(APPLICATION, instance, value, LEASE_S))
        if answer.status != 204:
            raise CheckFailed(f"a node alone answered {answer.status} to a registration")
        self._acked[f"{APPLICATION}/{instance}"] = value

    def _pause_and_copy(self, moment):
        self.node.pause()
        self.copy(moment)
        self.node.resume()

    def copy(self, moment):
        shutil.copytree(self.node.data, self.directory / moment)
        self.moments[moment] = dict(self._acked)

    def path(self, moment):
        return self.directory / moment

    def files(self, moment):
        """The files of a moment that are not empty, by their path in the directory."""
        found = (path for path in self.path(moment).rglob("*") if path.is_file() and path.stat().st_size)
        names = (str(path.relative_to(self.path(moment))) for path in found)
        # What is kept back for a full disk holds nothing.
        return sorted(name for name in names if not name.startswith("ballast/"))


class Case:
    """One damage and what has to be there after it. `change` gets the directory."""

    def __init__(self, kind, moment, what, change, must=None):
        self.kind, self.moment, self.what, self.change = kind, moment, what, change
        # "whole" or "refused" if only that is right.
        self.must = must


def judge_all(run, recording, cases):
    """Starts a node on each damaged copy, some at a time; the tally by kind and verdict."""
    tally = collections.Counter()
    waiting = list(reversed(cases))
    # Not on the first one's address, which is the member's: the others would find a double of themselves there.
    workers = {worker: None for worker in recording.cluster.nodes if worker is not recording.node}
    done = 0
    while waiting or any(workers.values()):
        for worker, under_way in workers.items():
            if under_way is None and waiting:
                workers[worker] = begin(run, recording, worker, waiting.pop(), done)
                done += 1
            elif under_way is not None:
                verdict = look(recording, worker, *under_way)
                if verdict is not None:
                    workers[worker] = None
                    end(run, worker, under_way[0], verdict, tally)
        time.sleep(POLL_SECONDS)
    kinds = sorted({kind for kind, _ in tally})
    run.note("; ".join(f"{kind}: " + ", ".join(f"{tally[kind, v]} {v}" for v in ("whole", "refused") if tally[kind, v]) for kind in kinds))
    return tally


def begin(run, recording, worker, case, number):
    worker.data = run.directory / f"case-{number}"
    worker.log = run.directory / f"case-{number}.log"
    shutil.copytree(recording.path(case.moment), worker.data)
    case.change(worker.data)
    run.fault(f"{case.kind}: {case.what}")
    worker.start()
    return case, time.monotonic()


def look(recording, worker, case, began):
    """None while nothing can be said; else ("whole" | "refused" | "lost" | "wrong", sentence)."""
    if not worker.running:
        # As it should be, or judged by its words.
        worker.wanted = False
        return judge_exit(worker)
    if is_ready(worker):
        return judge_state(recording.moments[case.moment], worker)
    if time.monotonic() - began > HANG_SECONDS:
        return "wrong", f"it was neither ready nor ended after {HANG_SECONDS} s"
    return None


def is_ready(worker):
    try:
        return worker.ask("GET", "/readyz", seconds_max=1).status == 200
    except (NotSent, NoAnswer):
        return False


def judge_exit(worker):
    code, words = worker.process.exit_code, worker.last_line()
    if code not in (EXIT_STORAGE, EXIT_IDENTITY):
        return "wrong", f"it ended with {code}: {words}"
    if not any(name in words for name in NAMES):
        return "wrong", f"it names no file: {words}"
    return "refused", words


def judge_state(acked, worker):
    try:
        found = worker.registry([APPLICATION], "linearizable")
    except (NotSent, NoAnswer):
        # It may have met the damage only now, and ended.
        if worker.process.wait(HANG_SECONDS) is None:
            return "wrong", "it answered no read and did not end"
        worker.wanted = False
        return judge_exit(worker)
    missing = [key for key, value in acked.items() if found.get(key, 0) < value]
    if missing:
        return "lost", f"{len(missing)} of {len(acked)} acknowledged writes are gone, as {missing[0]}"
    return "whole", ""


def end(run, worker, case, verdict, tally):
    kind, sentence = verdict
    tally[case.kind, kind] += 1
    if worker.running:
        worker.kill()
    described = f"{case.kind}, {case.what} ({case.moment}): {sentence}"
    if kind == "lost":
        run.lost([described])
    elif kind == "wrong" or (case.must and case.must != kind):
        run.wrong([f"{described or kind}{f' (must be {case.must})' if case.must else ''}"])
    else:
        run.outcome.acked += 1
        worker.log.unlink(missing_ok=True)
    shutil.rmtree(worker.data)


def flip(file, bit):
    def change(directory):
        path = directory / file
        content = bytearray(path.read_bytes())
        content[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(content)

    return change


def cut(file, length):
    def change(directory):
        with open(directory / file, "r+b") as opened:
            opened.truncate(length)

    return change


def zero_page(file, page):
    def change(directory):
        path = directory / file
        content = bytearray(path.read_bytes())
        end_of_page = min(len(content), (page + 1) * PAGE)
        content[page * PAGE : end_of_page] = bytes(end_of_page - page * PAGE)
        path.write_bytes(content)

    return change


def remove(name):
    def change(directory):
        path = directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return change


def replace(names, source):
    def change(directory):
        for name in names:
            remove(name)(directory)
            if (source / name).is_dir():
                shutil.copytree(source / name, directory / name)
            elif (source / name).exists():
                shutil.copy(source / name, directory / name)

    return change


def stray(name, content):
    def change(directory):
        (directory / name).write_bytes(content)

    return change


@row(32, "flipped bits and other damage to each kind of file", seconds=60, ci=TURNS, runs=1)
def flipped_bits(run):
    recording = Recording(run, LOW_POLICY).live()
    flips = 150 if run.full else 2
    cases = []
    for moment in ("killed", "stopped") if run.full else (run.rng.choice(("killed", "stopped")),):
        for file in recording.files(moment):
            size = recording.path(moment).joinpath(file).stat().st_size
            bits = (run.rng.randrange(size * 8) for _ in range(flips))
            cases += [Case(kind_of(file), moment, f"{file} bit {bit} flipped", flip(file, bit)) for bit in bits]
            lengths = {0, 1, 16, size // 2, size - 1, max(0, size - PAGE)} if run.full else {run.rng.randrange(size)}
            cases += [Case(kind_of(file), moment, f"{file} cut to {n}", cut(file, n)) for n in sorted(lengths) if n < size]
            pages = run.rng.sample(range(-(-size // PAGE)), min(-(-size // PAGE), 20 if run.full else 1))
            cases += [Case(kind_of(file), moment, f"{file} page {p} zeroed", zero_page(file, p)) for p in pages]
            cases.append(Case(kind_of(file), moment, f"{file} removed", remove(file)))
            for older in ["round-0", "round-2"] if run.full else ["round-1"]:
                if (recording.path(older) / file).exists():
                    change = replace([file], recording.path(older))
                    cases.append(Case(kind_of(file), moment, f"{file} as in {older}", change))
        for name in ("stray", "log/stray", "log/snap.FFFFFFFFFFFFFFFF", "log/blobs/7", "snapshots/9-99999-00000000000000ff.snap"):
            cases.append(Case("stray file", moment, name, stray(name, b"\xa5" * 5000)))
        for names in (("META.a", "META.b"), ("log",), ("META.a", "META.b", "LOG.end"), ("log", "snapshots")):
            change = replace(names, recording.path("round-1"))
            cases.append(Case("two moments", moment, f"{'+'.join(names)} of an older moment", change))
    judge_all(run, recording, cases)


def kind_of(file):
    if file.startswith("log/snap."):
        return "log/snap"
    return "snapshot" if file.startswith("snapshots/") else file


@row(31, "torn write at every byte of the last write", seconds=40, ci=TURNS, runs=1)
def torn_writes(run):
    recording = Recording(run, LOW_POLICY).live(rounds=1)
    node = recording.node
    recording._start()
    recording._pause_and_copy("before")
    recording.put("host-000", 9_000_000)
    recording._pause_and_copy("after")
    node.kill()
    # What was acknowledged before the write that tears.
    cases = []
    for file in ("log/db", "META.a", "META.b"):
        before, after = ((recording.path(moment) / file).read_bytes() for moment in ("before", "after"))
        changed = [at for at in range(len(after)) if at >= len(before) or before[at] != after[at]]
        if not changed:
            continue
        first, last = changed[0], changed[-1] + 1
        places = range(first, last + 1)
        if not run.full:
            places = sorted(run.rng.sample(places, min(25, len(places))))
        run.note(f"{file}: {last - first} bytes from {first}, torn at {len(places)} of them")
        for at in places:
            torn = after[:at] + before[at:]
            cases.append(Case(file, "before", f"{file} torn at byte {at}", stray(file, torn), must="whole"))
    judge_all(run, recording, cases)


@row(33, "truncated, empty, swapped and misplaced snapshots", seconds=25, ci=TURNS, runs=3)
def bad_snapshots(run):
    recording = Recording(run, LONG_LOG).live()
    moment = "killed"
    snapshots = [file for file in recording.files(moment) if file.endswith(".snap")]
    snapshots.sort(key=lambda file: int(file.split("-")[1]))
    run.expect(len(snapshots) == 2, f"two snapshots are kept, not {snapshots}")
    newest, oldest = snapshots[-1], snapshots[0]
    size = (recording.path(moment) / newest).stat().st_size
    swapped = (recording.path(moment) / oldest).read_bytes()
    harms = {"empty": cut(newest, 0), "truncated": cut(newest, size // 2), "one byte short": cut(newest, size - 1)}
    harms |= {"flipped": flip(newest, run.rng.randrange(size * 8)), "removed": remove(newest), "another's content": stray(newest, swapped)}
    cases = [Case("newest snapshot", moment, what, change, must="whole") for what, change in harms.items()]

    def both(directory):
        for file in snapshots:
            cut(file, 10)(directory)

    # The log still begins behind the first snapshots, so an older one and the log hold everything, or nobody does.
    cases.append(Case("both snapshots", moment, "truncated", both))
    cases.append(Case("snapshots/", moment, "removed", remove("snapshots")))
    older = recording.path("round-0")
    cases.append(Case("older than the purge", moment, "snapshots of an older moment", replace(["snapshots"], older)))
    # Of a later term than any vote: it did not come in on this directory as it is.
    later = replace(["snapshots"], recording.path(moment))
    cases.append(Case("newer than META", "round-0", "snapshots of a later moment", later, must="refused"))
    # As a snapshot that came in just before the node ended.
    names = ["snapshots", "META.a", "META.b"]
    later = replace(names, recording.path(moment))
    cases.append(Case("newer than the log", "round-0", "+".join(names) + " of a later moment", later, must="refused"))
    judge_all(run, recording, cases)


@row(30, "a leader cannot read what a follower needs", seconds=60, ci=TURNS, runs=2)
def unreadable_while_serving(run):
    cluster = run.cluster(settings=["raft.snapshot_every_entries=200", "raft.keep_entries=20"], start=False)
    disks = {node: BadDisk(node) for node in cluster.nodes}
    run.begin(cluster)
    load = run.load(cluster)
    leader = cluster.leader()
    behind = cluster.followers()[0]
    behind.kill()
    left = leader.status()["log"]["applied"]

    def purged():
        require(leader.status()["log"]["purged"] > left + 50, "not purged yet")

    eventually("the leader no longer has the entries that the follower lacks", Within(60), purged)
    disks[leader].rule("read snapshots fail:EIO")
    run.fault(f"{leader.name}, which leads, gets EIO when it reads its snapshot")
    behind.start()
    since = time.monotonic()
    code = leader.await_exit(20)
    run.expect(code == EXIT_STORAGE, f"{leader.name} ended with {code}, not {EXIT_STORAGE}: {leader.last_line()}")
    run.gap(load, since, ms_max=15_000)
    behind.await_ready()
    run.expect(cluster.leader() is not leader, "the cluster went on without it")
    # And a start on such a disk refuses.
    leader.start()
    code = leader.await_exit(20)
    run.expect(code == EXIT_STORAGE, f"a start on an unreadable disk ended with {code}: {leader.last_line()}")
    disks[leader].rule("read log/db fail:EIO")
    leader.start()
    code = leader.await_exit(20)
    run.expect(code == EXIT_STORAGE, f"a start on an unreadable log ended with {code}: {leader.last_line()}")
    disks[leader].heal()
    leader.start()
    run.settle(cluster, load)


@row(40, "a lost directory, and the leader killed at once", seconds=30, ci=TURNS, runs=5)
def lost_directory(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(2, 4)
    leader = cluster.leader()
    victim, other = cluster.others(leader)
    run.fault(f"{victim.name} loses its directory and {leader.name}, which leads, is killed")
    victim.kill()
    leader.kill()
    kept = victim.data.with_name("kept")
    shutil.copytree(victim.data, kept)
    victim.wipe()
    victim.start()
    code = victim.await_exit(20)
    run.expect(code == EXIT_IDENTITY, f"{victim.name} ended with {code}, not {EXIT_IDENTITY}: {victim.last_line()}")
    expect_alarm(run, [other], victim)
    # Alone it may not lead: unavailable rather than wrong.
    try:
        answer = other.ask("POST", "/eureka/apps/ALONE", document_of("ALONE", "x", 1, LEASE_S))
        run.expect(answer.status == 503, f"a node alone of three answered {answer.status} to a write")
    except (NotSent, NoAnswer):
        pass
    leader.start()
    for node in (leader, other):
        node.await_ready()
    victim.wipe()
    victim.data.rmdir()
    kept.rename(victim.data)
    victim.start()
    run.settle(cluster, load)
    no_alarm(run, cluster)


@row(41, "an old copy of a directory is put back", seconds=35, ci=TURNS, runs=5)
def old_copy(run):
    cluster = run.cluster()
    load = run.load(cluster)
    victim = run.rng.choice(cluster.followers())
    run.rest(1, 2)
    old = victim.data.with_name("old")
    victim.pause()
    shutil.copytree(victim.data, old)
    victim.resume()
    run.rest(4, 6)
    victim.kill()
    newest = victim.data.with_name("newest")
    victim.data.rename(newest)
    shutil.copytree(old, victim.data)
    run.fault(f"{victim.name} comes back with a copy that is seconds old")
    victim.start()
    expect_gone_back(run, cluster, victim)
    for node in cluster.others(victim):
        node.kill()
    shutil.rmtree(victim.data)
    shutil.copytree(old, victim.data)
    run.fault("the same, while all the others are started anew")
    for node in cluster.nodes:
        node.start()
    expect_gone_back(run, cluster, victim)
    shutil.rmtree(victim.data)
    newest.rename(victim.data)
    victim.start()
    run.settle(cluster, load)
    no_alarm(run, cluster)


def expect_gone_back(run, cluster, victim):
    code = victim.await_exit(20)
    run.expect(code == EXIT_IDENTITY, f"{victim.name} ended with {code}, not {EXIT_IDENTITY}: {victim.last_line()}")
    expect_alarm(run, cluster.others(victim), victim)


def alarms_about(nodes, victim):
    found = []
    for node in nodes:
        found += [alarm for alarm in node.status()["alarms"] if alarm["alarm"] == "identity" and alarm["node"] == victim.name]
    return found


def expect_alarm(run, nodes, victim):
    def probe():
        require(alarms_about(nodes, victim), "no alarm")

    eventually(f"the alarm identity about {victim.name}", Within(10), probe)


def no_alarm(run, cluster):
    def probe():
        for node in cluster.nodes:
            require(not alarms_about(cluster.nodes, node), f"an alarm about {node.name}")

    eventually("the alarm is gone when the right disk is back", Within(10), probe)
