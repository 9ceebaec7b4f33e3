"""What is odd about the body of a registration.

Owns the recognition of those bodies that ours reads otherwise on purpose, each by the id of its row in docs/compatibility.md. It
judges the body alone, never an answer, so that a tolerance cannot widen because a server changed.
"""

import json
import re
import xml.etree.ElementTree as ET

from .bodies import DEFAULT_CLASS, STATUSES

TEXTS = {
    "instanceId", "hostName", "app", "ipAddr", "sid", "appGroupName", "homePageUrl", "statusPageUrl", "healthCheckUrl",
    "secureHealthCheckUrl", "vipAddress", "secureVipAddress", "asgName",
}  # fmt: skip
STAMPS = {"lastDirtyTimestamp", "lastUpdatedTimestamp"}
# Fields of the server's own (`lastUpdatedTimestamp`, `actionType`) are as good as unknown.
SCALARS = TEXTS | {"lastDirtyTimestamp", "status", "overriddenStatus", "overriddenstatus", "countryId"}
PORTS = {"port", "securePort"}
OBJECTS = {"dataCenterInfo", "leaseInfo", "metadata"}
KNOWN = SCALARS | PORTS | OBJECTS
NUMBERS = STAMPS | PORTS | {"countryId"}
CLASSES = {
    "Amazon": {"com.netflix.appinfo.AmazonInfo"},
    "MyOwn": {DEFAULT_CLASS, "com.netflix.appinfo.MyDataCenterInfo"},
    "Netflix": {DEFAULT_CLASS, "com.netflix.appinfo.MyDataCenterInfo"},
}
NAME_BYTES_MAX = 1024
_LONE = re.compile(r"[\ud800-\udfff]")
_64_BITS = range(-(2**63), 2**63)


class _Object(list):
    """Members of a JSON object in order."""

    def first(self, name):
        return next((value for key, value in self if key == name), None)


def of(request):
    """Ids of the rows that the body falls under."""
    body = request.body or b""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return _of_readable(body.decode("utf-8", "replace").encode()) | {"D-80"}
    return _of_readable(body)


def _of_readable(body):
    if body.startswith(b"\xef\xbb\xbf"):
        body = body[3:]
    if body.lstrip()[:1] == b"<":
        return _of_xml(body)
    text = body.decode("utf-8", "replace").lstrip()
    tree, is_cut = _parsed(text), False
    if tree is _NONE:
        tree, is_cut = _parsed(text + "}"), True
    if tree is _NONE:
        return set()
    if tree is None:
        return {"D-34"}
    if not isinstance(tree, _Object) or not tree:
        return set()
    if not isinstance(tree[0][1], _Object):
        return set() if isinstance(tree[0][1], list) else {"D-76"}
    return set(_of_json(tree[0][1])) | ({"D-78"} if is_cut else set())


_NONE = object()


def _parsed(text):
    try:
        return json.JSONDecoder(object_pairs_hook=_Object, strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return _NONE


def _of_json(instance):
    names = [name for name, _ in instance]
    for name, value in instance:
        nested = isinstance(value, list)
        if name in OBJECTS and not nested and value is not None:
            yield "D-76"
        elif name not in KNOWN and nested:
            yield "D-28"
        elif name in SCALARS and nested:
            yield "D-49"
        elif name in PORTS:
            yield from _of_port(value)
        elif name == "dataCenterInfo":
            yield from _of_center(value)
        elif name == "leaseInfo":
            yield from _of_lease(value)
        elif name == "metadata" and isinstance(value, _Object):
            yield from _of_metadata(value)
        elif name in ("status", "overriddenStatus", "overriddenstatus"):
            yield from _of_status(value)
        elif name in STAMPS:
            yield from _of_stamp(name, value)
        elif name in ("instanceId", "ipAddr", "app", "hostName") and isinstance(value, str):
            yield from _of_name(value)
        yield from _lone(name, value)
    if len({str(value) for name, value in instance if name == "hostName" and value}) > 1:
        yield "D-75"
    metadata = instance.first("metadata")
    if "instanceId" not in names or not instance.first("instanceId"):
        if isinstance(metadata, _Object) and metadata.first("instanceId") is not None:
            yield "D-38"


def _of_port(value):
    if not isinstance(value, list):
        if value is not None:
            yield "D-29"
        return
    for name, inner in value if isinstance(value, _Object) else ():
        if name not in ("$", "@enabled"):
            yield "D-28"
        elif isinstance(inner, list):
            yield "D-49"
        elif name == "@enabled" and _odd_flag(inner):
            yield "D-50"


def _odd_flag(value):
    return isinstance(value, str) and value.strip().lower() in ("true", "false") and value.strip() != value.strip().lower()


def _of_center(value):
    if not isinstance(value, _Object):
        return
    name, kind, metadata = value.first("name"), value.first("@class"), value.first("metadata")
    expected = CLASSES.get(name, set()) if isinstance(name, str) else set()
    known = {"@class", "name"} | ({"metadata"} if name == "Amazon" else set())
    if kind not in expected or len(value) != len({key for key, _ in value}) or any(key not in known for key, _ in value):
        yield "D-30"
    order = [key for key, _ in value]
    if name == "Amazon" and (not isinstance(metadata, _Object) or order.index("metadata") < order.index("name")):
        yield "D-30"
    if isinstance(metadata, _Object):
        yield from _of_metadata(metadata)


def _of_lease(value):
    for name, inner in value if isinstance(value, _Object) else ():
        if isinstance(inner, list):
            yield "D-49" if name in ("renewalIntervalInSecs", "durationInSecs") else "D-28"
        elif name not in ("renewalIntervalInSecs", "durationInSecs") and _is_too_large(inner):
            yield "D-52"


def _of_metadata(value):
    for name, inner in value:
        if isinstance(inner, list):
            yield "D-32"
        elif inner is None and name != "@class":
            yield "D-33"


def _of_status(value):
    if isinstance(value, str) and value.strip().upper() in STATUSES and value not in STATUSES:
        yield "D-37"


def _of_stamp(name, value):
    if name == "lastUpdatedTimestamp":
        if _is_too_large(value):
            yield "D-52"
        return
    try:
        if not isinstance(value, (bool, list)) and float(value) < 0:
            yield "D-35"
    except (TypeError, ValueError):
        pass


def _is_too_large(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not -(2**63) <= value < 2**63


def _of_name(value):
    if value and not value.strip():
        yield "D-36"
    if len(value.encode("utf-8", "replace")) > NAME_BYTES_MAX or any(c < " " or "\x7f" <= c <= "\x9f" for c in value):
        yield "D-41"


def _lone(name, value):
    """Half a surrogate pair cannot be written as UTF-8, anywhere in the document."""
    if isinstance(value, str) and _LONE.search(value) or _LONE.search(name):
        yield "D-53"
    for key, inner in value if isinstance(value, _Object) else ():
        yield from _lone(key, inner)
    for inner in value if isinstance(value, list) and not isinstance(value, _Object) else ():
        yield from _lone("", inner)


def _is_long(text):
    return re.fullmatch(r"[+-]?[0-9]+", text) is not None and int(text) in _64_BITS


def _has_other_digits(element):
    """Whether a number of the instance or its lease is written in digits of another script."""
    numbers = [element, *element] if element.tag == "leaseInfo" else [element] if element.tag in NUMBERS else []
    return any(character.isdecimal() and not character.isascii() for one in numbers for character in one.text or "")


def _of_xml(body):
    try:
        root = ET.fromstring(body)
    except (ET.ParseError, ValueError):
        return set()
    found = set()
    if len({child.text for child in root if child.tag == "hostName" and child.text}) > 1:
        found.add("D-75")
    for child in root:
        if _has_other_digits(child):
            found.add("D-69")
        text = "".join([child.text or "", *(inner.tail or "" for inner in child)])
        if child.tag in ("status", "overriddenstatus", "overriddenStatus"):
            found.update(_of_status(text) if text != text.strip() else ())
        elif child.tag == "lastDirtyTimestamp" and text and (not _is_long(text) or int(text) < 0):
            found.add("D-35")
        elif child.tag == "lastUpdatedTimestamp" and not _is_long(text):
            found.add("D-58")
        elif child.tag == "leaseInfo":
            found.update("D-58" for inner in child if not _is_long(inner.text or ""))
        elif child.tag in ("instanceId", "ipAddr", "app", "hostName"):
            found.update(_of_name(text))
        elif child.tag in PORTS and _odd_flag(child.get("enabled")):
            found.add("D-50")
    return found
