"""Whether two answers to one request are the same.

Owns the comparison: the status, the headers that mean something, and the document. What the released server says is first
turned into what ours should say by the rules; then nothing may differ. It may not know a rule.
"""

import re
from collections import Counter
from urllib.parse import unquote, unquote_plus

from . import documents, oddities, rules
from .documents import Unreadable


class Case:
    """One request with both answers, while the rules look at it."""

    def __init__(self, request, theirs, ours, world):
        self.request = request
        self.theirs = theirs
        self.ours = ours
        self.world = world
        self.used = Counter()
        # The two registries hold different things now, and that is wanted.
        self.apart = False
        # A rule has judged the answer as a whole.
        self.settled = False
        # What is expected of ours; rules change it.
        self.status = theirs.status
        self.media_type = self.theirs_type = (theirs.header("content-type") or "").lower() if theirs.body else ""
        self.encoding = theirs.header("content-encoding") if theirs.body else None
        self.allow = _methods(theirs)
        self.text = theirs.body
        self.tree = self.ours_tree = None
        # Whether the bytes may be counted: not if a rule changed a document.
        self.exact = True
        self._oddities = None

    @property
    def path(self):
        """The path below the prefix, still encoded."""
        path = self.request.path
        for prefix in ("/eureka/v2", "/eureka"):
            if path == prefix or path.startswith(prefix + "/"):
                return path[len(prefix) :]
        return path

    @property
    def is_write(self):
        return self.request.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def is_registration(self):
        return self.request.method == "POST" and self.path.startswith("/apps/")

    @property
    def is_list(self):
        """Whether a list is asked for: those come out of the released server's cache."""
        parts = self.path.strip("/").split("/")
        return parts[0] in ("vips", "svips") or parts[0] == "apps" and len(parts) < 3

    @property
    def oddities(self):
        if self._oddities is None:
            self._oddities = oddities.of(self.request)
        return self._oddities

    def parameter(self, name):
        """The first value of a query parameter, decoded, or None."""
        for part in self.request.query:
            key, _, value = part.partition("=")
            if unquote_plus(key) == name:
                return unquote_plus(value)
        return None

    def vip_key(self):
        """Under what the released server keeps this answer about a virtual address; None if it is none."""
        if not self.path.startswith(("/vips/", "/svips/")):
            return None
        compact = (self.request.header("x-eureka-accept") or "").lower() == "compact"
        return unquote(re.sub(";[^/]*", "", self.path)), self.theirs.body[:1], compact

    def same_text(self):
        return self.theirs.body == self.ours.body

    def read_documents(self):
        """Parses both bodies, if both are documents of one type."""
        if self.status not in (200, 409) or not self.text or not self.ours.body:
            return
        if self.media_type not in ("application/json", "application/xml") or self.media_type != self.ours.media_type:
            return
        self.tree = self._document(self.theirs, self.theirs_type, self.world.theirs)
        self.ours_tree = self._document(self.ours, self.ours.media_type, self.world.ours)
        if self.world.left_behind:
            self._forget_hashes()

    def _document(self, answer, media_type, moments):
        tree = documents.parse(answer.body, media_type)
        documents.name_stamps(tree, moments)
        self.exact &= not documents.keep_tagged(tree, self.world.tag)
        return tree

    def _forget_hashes(self):
        """Where one list holds what earlier executions left there, the hashes cannot be equal."""
        for tree in (self.tree, self.ours_tree):
            for node in tree.all("apps__hashcode"):
                node.text = "of these and others"


def compare(request, theirs, ours, world):
    """The case, judged: its `found` lists what differs and no rule wants."""
    case = Case(request, theirs, ours, world)
    _apply(rules.OF_ANSWERS, case)
    unreadable = None
    try:
        case.read_documents()
    except Unreadable as problem:
        unreadable = str(problem)
    if case.tree is not None and case.ours_tree is not None:
        _apply(rules.OF_DOCUMENTS, case)
    case.found = [] if case.settled else list(_differences(case, unreadable))
    return case


def _apply(these, case):
    for rule in these:
        if not case.settled and rule.applies(case):
            case.used[rule.id] += 1


def _differences(case, unreadable):
    ours = case.ours
    if 300 <= ours.status < 400:
        yield "status", str(case.status), f"{ours.status}: some clients execute a redirected write twice"
    if case.status != ours.status:
        yield "status", str(case.status), str(ours.status)
        return
    if case.allow != _methods(ours):
        yield "allow", str(sorted(case.allow)), str(sorted(_methods(ours)))
    if case.request.method == "HEAD":
        return
    ours_type = ours.media_type if ours.body else ""
    if case.media_type != ours_type:
        yield "content type", case.media_type, ours_type
        return
    encoding = ours.header("content-encoding") if ours.body else None
    if case.encoding != encoding:
        yield "content encoding", str(case.encoding), str(encoding)
    if unreadable is not None:
        yield "document", "readable", unreadable
    elif case.tree is not None:
        yield from _document_differences(case)
    elif case.text != ours.body:
        yield "body", case.text.decode("utf-8", "replace"), ours.text()


def _document_differences(case):
    theirs, ours = case.tree.value(), case.ours_tree.value()
    if theirs != ours:
        yield from _places(theirs, ours)
    elif case.exact and _letters(case.theirs) != _letters(case.ours):
        # The same meaning in other bytes: another escape, another white space.
        yield "bytes", str(_letters(case.theirs) - _letters(case.ours)), str(_letters(case.ours) - _letters(case.theirs))


def _places(theirs, ours, path=""):
    """The smallest parts that differ."""
    here = f"{path}/{theirs[0]}"
    if theirs[:2] != ours[:2] or not (isinstance(theirs[2], tuple) and isinstance(ours[2], tuple)):
        yield here, _short(theirs), _short(ours)
        return
    if len(theirs[2]) == len(ours[2]) and [part[0] for part in theirs[2]] == [part[0] for part in ours[2]]:
        for one, other in zip(theirs[2], ours[2]):
            if one != other:
                yield from _places(one, other, here)
        return
    # Counting does what sets would, and survives doubled members.
    one, other = Counter(theirs[2]), Counter(ours[2])
    if one == other:
        yield f"{here} order", _names(theirs), _names(ours)
        return
    yield here, _short(tuple((one - other).elements())), _short(tuple((other - one).elements()))


def _names(value):
    return " ".join(part[0] for part in value[2])


def _short(value):
    text = repr(value)
    return text if len(text) < 900 else text[:900] + "…"


def _letters(answer):
    """How often each byte occurs, digits aside: times and counters are compared by their meaning."""
    return Counter(re.sub(rb"\d+", b"", answer.body))


def _methods(answer):
    return frozenset(part.strip() for part in (answer.header("allow") or "").split(",") if part.strip())
