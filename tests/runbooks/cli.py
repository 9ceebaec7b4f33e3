"""scripts/runbooks: which pages are followed, and the table of how that went."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from . import page, scenes
from .stage import Stage

PAGE_SECONDS_MAX = 120
OUTPUT_LINES_SHOWN = 25


class Followed:
    """How one page went."""

    def __init__(self, name):
        self.name, self.commands, self.seconds, self.failure, self.output = name, 0, 0.0, None, ""

    @property
    def verdict(self):
        return "ok" if self.failure is None else f"FAIL: {self.failure}"


def main(root, arguments):
    pages = sorted(path.stem for path in (root / "docs" / "runbooks").glob("*.md") if path.stem != "README")
    parser = argparse.ArgumentParser(prog="scripts/runbooks", description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="NAME", help=f"all by default: {', '.join(pages)}")
    parser.add_argument("--keep", action="store_true", help="leave the directories of failed pages")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.pages) - set(pages)
    if unknown:
        parser.error(f"no page {', '.join(sorted(unknown))}; there are {', '.join(pages)}")
    binary = the_binary(root)
    results = []
    for name in chosen.pages or pages:
        results.append(follow(root, name, binary, chosen.keep))
        print(row(results[-1]), flush=True)
    failed = [result for result in results if result.failure]
    for result in failed:
        print(f"\n--- {result.name}: {result.failure}\n{result.output}", file=sys.stderr)
    print(f"\n{len(results) - len(failed)} of {len(results)} pages hold, {sum(r.seconds for r in results):.0f} s")
    return 1 if failed else 0


def the_binary(root):
    named = os.environ.get("EUREKA_RAFT_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    binary = Path(named).resolve() if named else target / "release" / "eureka-raft"
    if not binary.exists():
        sys.exit(f"runbooks: there is no {binary}: cargo build --release --locked, or name one in EUREKA_RAFT_BIN")
    return binary


def follow(root, name, binary, keep):
    result, began = Followed(name), time.monotonic()
    stage = Stage(binary)
    try:
        found = page.chunks(root / "docs" / "runbooks" / f"{name}.md")
        result.commands = len(found)
        scenes.of(name)(stage)
        judge(result, stage, found, run(stage, found))
    except scenes.Skip as skip:
        result.output = str(skip)
        result.failure = None if os.geteuid() else str(skip)
    except (page.BadPage, TimeoutError, OSError, subprocess.SubprocessError) as error:
        result.failure = str(error)
    finally:
        if keep and result.failure:
            print(f"kept: {stage.root}", file=sys.stderr)
            stage.kill(*[home.name for home in stage.root.iterdir() if home.name.startswith("node-")])
        else:
            stage.close()
    result.seconds = time.monotonic() - began
    return result


def run(stage, found):
    """Runs the page's script; answers why it ended early, or None."""
    prelude = (Path(__file__).parent / "prelude.sh").read_text()
    script = stage.root / "page.sh"
    script.write_text(page.script(prelude, found))
    environment = {
        **os.environ,
        "STAGE": str(stage.root),
        "RUN": str(stage.root),
        "PATH": f"{stage.binary.parent}:{os.environ['PATH']}",
        "EUREKA_RAFT_SERVER": stage.servers(),
        "MOVED_HTTP": f"127.0.0.1:{stage.spare[0]}",
        "MOVED_PEER": f"127.0.0.1:{stage.spare[1]}",
    }
    try:
        ended = subprocess.run(
            ["bash", script], cwd=stage.root, env=environment, stdin=subprocess.DEVNULL,
            timeout=PAGE_SECONDS_MAX, check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {PAGE_SECONDS_MAX} s"
    return None if ended.returncode == 0 else f"a command ended with {ended.returncode}"


def judge(result, stage, found, failure):
    at = int((stage.root / "at").read_text() or 0)
    for place, chunk in enumerate(found[: at + 1]):
        path = stage.root / f"out-{place}"
        output = path.read_text(errors="replace") if path.exists() else ""
        missing = chunk.missing(output)
        if failure and place == at:
            result.failure = f"line {chunk.line}: {failure}"
        elif missing:
            result.failure = f"line {chunk.line}: nothing said {missing!r}"
        if result.failure:
            logs = "\n".join(f"{home.name}: {stage.log(home.name)}" for home in sorted(stage.root.glob("node-*")))
            said = "\n".join(output.splitlines()[-OUTPUT_LINES_SHOWN:])
            commands = "\n".join(f"$ {line}" for line in chunk.lines)
            result.output = f"{commands}\n{said}\n{logs}"
            return


def row(result):
    return f"{result.name:<22} {result.commands:>3} blocks {result.seconds:>6.1f} s  {result.verdict}"
