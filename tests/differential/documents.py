"""Documents as values that can be compared.

Owns what of a document means something: times the server made become the number of the operation that made them, lists whose
order Java's hash maps decide lose it, everything else stays, the order of an instance's fields too.
"""

import json
import re
import xml.etree.ElementTree as ET

STAMPS = {
    "registrationTimestamp", "lastRenewalTimestamp", "serviceUpTimestamp", "evictionTimestamp", "lastUpdatedTimestamp", "lastDirtyTimestamp",
}  # fmt: skip
# Elements whose children come in the order of a hash map.
UNORDERED = {"application", "applications", "metadata"}


class Unreadable(ValueError):
    """A body that is not what its content type says."""


class Moments:
    """When each operation ran on one server, so that a time in an answer can be given the name of what made it."""

    def __init__(self, leases_ms):
        self._spans = []
        # What a lease lasts does not stand in the document, where that is of an older registration.
        self._leases_ms = leases_ms

    def add(self, began_ms, ended_ms):
        self._spans.append((began_ms, ended_ms))

    def name(self, value):
        """`@N` for a time within write N, `@N+` for one that lies a lease later, None for any other."""
        return self._within(value) or self._later(value)

    def _within(self, value):
        for number in range(len(self._spans) - 1, -1, -1):
            began, ended = self._spans[number]
            if began <= value <= ended:
                return f"@{number}"
        return None

    def _later(self, value):
        named = (self._within(value - lease_ms) for lease_ms in self._leases_ms)
        return next((f"{name}+" for name in named if name), None)


class Node:
    """An element or member: its name, its attributes, and its text or its children."""

    __slots__ = ("name", "attributes", "text", "children", "ordered")

    def __init__(self, name, text=None, children=None, attributes=(), ordered=True):
        self.name = name
        self.text = text
        self.children = children
        self.attributes = attributes
        self.ordered = ordered

    def child(self, name):
        return next((node for node in self.children or () if node.name == name), None)

    def all(self, name):
        """Every node of that name below this one, this one too."""
        if self.name == name:
            yield self
        for node in self.children or ():
            yield from node.all(name)

    def value(self):
        """Something with an order and an equality."""
        if self.children is None:
            return (self.name, self.attributes, self.text)
        inner = [node.value() for node in self.children]
        if not self.ordered:
            inner.sort(key=repr)
        return (self.name, self.attributes, tuple(inner))


def parse(body, media_type):
    """The document as a tree.

    Raises `Unreadable`.
    """
    try:
        if media_type == "application/json":
            return _of_json("", json.loads(body, object_pairs_hook=lambda pairs: _Object(pairs), parse_float=str))
        if media_type == "application/xml":
            return _of_xml(ET.fromstring(body))
    except (ValueError, ET.ParseError, RecursionError) as problem:
        raise Unreadable(f"{media_type}: {problem}") from problem
    raise Unreadable(f"no reader for {media_type or 'a missing content type'}")


def is_readable(body):
    """Whether it is well-formed XML, for a parser that knows namespaces."""
    try:
        ET.fromstring(body)
    except (ET.ParseError, ValueError):
        return False
    return True


class _Object(list):
    """The members of a JSON object, doubles and all."""


def _of_json(name, value):
    if isinstance(value, _Object):
        return Node(name, children=[_of_json(key, item) for key, item in value], ordered=name != "metadata")
    if isinstance(value, list):
        # An array is a node between, so that one element is not taken for none of one.
        return Node(name, children=[Node("[]", children=[_of_json(name, item)]) for item in value], attributes=("array",), ordered=False)
    return Node(name, text=json.dumps(value, ensure_ascii=False))


def _of_xml(element):
    attributes = tuple(sorted(element.attrib.items()))
    if len(element):
        ordered = element.tag not in UNORDERED
        return Node(element.tag, children=[_of_xml(child) for child in element], attributes=attributes, ordered=ordered)
    if element.tag in UNORDERED:
        return Node(element.tag, children=[], attributes=attributes)
    return Node(element.tag, text=element.text or "", attributes=attributes)


def instances(tree):
    """Every instance of a document, whatever stands around it."""
    for node in tree.all("instance"):
        if node.child("app") is not None and node.child("hostName") is not None:
            yield node


def plain(text):
    """The text of a scalar without JSON's quotes."""
    if text is not None and text[:1] == '"':
        return json.loads(text)
    return text


def name_stamps(tree, moments):
    """Replaces times the server made; a renewal that lies a lease ahead gets `@N+`."""
    for instance in instances(tree):
        lease = instance.child("leaseInfo")
        for node in [*(instance.children or ()), *((lease.children or ()) if lease is not None else ())]:
            if node.name in STAMPS and node.text is not None:
                node.text = _stamp(node.text, moments)


def _stamp(text, moments):
    digits = plain(text)
    if not re.fullmatch(r"\d{13,}", digits):
        return text
    named = moments.name(int(digits))
    return text if named is None else text.replace(digits, named)


def keep_tagged(tree, tag):
    """Forgets the applications of earlier executions; true if there were any."""
    kept = lambda application: tag in repr(application.child("name").text if application.child("name") else "").upper()
    roots = [tree] if tree.name == "applications" else [node for node in tree.children or () if node.name == "applications"]
    forgot = False
    for root in roots:
        rest = []
        for node in root.children or ():
            if node.name != "application":
                rest.append(node)
            elif node.attributes == ("array",):
                inside = [one for one in node.children if kept(one.children[0])]
                forgot |= len(inside) != len(node.children)
                rest.append(Node(node.name, children=inside, attributes=node.attributes, ordered=False))
            elif kept(node):
                rest.append(node)
            else:
                forgot = True
        root.children = rest
    return forgot
