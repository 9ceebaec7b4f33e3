"""A page as it is followed: its command blocks, and what they must say.

In a ```sh block every line is run, in order, in one shell for the whole page. Two kinds of comment are read:

    # => text     the output since the last such comment has a line with this text; `…` stands for anything
    # exit N      the command before ends with N (without it: with 0)

Blocks of any other kind are for the reader.
"""

import re
from dataclasses import dataclass, field

OPENING = re.compile(r"^```sh\s*$")
CLOSING = re.compile(r"^```\s*$")
EXPECTED = re.compile(r"^# => (.+)$")
EXIT = re.compile(r"^# exit (\d+)$")


class BadPage(Exception):
    """A page that cannot be followed."""


@dataclass
class Chunk:
    """Lines that are run together, and what they must say."""

    line: int
    lines: list = field(default_factory=list)
    expected: list = field(default_factory=list)
    code: int = 0

    def missing(self, output):
        """The first expectation that `output` does not meet, or None."""
        for text in self.expected:
            pattern = ".*".join(re.escape(part) for part in text.split("…"))
            if not re.search(pattern, output):
                return text
        return None


def chunks(path):
    """The chunks of the page at `path`."""
    found, block = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if block is None:
            if OPENING.match(line):
                block = Chunk(number + 1)
        elif CLOSING.match(line):
            found.extend([block] if block.lines else [])
            block = None
        else:
            block = take(found, block, number, line)
    if block is not None:
        raise BadPage(f"{path.name}: a block is not closed")
    if not found:
        raise BadPage(f"{path.name}: no command to follow")
    return found


def take(found, block, number, line):
    """Adds a line; a line behind an expectation begins a new chunk."""
    expected, code = EXPECTED.match(line), EXIT.match(line)
    if expected or code:
        if not block.lines:
            raise BadPage(f"line {number}: nothing was run before {line}")
        if expected:
            block.expected.append(expected[1])
        else:
            block.code = int(code[1])
        return block
    if (block.expected or block.code) and line.strip():
        found.append(block)
        block = Chunk(number)
    if line.strip() and (block.lines or not line.startswith("# ")):
        block.lines.append(line)
    return block


def script(prelude, found):
    """One shell script: each chunk says into its own file, and the last number begun into `at`."""
    parts = [prelude, "exec 3>&1"]
    for place, chunk in enumerate(found):
        parts.append(f'printf {place} >"$RUN/at"; exec >"$RUN/out-{place}" 2>&1')
        body = "\n".join(chunk.lines)
        if chunk.code == 0:
            parts.append(f"set -e\n{body}\nset +e")
        else:
            wrong = f'printf "ended with %s, not {chunk.code}\\n" "$code"; exit 1'
            parts.append(f"{body}\ncode=$?; [ $code -eq {chunk.code} ] || {{ {wrong}; }}")
    parts.append(f'printf {len(found)} >"$RUN/at"')
    return "\n".join(parts) + "\n"
