"""What one run of a story found, as a document: the results of its steps, its full fetches, its complaints.

Owns the two verdicts that no single step gives: that no delta made the client fetch all, and that its log has nothing that it does
not have with the released server.
"""

import re
from collections import Counter

from .logs import complaints
from .story import FAIL, NOT_OFFERED, OK, STEPS

DELTAS_MIN = 5
BEFORE = "start"
VERDICTS = {
    "deltas": "no full fetch after the first: no delta sent it back to one",
    "log": "no warning or error in its log that it does not log with the released server",
}


def of(story):
    """As JSON can hold it."""
    return {
        "results": {name: (result.verdict, result.detail) for name, result in story.results.items()},
        "full": full_fetches(story),
        "deltas": len(story.site.journal.find("delta", 200)),
        "counts": dict(story.site.journal.counts()),
        "complaints": sorted(complaints_without_faults(story)),
    }


def complaints_without_faults(story):
    """What it complained of before a node went, and as it was stopped."""
    log, began = story.client.log, story.log_at
    found = complaints(log, 0, began.get("kill", began.get("cancels")))
    if "cancels" not in began:
        return found
    race = story.kind.race_at_end
    return found | {line for line in complaints(log, began["cancels"]) if not (race and re.search(race, line))}


def full_fetches(story):
    """The step in which each full fetch but the first was made."""
    fetches = story.site.journal.find("full", 200)
    return [step_at(story, fetch.at) for fetch in fetches[1:]]


def step_at(story, moment):
    begun = [name for name, result in story.results.items() if 0 < result.began <= moment]
    return begun[-1] if begun else BEFORE


def deltas_verdict(kind, ours, theirs=None):
    """(verdict, what was seen). How often the released server makes it fetch all is told and not judged."""
    if kind.full_fetches:
        return NOT_OFFERED, kind.full_fetches
    unexcused = [step for step in ours["full"] if step not in kind.own_fault]
    if unexcused:
        return FAIL, f"{len(unexcused)} full fetches after the first, during {', '.join(dict.fromkeys(unexcused))}; {ours['deltas']} deltas"
    if ours["deltas"] < DELTAS_MIN:
        return FAIL, f"only {ours['deltas']} deltas: this says nothing"
    return OK, f"{ours['deltas']} deltas{told('of its own making', ours)}{told('with the released server', theirs)}"


def told(what, found):
    """The full fetches after the first, counted by step."""
    if not found or not found.get("full"):
        return ""
    counted = Counter(found["full"])
    return f"; full fetches {what}: {', '.join(f'{number} in {step}' for step, number in counted.items())}"


def repeated(first, second):
    """`first` with those complaints only that came a second time too."""
    return {**first, "complaints": [line for line in first["complaints"] if line in set(second["complaints"])]}


def log_verdict(ours, theirs):
    """`theirs` is what the same steps found with the released server."""
    more = [line for line in ours["complaints"] if line not in set(theirs["complaints"])]
    if more:
        return FAIL, "; ".join(more)
    return OK, f"{len(ours['complaints'])} kinds of complaints, all of them with the released server too"


def columns():
    return [step.name for step in STEPS] + list(VERDICTS)
