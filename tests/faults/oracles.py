"""Judges of a history: pure functions that return sentences about what is wrong, none if all is well.

Owns what "lost" and "silent" mean. They may not talk to a node; `settle` collects what they judge.

lost:   an acknowledged write that is not there, with nothing that could have come after it.
silent: an answer that is wrong and did not say so.
"""

from bisect import bisect_left

from .history import ABSENT, ACKED, REFUSED, UNKNOWN

def lost_writes(history, registries):
    """O1. `registries` is, for each node, its whole registry as key to value, read after the load ended and all were equal.

    What must be there is the last acknowledged write, or an attempt of unknown fate: such an attempt may take effect late.
    """
    wrong = []
    for key, writes in history.by_key().items():
        acked = [w for w in writes if w.outcome == ACKED]
        if not acked:
            continue
        last = max(acked, key=lambda write: write.place)
        allowed = {last.value} | {w.value for w in writes if w.outcome == UNKNOWN}
        for node, registry in registries.items():
            found = registry.get(key, ABSENT)
            if found not in allowed:
                promised = f"acknowledged at {last.place} by {last.node}: {shown(last.value)}"
                wrong.append(f"{node} has {shown(found)} for {key}; {promised}")
    return wrong


def wrong_reads(history):
    """O2, light: linearizable reads against the order of acknowledged writes, by log index and by value."""
    return index_went_back(history) + wrong_values(history)


def index_went_back(history):
    """What started after an answer had come sees at least the log index of that answer, on whatever node."""
    answers = [(w.ended, w.index) for w in history.writes if w.outcome == ACKED]
    answers += [(r.ended, r.index) for r in history.reads if r.linearizable]
    answers.sort()
    highest, ends, so_far = [], [], 0
    for ended, index in answers:
        so_far = max(so_far, index)
        ends.append(ended)
        highest.append(so_far)
    wrong = []
    later = [(r.started, r.index, f"a read of {r.key} on {r.node}") for r in history.reads if r.linearizable]
    later += [(w.started, w.index, f"a write of {w.key} on {w.node}") for w in history.writes if w.outcome == ACKED]
    for started, index, what in later:
        before = bisect_left(ends, started)
        if before and index < highest[before - 1]:
            wrong.append(f"{what} was answered at index {index} after an answer at index {highest[before - 1]} had come")
    return wrong


def wrong_values(history):
    """A read at an index shows the last acknowledged write up to that index, or an attempt of unknown fate that had begun."""
    by_key = history.by_key()
    acked = {key: sorted((w for w in writes if w.outcome == ACKED), key=lambda w: w.place) for key, writes in by_key.items()}
    places = {key: [w.place for w in writes] for key, writes in acked.items()}
    wrong = []
    for read in history.reads:
        # A seq is below this bound: an entry holds at most 4,096 commands.
        at = bisect_left(places.get(read.key, []), (read.index, 1 << 32))
        expected = acked[read.key][at - 1].value if at else ABSENT
        if read.value == expected:
            continue
        begun = any(
            w.outcome == UNKNOWN and w.value == read.value and w.started < read.ended for w in by_key.get(read.key, [])
        )
        if not begun:
            wrong.append(
                f"{read.node} said at index {read.index} that {read.key} is {shown(read.value)}; it was {shown(expected)}"
            )
    return wrong


def refused_but_done(history, registries):
    """O6: what was refused as not executed may never be found."""
    refused = {(w.key, w.value): w for w in history.writes if w.outcome == REFUSED and w.value is not ABSENT}
    seen = {(r.key, r.value) for r in history.reads}
    seen |= {(key, value) for registry in registries.values() for key, value in registry.items()}
    return [f"{refused[pair].node} said that a write of {pair[0]} was not executed, and it was" for pair in seen & refused.keys()]


def false_evictions(history):
    """O3. The load never cancels what it renews, so a 404 to a heartbeat is always one."""
    return [f"a heartbeat of {r.key} on {r.node} was answered 404" for r in history.renewals if not r.found]


def two_leaders(claims):
    """O4. `claims` are (term, node) of every node that said it leads."""
    by_term = {}
    for term, node in claims:
        by_term.setdefault(term, set()).add(node)
    return [f"in term {term} {' and '.join(sorted(nodes))} led" for term, nodes in sorted(by_term.items()) if len(nodes) > 1]


def split_states(states):
    """O4. `states` are (index, hash, node) as nodes said them at any time: one index has one hash."""
    first, wrong = {}, []
    for index, state_hash, node in states:
        held, holder = first.setdefault(index, (state_hash, node))
        if held != state_hash:
            wrong.append(f"at index {index} {holder} has state {held[:8]} and {node} {state_hash[:8]}")
    return wrong


def went_back(samples):
    """O4. `samples` are (node, what, value) in order of time; within one process term, commit and applied only grow."""
    highest, wrong = {}, []
    for node, what, value in samples:
        if value < highest.get((node, what), 0):
            wrong.append(f"{what} of {node} went from {highest[(node, what)]} to {value}")
        highest[(node, what)] = max(value, highest.get((node, what), 0))
    return wrong


def shown(value):
    return "absent" if value is ABSENT else f"value {value}"
