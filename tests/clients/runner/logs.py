"""What a client complained of in its log: its lines of level warning and above, without what differs from run to run."""

import re

# The first of these words in the head of a line is its level. In small letters only where it is named as one: traces say "error".
NAMES = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE|PANIC"
LEVELS = re.compile(rf"\b({NAMES})\b|\blevel=({NAMES.lower()})\b")
LOUD = {"WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "SEVERE", "PANIC"}
LEVEL_WITHIN = 120
COMPLAINT_CHARACTERS_MAX = 200
# In this order: an address is no number, an application's name in capitals no level.
VARYING = (
    (re.compile(r"https?://[^\s\"',\])]+"), "URL"),
    (re.compile(r"\b127\.0\.0\.1(:\d+)?\b|\blocalhost(:\d+)?\b"), "HOST"),
    (re.compile(r"\b[0-9a-f]{8,}\b|0x[0-9a-f]+|@[0-9a-f]{4,}", re.IGNORECASE), "HEX"),
    (re.compile(r"\d+"), "#"),
)


def complaints(log, begin=0, end=None):
    """The set of loud lines between two byte offsets of the file `log`."""
    text = log.read_bytes()[begin:end].decode(errors="replace")
    return {normal(line) for line in text.splitlines() if is_loud(line)}


def is_loud(line):
    level = LEVELS.search(line[:LEVEL_WITHIN])
    return bool(level) and (level[1] or level[2]).upper() in LOUD


def normal(line):
    """From the level on, so without time and thread; numbers, addresses and identities replaced."""
    text = line[LEVELS.search(line).start() :]
    for varying, name in VARYING:
        text = varying.sub(name, text)
    return " ".join(text.split())[:COMPLAINT_CHARACTERS_MAX]
