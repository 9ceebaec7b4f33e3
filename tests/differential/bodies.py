"""Registrations as clients write them, and as they should not.

Owns a grammar of instance documents, JSON and XML: the shapes of the real clients, each with fields missing, extra, null,
doubled, misspelt, in another order or of the wrong type; and bytes that were damaged on the way. It draws from one generator
of random numbers and nothing else, so that a seed is a sequence.
"""

import json
from xml.sax.saxutils import escape

from .names import TOKEN

# Far from now: a time the server made is never mistaken for one a client sent.
T = 1700000000000
DEFAULT_CLASS = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"
MYOWN = {"@class": DEFAULT_CLASS, "name": "MyOwn"}
STATUSES = ["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"]


class Pairs(list):
    """A JSON object as its members in order, in which a name may occur twice."""


def dirty(rng):
    return T + rng.choice([-10, -1, 0, 0, 0, 1, 10])


def netflix(rng, app, id, host, vip):
    stamp = str(dirty(rng))
    return Pairs({
        "instanceId": id, "hostName": host, "app": app.upper(), "ipAddr": "10.0.0.5", "status": _status(rng),
        "overriddenStatus": "UNKNOWN", "port": {"$": 8080, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"},
        "countryId": 1, "dataCenterInfo": MYOWN,
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 900, "registrationTimestamp": 0, "lastRenewalTimestamp": 0,
                      "evictionTimestamp": 0, "serviceUpTimestamp": 0},
        "metadata": {"management.port": "8080"}, "homePageUrl": f"http://{host}:8080/", "statusPageUrl": f"http://{host}:8080/info",
        "healthCheckUrl": f"http://{host}:8080/health", "vipAddress": vip, "secureVipAddress": vip,
        "isCoordinatingDiscoveryServer": "false", "lastUpdatedTimestamp": stamp, "lastDirtyTimestamp": stamp,
    }.items())  # fmt: skip


def spring(rng, app, id, host, vip):
    stamp = dirty(rng)
    return Pairs({
        "instanceId": id, "app": app.upper(), "appGroupName": None, "ipAddr": "10.0.0.6", "sid": "na",
        "homePageUrl": f"http://{host}:9090/", "statusPageUrl": f"http://{host}:9090/actuator/info",
        "healthCheckUrl": f"http://{host}:9090/actuator/health", "secureHealthCheckUrl": None, "vipAddress": vip,
        "secureVipAddress": vip, "countryId": 1, "dataCenterInfo": MYOWN, "hostName": host, "status": _status(rng),
        "overriddenStatus": "UNKNOWN", "leaseInfo": {"renewalIntervalInSecs": 5, "durationInSecs": 1500},
        "isCoordinatingDiscoveryServer": False, "lastUpdatedTimestamp": stamp, "lastDirtyTimestamp": stamp, "actionType": None,
        "asgName": None, "port": {"$": 9090, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"},
        "metadata": {"management.port": "9090"},
    }.items())  # fmt: skip


def script(rng, app, id, host, vip):
    """What users of eureka-js-client write."""
    return Pairs({
        "app": app, "hostName": id, "ipAddr": "127.0.0.1", "port": {"$": 8080, "@enabled": True}, "vipAddress": vip,
        "dataCenterInfo": MYOWN, "status": "UP",
    }.items())  # fmt: skip


def fargo(rng, app, id, host, vip):
    return Pairs({
        "instanceId": id, "hostName": host, "app": app, "ipAddr": "10.0.0.7", "vipAddress": vip, "secureVipAddress": "",
        "status": _status(rng), "overriddenstatus": "", "port": {"$": "9090", "@enabled": "true"},
        "securePort": {"$": "0", "@enabled": "false"}, "homePageUrl": "", "statusPageUrl": "", "healthCheckUrl": "", "countryId": 0,
        "dataCenterInfo": {"name": "MyOwn", "@class": "com.netflix.appinfo.MyDataCenterInfo"},
        "leaseInfo": {"renewalIntervalInSecs": 0, "durationInSecs": 0, "registrationTimestamp": 0, "lastRenewalTimestamp": 0,
                      "evictionTimestamp": 0, "serviceUpTimestamp": 0},
        "metadata": {"@class": "java.util.Collections$EmptyMap", "a": "b"},
    }.items())  # fmt: skip


def amazon(rng, app, id, host, vip):
    body = netflix(rng, app, id, host, vip)
    center = {"@class": "com.netflix.appinfo.AmazonInfo", "name": "Amazon", "metadata": {
        "instance-id": id, "ami-id": "ami-1", "instance-type": "m1.large", "local-ipv4": "10.1.1.1", "public-ipv4": "203.0.113.4",
        "public-hostname": host, "availability-zone": "us-east-1a", "my_own": "x"}}  # fmt: skip
    for key in rng.sample(list(center["metadata"]), rng.randrange(4)):
        del center["metadata"][key]
    put(body, "dataCenterInfo", center)
    put(body, "asgName", "asg-1")
    if rng.random() < 0.3:
        drop(body, "instanceId")
    return body


def minimal(rng, app, id, host, vip):
    return Pairs({"hostName": id, "app": app, "ipAddr": "10.0.0.8", "dataCenterInfo": MYOWN}.items())


def deadly(rng, body):
    """What the released server never answers, or never recovers from."""
    for name in ("metadata", "leaseInfo"):
        yield to_json(rng, Pairs([*body, (name, [])]))
    yield b'{"instance":[]}'
    # What Steeltoe sends on Amazon.
    yield to_json(rng, Pairs([*((key, value) for key, value in body if key != "dataCenterInfo"), ("dataCenterInfo", {"@class": DEFAULT_CLASS, "name": "Amazon"})]))


SHAPES = [netflix, netflix, netflix, spring, spring, script, fargo, amazon, minimal]


def _status(rng):
    return rng.choice(["UP", "UP", "UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"])


def put(body, key, value):
    """Sets a member in its place, or at the end."""
    for at, (name, _) in enumerate(body):
        if name == key:
            body[at] = (key, value)
            return
    body.append((key, value))


def drop(body, key):
    body[:] = [(name, value) for name, value in body if name != key]


ODD_VALUES = [
    77, 0, -1, 1.5, 1e3, True, False, "", " ", "abc", "8080", "-1", "1.5", " 12 ", "true", "False", "ä€", "🙂", "a\tb\nc", "q\"'<&>]]>", 2147483647,
    2147483648, "2147483648", -2147483648, 9223372036854775807, "1e3", "0x10", "٣", "NaN", "null", "  x  ", "\u0001", "\u007f", "\ud83d",
]  # fmt: skip
NESTED = [{}, {"a": "b"}, {"status": "DOWN"}, ["x"], [1, {"a": 2}], [[]], {"a": {"b": {"c": []}}}]
TEXT_FIELDS = [
    "instanceId", "hostName", "ipAddr", "sid", "appGroupName", "homePageUrl", "statusPageUrl", "healthCheckUrl", "secureHealthCheckUrl",
    "vipAddress", "secureVipAddress", "asgName",
]  # fmt: skip
SCALAR_FIELDS = [*TEXT_FIELDS, "status", "overriddenStatus", "overriddenstatus", "countryId", "lastDirtyTimestamp",
                 "lastUpdatedTimestamp", "isCoordinatingDiscoveryServer", "actionType"]  # fmt: skip
METADATA_KEYS = ["a", "my_key", "weird key", "1x", "-dash", "$d", "ä", "a.b", "@x", "a__b", "_-", "zone", "A", "é_", "日本", "x" * 40, "@class", "instance", "_.0041"]


def _edit(rng, body):
    """One change to a registration. Most stay acceptable; many do not."""
    way = rng.random()
    fields = [name for name, _ in body]
    if way < 0.16:
        drop(body, rng.choice(fields or ["app"]))
    elif way < 0.30:
        put(body, rng.choice(SCALAR_FIELDS), None)
    elif way < 0.34:
        put(body, rng.choice(["port", "securePort", "dataCenterInfo", "leaseInfo", "metadata", "app"]), None)
    elif way < 0.52:
        put(body, rng.choice(SCALAR_FIELDS), rng.choice(ODD_VALUES))
    elif way < 0.55:
        put(body, rng.choice(SCALAR_FIELDS), rng.choice(NESTED))
    elif way < 0.60:
        body.insert(rng.randrange(len(body) + 1), ("extra", rng.choice(ODD_VALUES + [None])))
    elif way < 0.62:
        body.insert(rng.randrange(len(body) + 1), ("extra", rng.choice(NESTED)))
    elif way < 0.70:
        put(body, "metadata", _metadata(rng))
        if rng.random() < 0.1:
            drop(body, "instanceId")
    elif way < 0.76:
        put(body, rng.choice(["port", "securePort"]), _port(rng))
    elif way < 0.82:
        put(body, "leaseInfo", _lease(rng))
    elif way < 0.86:
        put(body, "dataCenterInfo", _center(rng))
    elif way < 0.90:
        put(body, rng.choice(["status", "overriddenStatus", "overriddenstatus"]), rng.choice([*STATUSES, "up", "Down", "BOGUS", "", " UP "]))
    elif way < 0.93 and body:
        name, value = rng.choice(body)
        body.insert(rng.randrange(len(body) + 1), (name, rng.choice([value, rng.choice(ODD_VALUES)])))
    elif way < 0.97:
        rng.shuffle(body)
    else:
        put(body, "app", rng.choice(["", " ", 7, f"{TOKEN}OTHER", f" {TOKEN}PAY", f"{TOKEN}PAY "]))


def _metadata(rng):
    pool = [*ODD_VALUES, "v", "v", "a,b"] + ([None] if rng.random() < 0.3 else [])
    entries = {rng.choice(METADATA_KEYS): rng.choice(pool) for _ in range(rng.randrange(5))}
    if rng.random() < 0.12:
        entries[rng.choice(METADATA_KEYS)] = rng.choice(NESTED)
    if rng.random() < 0.12:
        entries[rng.choice(["", "a:b", "\u0001", "instanceId"])] = "v"
    return entries


def _port(rng):
    port = {}
    if rng.random() < 0.8:
        port["$"] = rng.choice([8080, 0, -1, "9090", "abc", "", None, 70000, 1.5, True, 2147483648, "12x"])
    if rng.random() < 0.8:
        port["@enabled"] = rng.choice([True, False, "true", "false", "True", "FALSE", "yes", "", None, 1, 0, "1"])
    if rng.random() < 0.08:
        port[rng.choice(["enabled", "port", "x"])] = rng.choice([1, "x", {}])
    return rng.choice([port] * 12 + [8080, "8080", True])


def _lease(rng):
    pool = [30, 90, 0, -1, "60", "abc", "", None, 1.5, 2147483647, True, 900, 2147483648]
    lease = {key: rng.choice(pool) for key in ("renewalIntervalInSecs", "durationInSecs") if rng.random() < 0.8}
    for key in ("registrationTimestamp", "serviceUpTimestamp", "evictionTimestamp", "lastRenewalTimestamp", "renewalTimestamp", "x"):
        if rng.random() < 0.25:
            lease[key] = rng.choice([0, T, str(T), "abc", None, -5])
    return lease


def _center(rng):
    name = rng.choice(["MyOwn", "MyOwn", "Netflix", "Amazon", "myown", "Other", "", None, 7])
    kind = "com.netflix.appinfo.AmazonInfo" if name == "Amazon" else DEFAULT_CLASS
    center = {"@class": rng.choice([kind] * 5 + ["com.netflix.appinfo.MyDataCenterInfo", "java.lang.String", "", None]), "name": name}
    if name == "Amazon" and rng.random() < 0.8 or rng.random() < 0.05:
        center["metadata"] = {key: rng.choice(["v", 1, None]) for key in ("ipv6", "mac", "x y") if rng.random() < 0.5}
    for key in list(center):
        if rng.random() < 0.06:
            del center[key]
    members = list(center.items())
    rng.shuffle(members)
    return dict(members)


def edited(rng, body, edits):
    for _ in range(edits):
        _edit(rng, body)
    return body


def to_json(rng, body, root="instance"):
    """The registration as JSON text, compact or spaced, escaped or not."""
    gap = rng.choice(["", "", "", " ", "\n  "])
    plain = rng.random() < 0.7

    def write(value):
        if isinstance(value, (Pairs, dict)):
            members = value if isinstance(value, Pairs) else value.items()
            return "{" + ",".join(f"{gap}{write(str(key))}:{gap}{write(item)}" for key, item in members) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(write, value)) + "]"
        return json.dumps(value, ensure_ascii=not plain)

    return ("{" + gap + json.dumps(root) + ":" + gap + write(body) + gap + "}").encode("utf-8", "replace")


def _element(name):
    """A metadata key as XStream writes it, roughly."""
    out = ""
    for letter in name:
        out += {"_": "__", "$": "_-"}.get(letter) or (letter if letter.isalnum() or letter in ".-" else f"_.{ord(letter):04x}")
    return out if out[:1].isalpha() or out[:1] == "_" else f"_.{ord(name[0]):04x}{out[1:]}" if name else "x"


def to_xml(rng, body):
    """The registration as XML text, pretty or not, with the oddities that XML allows."""
    end = rng.choice(["", "", "\n  "])

    def scalar(value):
        if value is None:
            return ""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        text = "".join(c for c in text if c >= " " or c in "\t\n")
        if rng.random() < 0.03 and "]]>" not in text:
            return f"<![CDATA[{text}]]>"
        return escape(text, {'"': "&quot;"} if rng.random() < 0.5 else {})

    def write(name, value, inside=""):
        attributes = ""
        if isinstance(value, dict):
            attributes = "".join(f' {key[1:]}="{scalar(item)}"' for key, item in value.items() if key.startswith("@") and key[1:])
            if "$" in value:
                return f"<{name}{attributes}>{scalar(value['$'])}</{name}>"
            coded = inside == "metadata" or name == "metadata"
            text = "".join(end + write(_element(key) if coded else key, item, name) for key, item in value.items() if key[:1] not in "@$" and key)
            return f"<{name}{attributes}>{text}</{name}>"
        if isinstance(value, list):
            return f"<{name}>" + "".join(write("string", item) for item in value) + f"</{name}>"
        if value is None and rng.random() < 0.5:
            return f"<{name}/>"
        return f"<{name}>{scalar(value)}</{name}>"

    fields = []
    for key, value in body:
        if value is None and rng.random() < 0.8:
            continue
        fields.append(end + write("overriddenstatus" if key == "overriddenStatus" else key, value))
    text = "<instance>" + "".join(fields) + "</instance>"
    if rng.random() < 0.1:
        text = '<?xml version="1.0" encoding="UTF-8"?>' + text
    if rng.random() < 0.05:
        text = text.replace("<hostName>", "<!-- a -->\n<hostName>")
    return text.encode("utf-8", "replace")


def damaged(rng, body):
    """Some bytes changed, dropped, doubled, or the end cut off."""
    body = bytearray(body)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not body:
            break
        at = rng.randrange(len(body))
        way = rng.random()
        if way < 0.35:
            body[at] = rng.choice(b"\"{}[]:,<>&/\\ \x00\xff0a'-")
        elif way < 0.6:
            del body[at : at + rng.choice([1, 1, 1, 5, 30])]
        elif way < 0.75:
            body[at:at] = bytes(body[at : at + rng.choice([1, 5, 40])])
        elif way < 0.85:
            body[at:at] = rng.choice([b"\xff", b"\xc3\xa4", b"\x00", b"&x;", b"&amp;", b"<a/>", b"null", b'"a":1,', b"\xef\xbb\xbf", b"&#1;", b"<!-- x -->", b"\\u00e4"])
        elif way < 0.95:
            del body[at:]
        else:
            body += rng.choice([b"x", b"}", b"{}", b"<a/>", b"\n\n", b"\x00"])
    return bytes(body)
