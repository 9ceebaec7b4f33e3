"""What may differ.

Owns every tolerance: a narrow condition, the id of its row in docs/compatibility.md, and what it makes of the released
server's answer. There is no other place in which a difference is let through.
"""

import re
from dataclasses import dataclass
from typing import Callable

from . import documents, hazards
from .documents import Node, plain


@dataclass(frozen=True)
class Rule:
    """`applies` changes the case and says whether it did."""

    id: str
    name: str
    applies: Callable


RULES = []


def rule(id):
    def add(function):
        RULES.append(Rule(id, function.__name__, function))
        return function

    return add


TEXTS = (b"cannot parse request body", b"Missing ", b"Mismatched appName")


def _is_error_page(answer):
    body = answer.body.lstrip()
    return answer.status >= 400 and body and (
        body.startswith((b'{"timestamp"', b"<Map>", b"<!doctype html", b"<html")) and (b'"status"' in body or b"<status>" in body or b"HTTP Status" in body or b"Whitelabel" in body)
    )


@rule("error-body")
def error_documents_are_empty(case):
    """Spring Boot's page about an error, or Tomcat's: ours is empty, which the Java clients need."""
    if not _is_error_page(case.theirs):
        return False
    case.text, case.media_type, case.encoding = b"", "", None
    return True


@rule("500-is-400")
def a_bad_parameter_is_400(case):
    """What makes the released server fail (500), ours refuses as the client's mistake."""
    if case.status != 500 or case.ours.status != 400:
        return False
    case.status = 400
    case.apart = case.is_write
    return True


@rule("allow-head")
def allow_names_head(case):
    if case.status != 405 or "GET" not in case.allow or "HEAD" in case.allow:
        return False
    case.allow |= {"HEAD"}
    return True


@rule("options")
def options_is_204(case):
    """There a WADL document, here no body; what is allowed is the same."""
    if case.request.method != "OPTIONS" or case.status != 200 or case.ours.status != 204:
        return False
    case.status, case.text, case.media_type, case.encoding = 204, b"", "", None
    return True


@rule("instance-id")
def an_instance_always_shows_its_id(case):
    if case.tree is None:
        return False
    found = False
    for instance in documents.instances(case.tree):
        if instance.child("instanceId") is None:
            center = instance.child("dataCenterInfo")
            data = center.child("metadata") if center is not None else None
            id = data.child("instance-id") if data is not None else None
            id = id or instance.child("hostName")
            instance.children.insert(0, Node("instanceId", text=id.text))
            case.exact = False
            found = True
    return found


def _pairs(case):
    """Instances of both documents by application and id."""
    def key(instance):
        return tuple(plain(instance.child(name).text) if instance.child(name) is not None else None for name in ("app", "instanceId"))

    theirs = {key(one): one for one in documents.instances(case.tree)}
    for one in documents.instances(case.ours_tree):
        if key(one) in theirs:
            yield theirs[key(one)], one


def _is_list(case):
    return case.tree.name in ("applications", "application") or (case.tree.children or [Node("")])[0].name in ("applications", "application")


@rule("xml-status")
def a_single_instance_in_xml_shows_its_status(case):
    """There OUT_OF_SERVICE and UNKNOWN are shown as DOWN."""
    if case.tree is None or case.media_type != "application/xml" or _is_list(case):
        return False
    found = False
    for theirs, ours in _pairs(case):
        one, other = theirs.child("status"), ours.child("status")
        if one is not None and other is not None and one.text == "DOWN" and other.text in ("OUT_OF_SERVICE", "UNKNOWN"):
            one.text = other.text
            case.exact = False
            found = True
    return found


@rule("renewal-time")
def a_renewal_is_shown_when_it_was(case):
    """There a lease ahead; and in lists ours shows the one known when the list last changed."""
    if case.tree is None:
        return False
    found = False
    for theirs, ours in _pairs(case):
        leases = theirs.child("leaseInfo"), ours.child("leaseInfo")
        if None in leases:
            continue
        one, other = (lease.child("lastRenewalTimestamp") for lease in leases)
        if one is None or other is None or one.text == other.text:
            continue
        there, here = _moment(one.text), _moment(other.text)
        if there is None or here is None:
            continue
        if here == there or here < there and _is_list(case):
            one.text = other.text
            found = True
    return found


def _moment(text):
    found = re.search(r"@(\d+)", text)
    return int(found[1]) if found else None


@rule("delta-version")
def versions_of_deltas_are_opaque(case):
    if case.tree is None or not case.path.rstrip("/").endswith("/delta"):
        return False
    for one, other in zip(case.tree.all("versions__delta"), case.ours_tree.all("versions__delta")):
        if plain(other.text).isdigit() and plain(one.text).isdigit():
            one.text = other.text
    return True


@rule("gzip")
def ours_compresses_what_is_worth_it(case):
    """There apps and apps/delta alone, of any size; here every document of 256 bytes and more."""
    encoding = case.ours.header("content-encoding")
    asked = "gzip" in (case.request.header("accept-encoding") or "")
    if not asked or case.encoding == encoding or case.theirs.status != 200:
        return False
    case.encoding = encoding
    return True
