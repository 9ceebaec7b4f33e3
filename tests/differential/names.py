"""Names of applications, instances and virtual addresses, and the many ways in which clients write them into a path.

Owns the place holder that every name carries: each execution of a sequence replaces it by a tag of its own, so that what one
leaves behind (deltas of three minutes, cached lists) is never taken for the work of another.
"""

import re
from urllib.parse import quote

TOKEN = "QZQZ"
_t = TOKEN.lower()

PLAIN_APPS = [f"{TOKEN}PAY", f"{TOKEN}-demo", f"{_t}.x_1"]
ODD_APPS = [f"{_t}ä", f"{TOKEN} b", f"{TOKEN}+c", f"{TOKEN}%d", f"{TOKEN};f=g", f"{_t}straße", f"{TOKEN}:k", f"{_t}日本", f"{_t}ŉ", f"{TOKEN}/e"]
PLAIN_IDS = [f"h1:{_t}:8080", f"i-{_t}", f"{_t}.example"]
ODD_IDS = [
    f"{_t} a", f"{_t}+b", f"{_t}%c", f"{_t};e=f", f"{_t}#1.[3.?]!", f"{_t}ä", f"🙂{_t}", f"{_t}~'()*", f"..{_t}", f'{_t}"q<&>',
    f"{TOKEN}i", f"{_t}/d", f"{_t}=v&w", f"{_t}@h,i", f"{_t}%2F", f"${{{_t}}}", f"{_t}|^`",
]  # fmt: skip
VIPS = [f"v1.{_t}", f"{_t}-va,{_t}-vb", f"{_t}ä", f"{_t}-va , {_t}-vc", f"V1.{_t}"]


def tag(number):
    """The tag of the `number`th execution: as long as the token, never part of a number or a word."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    text = ""
    for _ in range(3):
        number, digit = divmod(number, len(digits))
        text = digits[digit] + text
    return f"X{text}"


def encode(rng, name):
    """`name` as one segment of a path, in one of the ways of clients: most often the right one."""
    way = rng.random()
    if way < 0.6:
        return quote(name, safe=":")
    if way < 0.8:
        return quote(name, safe="")
    if way < 0.88:  # JavaScript and Go send what RFC 3986 allows as it is.
        return quote(name, safe=":@!$&'()*+,=~")
    if way < 0.92:
        return re.sub("%..", lambda escape: escape[0].lower(), quote(name, safe=":"))
    if way < 0.95:  # Steeltoe
        return quote(name, safe="").replace("%20", "+")
    if way < 0.97:
        return quote(name, safe=":") + ";v=1"
    return quote(name, safe=":/;+")
