"""Members that lose their disk, are copied, come, go and are replaced: rows 39 and 42 to 48."""

import json
import shutil
import subprocess
import threading
import time

from runner.waiting import CheckFailed, Within, eventually, require

from ..http1 import NoAnswer, NotSent
from ..row import row

EXIT_REMOVED = 76
EXIT_IDENTITY = 77
EXIT_CONFIGURATION = 78
# By when members are uniform after the leader died in the middle of a change.
UNIFORM_SECONDS_MAX = 30
# By when a lost disk is replaced by following the runbook.
REPLACED_SECONDS_MAX = 120
# Refusals that pass by themselves while a leader is missing or a learner is behind.
PASSING = ("change_in_progress", "no_leader", "unknown_outcome", "not_caught_up", "not_alive", "quorum_at_risk")


def order(node, path, **body):
    """One order: (status, document)."""
    answer = node.ask("POST", path, json.dumps(body).encode() if body else None)
    return answer.status, answer.json()


def order_done(node, path, had_been=(), seconds_max=UNIFORM_SECONDS_MAX, **body):
    """Repeats an order until it is done, or one of the codes `had_been` says that it was."""

    def probe():
        status, said = order(node, path, **body)
        if said.get("code") in had_been:
            return said
        refused = said.get("code")
        if refused and refused not in PASSING:
            raise CheckFailed(f"{path} {body} was refused: {status} {said}")
        require(said.get("done"), f"{status} {said}")
        return said

    return eventually(f"{path} {body} is done", Within(seconds_max), probe)


def refused(run, node, path, code, **body):
    """The order is refused for that reason, and says what to do."""
    status, said = order(node, path, **body)
    run.expect(said.get("code") == code, f"{path} {body} was answered {status} {said}, not {code}")
    run.expect(bool(said.get("hint")), f"{path} {body} was refused without a hint")


def rows_of(node):
    return node.ask("GET", "/v1/members").json()["members"]


def id_of(node, name):
    return next(member["id"] for member in rows_of(node) if member["name"] == name)


def await_voters(cluster, names, seconds_max=UNIFORM_SECONDS_MAX):
    """Until every running node knows exactly these voters, and a leader among them."""

    def probe():
        for node in cluster.running():
            members = rows_of(node)
            voters = sorted(member["name"] for member in members if member["role"] != "learner")
            require(voters == sorted(names), f"{node.name} knows {voters}")
            require(any(member["role"] == "leader" for member in members), f"{node.name} knows no leader")

    eventually(f"the voters are {sorted(names)}", Within(seconds_max), probe)


def ends_with(run, node, code, seconds_max=20):
    found = node.await_exit(seconds_max)
    run.expect(found == code, f"{node.name} ended with {found}, not {code}: {node.last_line()}")


def names(nodes):
    return [node.name for node in nodes]


@row(39, "the data directory of a voter is lost", seconds=25, runs=5)
def lost_directory(run):
    """The wiped node never votes: the term stays, and the cluster does not notice. Then the runbook brings it back."""
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(1, 2)
    victim = run.rng.choice(cluster.followers())
    others = cluster.others(victim)
    term = others[0].status()["cluster"]["term"]
    old = id_of(others[0], victim.name)
    since = run.fault(f"{victim.name} loses its data directory")
    victim.kill()
    victim.wipe()
    victim.start()
    ends_with(run, victim, EXIT_IDENTITY)
    for command in ("recover replace-disk", "members remove"):
        run.expect(command in victim.log_text(), f"{victim.name} does not name `{command}`: {victim.last_line()}")
    run.rest(1)
    run.expect(others[0].status()["cluster"]["term"] == term, "a wiped node made the others elect")
    run.gap(load, since, ms_max=1000)
    began = time.monotonic()
    asked = ",".join(node.url for node in others)
    words = [run.binary, "recover", "replace-disk", "--data-dir", str(victim.data), "--server", asked]
    members = f"cluster.initial_members=[{{ name = \"{victim.name}\", peer = \"{victim.peer}\" }}]"
    words += ["--set", f'node.name="{victim.name}"', "--set", f'node.data_dir="{victim.data}"', "--set", members]
    replaced = subprocess.run(words, capture_output=True, text=True, timeout=REPLACED_SECONDS_MAX, check=False)
    if not run.expect(replaced.returncode == 0, f"replace-disk ended with {replaced.returncode}: {replaced.stderr}"):
        return
    victim.start()
    victim.await_ready(REPLACED_SECONDS_MAX)
    await_voters(cluster, names(cluster.nodes))
    run.expect(id_of(others[0], victim.name) != old, "the old number was given again")
    took = time.monotonic() - began
    run.expect(took <= REPLACED_SECONDS_MAX, f"replacing the disk took {took:.0f} s")
    run.note(f"a voter again {took:.1f} s after the runbook began")
    run.settle(cluster, load)


@row(42, "a directory under another name, in use twice, or copied", seconds=20, runs=3)
def directory_twice(run):
    cluster = run.cluster()
    load = run.load(cluster)
    victim = run.rng.choice(cluster.followers())
    run.fault(f"the directory of {victim.name} is started again, and as another node")
    twin = cluster.add_node()
    twin.name, twin.data = victim.name, victim.data
    twin.start()
    ends_with(run, twin, EXIT_IDENTITY)
    run.expect("in use" in twin.log_text(), f"it does not say that the directory is in use: {twin.last_line()}")
    run.rest(0.5, 1)
    # The victim is killed so that its files stand still while they are copied; the copy is then a moment old.
    victim.kill()
    copy = victim.data.parent / "copy"
    shutil.copytree(victim.data, copy)
    victim.start()
    cluster.await_ready()
    run.rest(2)
    twin.data, twin.name = copy, "node-9"
    twin.start()
    ends_with(run, twin, EXIT_IDENTITY)
    twin.name = victim.name
    twin.start()
    ends_with(run, twin, EXIT_IDENTITY)
    cluster.nodes.remove(twin)
    await_voters(cluster, names(cluster.nodes))
    run.settle(cluster, load)


@row(43, "duplicate name, a removed node that comes back, a node of another cluster", seconds=30, runs=3)
def strangers_join(run):
    cluster = run.cluster()
    load = run.load(cluster)
    first = cluster.nodes[0]
    impostor = cluster.add_node()
    impostor.name = "node-2"
    run.fault("an empty node calls itself node-2")
    impostor.start()
    ends_with(run, impostor, EXIT_IDENTITY)
    await_voters(cluster, ["node-1", "node-2", "node-3"])
    newcomer = impostor
    newcomer.name = "node-4"
    newcomer.wipe()
    newcomer.start()
    await_voters(cluster, ["node-1", "node-2", "node-3", "node-4"])
    run.fault("node-4 is removed and comes back")
    order_done(first, "/v1/members/node-4/remove")
    ends_with(run, newcomer, EXIT_REMOVED)
    newcomer.start()
    ends_with(run, newcomer, EXIT_REMOVED)
    refused(run, first, "/v1/members/node-4/promote", "unknown_member")
    # Empty, alone, and of a cluster of its own by then.
    newcomer.wipe()
    newcomer.settings = ["cluster.join=[]"]
    newcomer.start()
    newcomer.await_ready()
    run.fault("node-4 belongs to another cluster")
    refused(run, first, "/v1/members", "foreign_cluster", name="node-4", peer=newcomer.peer)
    newcomer.kill()
    cluster.nodes.remove(newcomer)
    await_voters(cluster, ["node-1", "node-2", "node-3"])
    run.settle(cluster, load)


@row(44, "the id of a removed node is used again", seconds=30, runs=2)
def id_again(run):
    """The same name comes and goes, with leaders that die in between: no number is seen twice."""
    cluster = run.cluster()
    load = run.load(cluster)
    seen = [member["id"] for member in rows_of(cluster.nodes[0])]
    comer = cluster.add_node()
    run.fault("node-4 comes and goes")
    for turn in range(4 if run.full else 3):
        comer.start()
        await_voters(cluster, ["node-1", "node-2", "node-3", "node-4"])
        seen.append(id_of(cluster.nodes[0], "node-4"))
        leader = cluster.leader()
        order_done(leader, "/v1/members/node-4/remove", had_been=("unknown_member",))
        ends_with(run, comer, EXIT_REMOVED)
        comer.wipe()
        if turn % 2 == 0 and leader is not comer:
            leader.kill()
            leader.start()
            cluster.await_ready()
    run.expect(len(set(seen)) == len(seen), f"a number was given twice: {seen}")
    run.note(f"numbers {seen}")
    cluster.nodes.remove(comer)
    run.settle(cluster, load)


@row(45, "a peer address that is one's own or another node's", seconds=20, runs=3)
def wrong_address(run):
    cluster = run.cluster()
    load = run.load(cluster)
    first, second = cluster.nodes[:2]
    run.fault("a newcomer gives the address of node-1")
    comer = cluster.add_node()
    comer.settings = [f'node.advertise_peer="{first.peer}"']
    comer.start()
    ends_with(run, comer, EXIT_CONFIGURATION)
    run.expect("answers at" in comer.log_text(), f"it does not say who answers there: {comer.last_line()}")
    cluster.nodes.remove(comer)
    for target in (first.peer, second.peer):
        refused(run, cluster.leader(), "/v1/members/node-3/update", "wrong_node", peer=target)
        refused(run, second, "/v1/members", "wrong_node", name="node-7", peer=target)
    refused(run, first, "/v1/members/node-3/update", "unreachable", peer=f"{first.address}:1")
    await_voters(cluster, ["node-1", "node-2", "node-3"])
    run.settle(cluster, load)


@row(46, "two first starts with different lists", seconds=12, runs=5, needs_acked=False)
def two_lists(run):
    """node-2 is in both: the plan it stores first is the only one that is ever complete."""
    cluster = run.cluster(size=3, start=False)
    one, two, three = cluster.nodes

    def listed(*nodes):
        inner = ", ".join(f'{{ name = "{node.name}", peer = "{node.peer}" }}' for node in nodes)
        return f"cluster.initial_members=[{inner}]"

    one.settings, three.settings, two.settings = [listed(one, two)], [listed(three, two)], [listed(one, two)]
    run.fault("node-1 and node-3 both found a cluster with node-2")
    for node in run.rng.sample([one, two, three], 3):
        node.start()
        run.rest(0, 0.2)

    def probe():
        ready = [node for node in (one, three) if node.is_ready()]
        require(ready, "neither is ready")
        return ready

    ready = eventually("one of the two is ready", Within(UNIFORM_SECONDS_MAX), probe)
    run.rest(1.5)
    ready = [node for node in (one, three) if node.running and node.is_ready()]
    run.expect(len(ready) == 1, f"{len(ready)} of two founders are ready")
    mine = ready[0].status()["cluster"]["id"]
    eventually(
        "node-2 belongs to the founded cluster",
        Within(UNIFORM_SECONDS_MAX),
        lambda: require(two.status()["cluster"]["id"] == mine, "another cluster"),
    )
    loser = one if ready[0] is three else three
    loser.wanted = False
    loser.kill()


def given_aside(node, path, **body):
    """An order in the background, whatever becomes of it."""

    def give():
        try:
            order(node, path, **body)
        except (NotSent, NoAnswer, ValueError):
            pass

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    return thread


@row(47, "the leader is killed while members are added, promoted, replaced, removed", seconds=70, runs=10)
def leader_dies_on_the_way(run):
    """One whole round of a member's life; in each step the leader dies at a drawn moment. It ends uniform by itself."""
    cluster = run.cluster()
    load = run.load(cluster)
    comer = cluster.add_node()
    initial = ["node-1", "node-2", "node-3"]

    def kill_leader(after_most, sparing=()):
        leader = cluster.leader()
        if leader in sparing:
            order_done(leader, "/v1/leader/transfer")
            leader = cluster.leader()
        run.rest(0, after_most)
        leader.kill()
        return leader

    def revive(leader):
        # Not the others: who is being removed may end at this moment.
        leader.start()
        leader.await_ready()

    began = run.fault("the leader dies while node-4 joins")
    comer.start()
    revive(kill_leader(1.2))
    await_voters(cluster, [*initial, "node-4"])

    run.fault("the leader dies while a member is removed")
    gone = next(node for node in cluster.followers() if node is not comer)
    asked = next(node for node in cluster.followers() if node not in (gone, comer))
    path = f"/v1/members/{gone.name}/remove"
    thread = given_aside(cluster.leader(), path)
    # Only the three that stay can bring it to an end: with the leader dead, both of the others must live.
    died = kill_leader(0.05)
    thread.join()
    revive(died)
    order_done(asked if asked.running else comer, path, had_been=("unknown_member",))
    ends_with(run, gone, EXIT_REMOVED, UNIFORM_SECONDS_MAX)
    left = [name for name in [*initial, "node-4"] if name != gone.name]
    await_voters(cluster, left)

    run.fault("the leader dies while a learner is promoted")
    gone.wipe()
    gone.settings = ["cluster.initial_members=[]", f'cluster.join=["{comer.peer}", "{asked.peer}"]']
    order(comer, "/v1/members", name=gone.name, peer=gone.peer, learner=True)
    gone.start()
    order_done(comer, "/v1/members", had_been=("already_voter",), name=gone.name, peer=gone.peer, learner=True)
    gone.await_ready()
    thread = given_aside(cluster.leader(), f"/v1/members/{gone.name}/promote")
    died = kill_leader(0.05)
    thread.join()
    revive(died)
    order_done(comer, f"/v1/members/{gone.name}/promote", had_been=("already_voter",))
    await_voters(cluster, [*left, gone.name])

    run.fault("the leader dies while a voter is replaced")
    last = cluster.add_node()
    order(comer, "/v1/members", name=last.name, peer=last.peer, learner=True)
    last.start()
    order_done(comer, "/v1/members", had_been=("already_voter",), name=last.name, peer=last.peer, learner=True)
    last.await_ready()
    if cluster.leader() is gone:
        order_done(gone, "/v1/leader/transfer", to=comer.name)
    path, swap = f"/v1/members/{gone.name}/replace", {"with": last.name}
    thread = given_aside(cluster.leader(), path, **swap)
    died = kill_leader(0.05, sparing=[gone])
    thread.join()
    if died is not gone:
        revive(died)
    order_done(comer, path, had_been=("unknown_member", "already_voter"), **swap)
    ends_with(run, gone, EXIT_REMOVED, UNIFORM_SECONDS_MAX)
    await_voters(cluster, [*left, last.name])
    cluster.nodes.remove(gone)
    run.gap(load, began)
    run.settle(cluster, load)


@row(48, "the leader is removed, all but one are removed, changes at once", seconds=35, runs=3)
def down_to_one(run):
    cluster = run.cluster()
    load = run.load(cluster)
    run.rest(1)
    leader = cluster.leader()
    since = run.fault(f"the leader {leader.name} is removed")
    order_done(leader, f"/v1/members/{leader.name}/remove", had_been=("unknown_member",))
    ends_with(run, leader, EXIT_REMOVED)
    left = cluster.others(leader)
    await_voters(cluster, names(left))
    run.gap(load, since, ms_max=5000)

    run.fault("two changes at once")
    first, second = left
    first.pause()
    asked = []
    leading = second

    def give():
        try:
            asked.append(order(leading, f"/v1/members/{first.name}/remove?dry_run=true")[1].get("code"))
        except (NotSent, NoAnswer, ValueError):
            pass

    threads = [threading.Thread(target=give, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first.resume()
    cluster.await_ready()
    run.expect(set(asked) <= {"change_in_progress", "quorum_at_risk", "no_leader", "unknown_outcome"}, f"answered {asked}")

    run.fault("removed down to one")
    keeps = cluster.leader()
    goes = first if keeps is second else second
    order_done(keeps, f"/v1/members/{goes.name}/remove")
    ends_with(run, goes, EXIT_REMOVED)
    await_voters(cluster, [keeps.name])
    refused(run, keeps, f"/v1/members/{keeps.name}/remove", "last_voter")
    for node in (leader, goes):
        cluster.nodes.remove(node)
    run.settle(cluster, load)
