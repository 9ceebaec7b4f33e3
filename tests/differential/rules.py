"""What may differ.

Owns every tolerance: a narrow condition, the id of its row in docs/compatibility.md, and what it makes of the released
server's answer. There is no other place in which a difference is let through.

A rule of the first kind sees the two answers as they came; one of the second the two documents. Both may change what is expected,
or settle the case; a rule that settles a write with different outcomes also says that the registries are apart.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Callable

from . import documents, oddities
from .documents import Node, plain


@dataclass(frozen=True)
class Rule:
    """`applies` changes the case and says whether it did."""

    id: str
    name: str
    applies: Callable


OF_ANSWERS = []
OF_DOCUMENTS = []
# Rows that the player uses itself: what may not be sent at all.
OF_PLAYER = ("D-20", "D-31")


def of_answers(*ids):
    def add(function):
        OF_ANSWERS.extend(Rule(id, function.__name__, (lambda case, id=id: function(case, id)) if len(ids) > 1 else function) for id in ids)
        return function

    return add


def of_documents(id):
    def add(function):
        OF_DOCUMENTS.append(Rule(id, function.__name__, function))
        return function

    return add


def ids():
    """Every id that some rule uses."""
    return {one.id for one in (*OF_ANSWERS, *OF_DOCUMENTS)} | set(OF_PLAYER)


def _settle(case):
    """Accepts ours as it is; a write that one of the two refused leaves the registries apart."""
    case.settled = True
    case.apart = case.is_write and not (case.theirs.status >= 400 and case.ours.status >= 400)
    return True


# Registrations that are read otherwise

# Here accepted, there refused or accepted with another meaning.
LAX = {"D-28", "D-29", "D-30", "D-33", "D-37", "D-38", "D-50", "D-52", "D-53", "D-58", "D-75"}
# Here refused, there accepted in one way or another.
STRICT = {"D-32", "D-35", "D-36", "D-41", "D-49", "D-76", "D-78", "D-80"}


@of_answers(*sorted(LAX | STRICT))
def a_registration_is_read_otherwise(case, id):
    if not case.is_registration or id not in case.oddities:
        return False
    there, here = case.theirs.status, case.ours.status
    if there not in (204, 400) or here not in (204, 400):
        return False
    if id in STRICT:
        return here == 400 and (there == 204 or not case.same_text()) and _settle(case)
    if id in ("D-53", "D-58") and there == 204 and here == 400:
        # Half a character is nowhere one; and what is wrong may stand where theirs no longer reads.
        return _settle(case)
    if there == 400:
        return (here == 204 or not case.same_text()) and _settle(case)
    return here == 204 and id in ("D-28", "D-33", "D-37", "D-38", "D-50", "D-53", "D-58", "D-75") and _settle(case)


@of_answers("D-69")
def a_digit_is_one_of_ten(case):
    """Refused as no number where a garbled one is, and the default where that is."""
    odd = case.is_registration and "D-69" in case.oddities
    return odd and case.theirs.status == 204 and case.ours.status in (204, 400) and _settle(case)


@of_answers("D-34")
def the_body_null_is_a_mistake(case):
    return case.is_registration and "D-34" in case.oddities and (case.status, case.ours.status) == (500, 400) and _settle(case)


@of_answers("D-62")
def no_body_of_no_type_is_of_no_type(case):
    nothing = case.request.header("content-type") is None and not case.request.body
    return case.is_registration and nothing and (case.status, case.ours.status) == (500, 415) and _settle(case)


@of_answers("D-13")
def a_body_in_gzip_is_read(case):
    return case.request.header("content-encoding") == "gzip" and case.status == 400 and _settle(case)


# Paths


@of_answers("D-25")
def an_escaped_slash_reaches_the_id(case):
    from_tomcat = case.request.method == "HEAD" or b"HTTP Status 400" in case.theirs.body
    return re.search("%2[fF]", case.request.path) is not None and case.status == 400 and from_tomcat and _settle(case)


@of_answers("D-26")
def two_slashes_are_one(case):
    return "//" in case.request.path and case.status == 404 and _settle(case)


@of_answers("D-23", "D-27")
def other_prefixes_are_served(case, id):
    if case.status != 404:
        return False
    path = case.request.path
    if id == "D-23":
        return path.startswith("/eureka/v1/apps") and _settle(case)
    return case.path.rstrip("/") in ("/serverinfo/statusoverrides", "/healthcheck") and _settle(case)


@of_answers("D-04")
def a_route_without_a_name_has_no_method(case):
    if case.path.strip("/") not in ("vips", "svips", "instances") or case.status != 404:
        return False
    return case.ours.status == (200 if case.request.method == "OPTIONS" else 405) and _settle(case)


# Negotiation

_RANGE = re.compile(r"\s*[\w!#$%&'*+.^`|~-]+(/[\w!#$%&'*+.^`|~-]+)?\s*(;\s*[\w-]+=(\"[^\"]*\"|[\w.-]*)\s*)*")


@of_answers("D-09")
def a_malformed_accept_does_not_count(case):
    accept = case.request.header("accept")
    if not accept or case.theirs.status != 400 or case.theirs.body and not _is_error_page(case.theirs.body):
        return False
    weights = re.findall(r"q=([^;,]*)", accept)
    odd = any(not _RANGE.fullmatch(part) for part in accept.split(",")) or any(not re.fullmatch(r"[01]?(\.\d*)?", weight.strip()) for weight in weights)
    if not odd:
        return False
    _settle(case)
    # Also a heartbeat that is not found may have renewed a lease here.
    case.apart = case.is_write
    return True


@of_answers("D-06")
def a_list_is_labelled_as_what_it_is(case):
    if case.media_type != "application/xml" or not case.theirs.body.startswith(b"{") or "json" not in (case.request.header("accept") or ""):
        return False
    case.media_type = case.theirs_type = "application/json"
    return True


@of_answers("D-07")
def media_types_have_no_case(case):
    accept = case.request.header("accept") or ""
    odd = "json" in accept.lower() and "json" not in accept
    return odd and case.is_list and (case.status, case.ours.status) == (200, 200) and case.ours.media_type == "application/json" and _settle(case)


@of_answers("D-08")
def parameters_of_accept_are_not_repeated(case):
    if ";" not in case.media_type or ";" not in (case.request.header("accept") or ""):
        return False
    case.media_type = case.theirs_type = case.media_type.split(";")[0].strip()
    return True


@of_answers("D-10")
def accept_encoding_has_a_grammar(case):
    asked = case.request.header("accept-encoding") or ""
    refuses = re.search(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)", asked) is not None
    if not refuses or case.encoding != "gzip" or case.ours.header("content-encoding") is not None:
        return False
    case.encoding = None
    return True


@of_answers("D-11")
def what_is_worth_it_is_compressed(case):
    asked = "gzip" in (case.request.header("accept-encoding") or "")
    if not asked or case.encoding is not None or case.ours.header("content-encoding") != "gzip" or len(case.ours.body) < 256:
        return False
    case.encoding = "gzip"
    return True


@of_answers("D-54")
def a_content_type_that_is_none_is_of_no_type(case):
    sent = case.request.header("content-type")
    is_none = sent is not None and not re.match(r"\s*[^/\s;]+/[^/\s;]+", sent)
    return is_none and case.status == 400 and case.ours.status in (415, 406) and _settle(case)


@of_answers("D-55")
def a_refusal_is_in_the_format_of_its_label(case):
    """There the label of the body is repeated, and any but the two shortest makes the text XML."""
    sent = case.request.header("content-type") or ""
    if not case.is_registration or (case.status, case.ours.status) != (400, 400) or sent in ("application/json", "application/xml"):
        return False
    if b"cannot parse request body" not in case.theirs.body or b"cannot parse request body" not in case.ours.body:
        return False
    label = (case.theirs.header("content-type") or "").lower().replace("; ", ";")
    return label == sent.lower().replace("; ", ";") and _settle(case)


@of_answers("D-68")
def of_two_wrong_types_the_answers_comes_first(case):
    return case.is_registration and (case.status, case.ours.status) == (415, 406) and _settle(case)


# Refusals


@of_answers("D-02")
def a_bad_parameter_is_400(case):
    """There 500, or the 404 that is looked for first."""
    if case.ours.status != 400 or case.ours.body or case.status not in (500, 404, 200):
        return False
    value = case.parameter("value")
    bad_value = case.path.rstrip("/").endswith("/status") and (value is None and case.request.method == "PUT" or value is not None and value not in oddities.STATUSES)
    stamp = case.parameter("lastDirtyTimestamp")
    bad_stamp = stamp is not None and not _is_long(stamp)
    if not (bad_value or bad_stamp):
        return False
    _settle(case)
    # What it answers with 500 it has done in part.
    case.apart |= case.status == 500
    return True


@of_answers("D-79")
def a_peers_override_shows_at_once(case):
    """Both answer 404; there lists are not made anew for it."""
    override = case.parameter("overriddenstatus")
    told = override in oddities.STATUSES and override != "UNKNOWN"
    of_peer = case.request.header("x-netflix-discovery-replication") == "true"
    if not (told and of_peer and case.request.method == "PUT" and (case.theirs.status, case.ours.status) == (404, 404) and not case.ours.body):
        return False
    _settle(case)
    case.apart = True
    return True


@of_answers("D-77")
def a_peers_override_that_is_none_is_nothing(case):
    """There it is looked at once the timestamp is newer."""
    override = case.parameter("overriddenstatus")
    bogus = override is not None and override not in oddities.STATUSES
    of_peer = case.request.header("x-netflix-discovery-replication") == "true"
    return bogus and of_peer and case.request.method == "PUT" and (case.status, case.ours.status) == (500, 404) and _settle(case)


def _is_long(text):
    return re.fullmatch(r"[+-]?\d+", text) is not None and -(2**63) <= int(text) < 2**63


@of_answers("D-16")
def the_status_page_is_valid_json(case):
    return case.path.rstrip("/") == "/status" and (case.status, case.ours.status) == (500, 200) and case.ours.media_type == "application/json" and _settle(case)


@of_answers("D-01")
def error_documents_are_empty(case):
    """Spring Boot's page about an error, or Tomcat's."""
    if case.status < 400 or not _is_error_page(case.theirs.body):
        return False
    case.text, case.media_type, case.encoding = b"", "", None
    return True


def _is_error_page(body):
    body = body.lstrip()
    return (
        body.startswith(b'{"timestamp":') and b'"path":' in body
        or body.startswith(b"<Map>") and b"<path>" in body
        or body.startswith(b"<html>") and b"Whitelabel Error Page" in body
        or body.startswith(b"<!doctype html>") and b"HTTP Status" in body
    )


@of_answers("D-03")
def allow_names_head(case):
    if case.status != 405 or "GET" not in case.allow or "HEAD" in case.allow or case.ours.status != 405:
        return False
    case.allow |= {"HEAD"}
    return True


@of_answers("D-05")
def options_has_no_body(case):
    if case.request.method != "OPTIONS" or case.status != 200 or case.ours.body:
        return False
    case.text, case.media_type, case.encoding = b"", "", None
    return True


# Documents that nobody can read

_ILLEGAL = re.compile(rb"&#x(0?[0-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[eEfF]);|</?[^\s<>:!?]+:|<>|\xef\xbf[\xbe\xbf]|\xed[\xa0-\xbf]")


@of_answers("D-21")
def xml_is_well_formed(case):
    if (case.status, case.ours.status) != (200, 200) or case.ours.media_type != "application/xml" or not _ILLEGAL.search(case.theirs.body):
        return False
    return documents.is_readable(case.ours.body) and _settle(case)


@of_answers("D-57")
def compact_xml_has_a_body(case):
    """There a control character anywhere in a list leaves it without a byte, and an application not found."""
    if not case.is_list or not case.world.controls or (case.request.header("x-eureka-accept") or "").lower() != "compact":
        return False
    lost = case.status == 200 and not case.theirs.body or case.status == 404 and case.path.startswith("/apps/")
    return lost and case.ours.status == 200 and documents.is_readable(case.ours.body) and _settle(case)


# Documents


@of_documents("D-15")
def an_instance_always_shows_its_id(case):
    found = False
    for instance in documents.instances(case.tree):
        shown = instance.child("instanceId")
        if shown is not None and plain(shown.text):
            continue
        center = instance.child("dataCenterInfo")
        data = center.child("metadata") if center is not None else None
        id = data.child("instance-id") if data is not None else None
        id = id if id is not None and plain(id.text) else instance.child("hostName")
        if shown is not None:
            instance.children.remove(shown)
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


@of_documents("D-14")
def a_single_instance_in_xml_shows_its_status(case):
    if case.media_type != "application/xml" or case.is_list:
        return False
    found = False
    for theirs, ours in _pairs(case):
        one, other = theirs.child("status"), ours.child("status")
        if one is not None and other is not None and one.text == "DOWN" and other.text in ("OUT_OF_SERVICE", "UNKNOWN"):
            one.text = other.text
            case.exact = False
            found = True
    return found


@of_documents("D-44")
def a_renewal_is_shown_when_it_was(case):
    """There a lease ahead. In lists ours shows the one known when the list last changed."""
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
        if here == there or here < there and case.is_list:
            one.text = other.text
            found = True
    return found


def _moment(text):
    found = re.search(r"@(\d+)", text)
    return int(found[1]) if found else None


@of_documents("D-45")
def versions_of_deltas_are_opaque(case):
    if not case.path.rstrip("/").endswith("/delta"):
        return False
    for one, other in zip(case.tree.all("versions__delta"), case.ours_tree.all("versions__delta")):
        if plain(other.text).isdigit() and plain(one.text).isdigit():
            one.text = other.text
    return True


@of_documents("D-66")
def compact_xml_escapes_as_full_xml_does(case):
    """There quotes stay as they are, and a > by its place: what a parser reads is the same."""
    compact = (case.request.header("x-eureka-accept") or "").lower() == "compact"
    if not compact or not case.is_list or case.media_type != "application/xml" or case.tree.value() != case.ours_tree.value():
        return False
    if _unescaped(case.theirs.body) != _unescaped(case.ours.body) or case.theirs.body.count(b"&") == case.ours.body.count(b"&"):
        return False
    case.exact = False
    return True


def _unescaped(body):
    """How often each byte occurs, digits aside, once the three are written as themselves."""
    for escaped, letter in ((b"&quot;", b'"'), (b"&apos;", b"'"), (b"&gt;", b">")):
        body = body.replace(escaped, letter)
    return Counter(re.sub(rb"\d", b"", body))


@of_documents("D-67")
def the_status_page_is_about_its_server(case):
    if case.path.rstrip("/") != "/status":
        return False
    theirs, ours = ({node.name for node in tree.children} for tree in (case.tree, case.ours_tree))
    return theirs <= ours <= theirs | {"isHeathly"} and _settle(case)


@of_documents("D-51")
def one_of_several_instances_with_an_id(case):
    """`instances/{id}`: there the first in the order of a hash map, here in that of names."""
    if not case.path.startswith("/instances/"):
        return False
    (one,), (other,) = list(documents.instances(case.tree)) or [None], list(documents.instances(case.ours_tree)) or [None]
    if one is None or other is None or one.child("app").text == other.child("app").text:
        return False
    return _settle(case)


@of_documents("D-19")
def vips_are_fresh(case):
    """There the answer may be one that was given before, if the vip is one of several or the form compact."""
    key = case.vip_key()
    if key is None or case.tree.value() == case.ours_tree.value():
        return False
    return case.theirs.body in case.world.earlier.get(key, ()) and _settle(case)
