"""A quorum lost for good, and a restored cluster beside the old one: rows 49 and 50."""

import shutil
import subprocess
import time

from ..load import document_of
from ..row import TURNS, row
from ..settle import judge

# From the first command to the first acknowledged write.
HANDS_ON_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 60
# `recover force` is killed so often before it is let end.
KILLS = 8
ENDED_SECONDS_MAX = 20


def command(run, *words):
    """Runs a command of the product to its end."""
    return subprocess.run([run.binary, *words], capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX)


def force_words(node, *more):
    return ["recover", "force", "--data-dir", str(node.data), "--name", node.name, *more]


def kill_while_it_works(run, words, seconds):
    """Starts a command and ends it with SIGKILL after so many seconds. Whether it was still under way."""
    process = subprocess.Popen([run.binary, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


@row(49, "two of three disks are gone: recover force, killed at random moments", seconds=40, ci=TURNS, runs=5)
def quorum_lost(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(3, 4)
    load.stop()
    cluster.await_equal_state()
    survivor, old, gone = run.rng.sample(cluster.nodes, 3)
    before = survivor.status()["cluster"]["id"]
    cluster.kill_all()
    kept = run.directory / "old-copy"
    shutil.copytree(old.data, kept)
    since = run.fault(f"the disks of {old.name} and {gone.name} are gone")
    for node in (old, gone):
        node.wipe()
    asked = command(run, *force_words(survivor))
    run.expect(asked.returncode == 64, f"without consent it ended with {asked.returncode}")
    run.expect("lost for good" in asked.stdout, "it does not say what may be lost")
    consented = force_words(survivor, "--accept-data-loss")
    # Later and later, as it may be done in some milliseconds, and then there is nothing left to kill.
    moments = [run.rng.uniform(0, 0.004 * (turn + 1)) for turn in range(KILLS)]
    killed = sum(kill_while_it_works(run, consented, moment) for moment in moments)
    run.expect(killed > 0, f"recover force was done before any of {KILLS} kills: nothing was shown")
    done = command(run, *consented)
    # An earlier run may have come to its end: then this node is its cluster's only voter already.
    over = done.returncode == 0 or "only voter" in done.stderr
    run.expect(over, f"recover force ended with {done.returncode}: {done.stderr.strip()}")
    survivor.start()
    survivor.await_ready()
    answer = survivor.ask("POST", "/eureka/apps/FRESH", document_of("FRESH", "after", 1, 3600))
    took = time.monotonic() - since
    run.expect(answer.status == 204, f"the first write was answered {answer.status}")
    run.expect(took <= HANDS_ON_SECONDS_MAX, f"hands-on {took:.0f} s; at most {HANDS_ON_SECONDS_MAX} s are allowed")
    run.note(f"killed {killed} of {KILLS} times, hands-on {took:.1f} s")
    run.expect(survivor.status()["cluster"]["id"] != before, "it is still the old cluster")
    judge(run, cluster, load)
    never_again(run, old, kept)


def never_again(run, old, kept):
    """An old node, whose disk turns up after all, ends when it meets what its cluster became."""
    for entry in kept.iterdir():
        shutil.move(str(entry), old.data / entry.name)
    old.start()
    code = old.await_exit(ENDED_SECONDS_MAX)
    run.expect(code == 77, f"{old.name} of the old cluster ended with {code}: {old.last_line()}")
    run.expect("recover force" in old.last_line(), f"its last line gives no hint: {old.last_line()}")


@row(50, "a backup is restored while the old cluster runs", seconds=30, ci=TURNS, runs=5)
def restored_beside(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(2, 3)
    source = run.rng.choice(cluster.nodes)
    cursor = source.status()["state"]["index"]
    backup = run.directory / "backup.snap"
    began = time.monotonic()
    saved = command(run, "snapshot", "save", str(backup), "--server", f"http://{source.address}:{source.http_port}")
    run.expect(saved.returncode == 0, f"snapshot save: {saved.stderr.strip()}")
    run.note(f"saved {backup.stat().st_size} bytes under load in {time.monotonic() - began:.2f} s")
    restored = restore(run, cluster, backup)
    run.fault(f"{restored.name} runs on a backup of the cluster beside it")
    ours, theirs = source.status()["cluster"], restored.status()["cluster"]
    run.expect(ours["id"] != theirs["id"], "both say that they are one cluster")
    run.expect((ours["voters"], theirs["voters"]) == (3, 1), f"{ours['voters']} and {theirs['voters']} voters")
    run.rest(2)
    no_cross_talk(run, source, restored)
    for since in (0, cursor, cursor + 1):
        status = restored.ask("GET", f"/eureka/apps/delta?since={since}").status
        run.expect(status == 410, f"the old cursor {since} was answered {status}, not 410")
    restored.stop()
    run.settle(cluster, load)


def restore(run, cluster, backup):
    node = cluster.add_node()
    url = f"http://{node.address}:{node.http_port}"
    words = ["snapshot", "restore", str(backup), "--data-dir", str(node.data), "--name", node.name]
    done = command(run, *words, "--peer-addr", node.peer, "--http-addr", url)
    run.expect(done.returncode == 0, f"snapshot restore: {done.stderr.strip()}")
    node.start()
    node.await_ready()
    return node


def no_cross_talk(run, ours, theirs):
    """What is written to one is nowhere in the other, although each could reach it."""
    for node, other in ((ours, theirs), (theirs, ours)):
        name = f"ONLY-{node.name}".upper()
        status = node.ask("POST", f"/eureka/apps/{name}", document_of(name, "here", 1, 3600)).status
        run.expect(status == 204, f"{node.name} answered a registration with {status}")
        status = other.ask("GET", f"/eureka/apps/{name}").status
        run.expect(status == 404, f"{other.name} answered {status} for what was written to the other cluster")
    named = {node.ask("GET", "/eureka/apps").headers.get("x-eureka-raft-cluster") for node in (ours, theirs)}
    run.expect(len(named) == 2, f"clients are told of the clusters {named}")
