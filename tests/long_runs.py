"""``make test-long``: what shorter tests show too, repeated for long; its figures go into the docs.

``python -m tests.long_runs --help`` tells how to run a part of it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "long"
PAGE = ROOT / "docs" / "long-tests-results.rst"
_PART = ".. The long run"
"""Begins the section of each on the page."""
_PYTHON = ".venv/bin/python"
_PYTEST = f"{_PYTHON} -m pytest -q -p no:cacheprovider -o timeout=14400"
"""Only a fault meets that time-out, in seconds: one property may take an hour here."""


@frozen
class LongRun:
    """One thing that is repeated for long."""

    name: str
    what: str
    """What it repeats."""
    command: str
    """With ``{size}`` where it says how long; run by a shell in the checkout, as the page shows it."""
    size: int
    quick: int
    """A size at which it takes a minute, to see that it works."""
    figures: str
    """A pattern of the lines of its output that go into the docs."""

    def at(self, quick: bool) -> str:
        """The command at one of its sizes."""
        return self.command.format(size=self.quick if quick else self.size)


RUNS = (
    LongRun(
        "marked", "Every test that is marked ``long``",
        f"{_PYTEST} -n {{size}} -m long tests", 2, 2, r"\d+ passed",
    ),
    LongRun(
        "properties", "Properties with 50 times as many examples as ``make test`` tries",
        f"CTIEX_EXAMPLES={{size}} {_PYTEST} -n 2 $(grep -l 'effort import' tests/test_*.py)", 20, 1, r"\d+ passed",
    ),
    LongRun(
        "kill", "SIGKILL of the exchange under load, and a restart on the same store, so many times",
        f"CTIEX_KILL_ROUNDS={{size}} {_PYTEST} -s tests/test_kill.py -k everything_acknowledged", 300, 3,
        r"SIGKILLs|passed",
    ),
    LongRun(
        "simulate", "Calls through the simulated system, with every kind of fault, 10,000 for each seed",
        ".venv/bin/ctiex simulate --calls 10000 --seed 1 --seeds {size}", 10, 1, r"^(seed|calls|promises|processor)",
    ),
    LongRun(
        "walks", "Random walks of calls, transfers, hand-offs, cuts and restarts with Asterisk's driver",
        f"{_PYTHON} -m tests.asterisk_walk {{size}}", 20_000, 500, r"^walks|BROKEN",
    ),
    LongRun(
        "call-walks", "Random sequences of orders, telephones, refusals and losses with call control",
        f"{_PYTHON} -m tests.call_control_walk {{size}}", 100_000, 2_000, r"^walks|BROKEN",
    ),
    LongRun(
        "telephony-cti", "Call control with real telephones, whole",
        f"{_PYTEST} -n {{size}} -m telephony_cti tests/telephony", 4, 4, r"\d+ passed",
    ),
    LongRun(
        "frames", "Mutated frames on both links of a running exchange",
        f"{_PYTHON} -m fuzz.frames --seed 1 --frames {{size}}", 1_000_000, 20_000,
        r"codec|fuzzed|hand-offs|median|growth|BROKEN",
    ),
    LongRun(
        "hostile", "So many times as many hostile peers as in the short run, of every kind",
        f'CTIEX_HOSTILE_SCALE={{size}} {_PYTEST} -s -m "long or not long" tests/test_hostile_peers.py', 4, 1,
        r"^[a-zA-Z ().-]+ +[\d,]+ +\d+ +\d+ |passed",
    ),
)  # fmt: skip


@frozen
class Outcome:
    """What came of one."""

    run: LongRun
    command: str
    code: int
    seconds: float
    lines: list[str]

    @property
    def told(self) -> str:
        """How it ended."""
        return f"{'passed' if self.code == 0 else 'FAILED'} in {self.seconds / 60:.1f} min"


def done(run: LongRun, quick: bool) -> Outcome:
    """Run it to its end, and keep all that it says."""
    command, path, begun = run.at(quick), OUTPUT / f"{run.name}.txt", time.monotonic()
    print(f"{run.name}: {command}", flush=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT)))}
    with path.open("w") as output:
        code = subprocess.call(command, shell=True, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT)
    lines = [line.rstrip() for line in path.read_text().splitlines() if re.search(run.figures, line)]
    outcome = Outcome(run, command, code, time.monotonic() - begun, lines)
    print(f"  {outcome.told}; all of it is in {path}", *lines, sep="\n  ", flush=True)
    return outcome


def section(one: Outcome, commit: str) -> str:
    """The figures of one of them, for the page."""
    day = datetime.now(UTC).strftime("%d %B %Y").lstrip("0")
    told = f"{one.run.what}: {one.told}.\n\nOf {day}, commit ``{commit}``, on a machine with {os.cpu_count()} cores.\n"
    lines = "".join(f"   {line}".rstrip() + "\n" for line in (f"$ {one.command}", "", *one.lines))
    return f"{_PART} {one.run.name}\n\n{told}\n.. code-block:: text\n\n{lines}"


def page(sections: Mapping[str, str], before: str) -> str:
    """The page of the docs with these sections; those of the page before stay where there is no new one."""
    old = {part.split()[0]: f"{_PART}{part}".rstrip() + "\n" for part in before.split(_PART)[1:]}
    parts = [{**old, **sections}[run.name] for run in RUNS if run.name in {*old, *sections}]
    title = "The long tests: their last figures"
    head = f"{title}\n{'=' * len(title)}\n\n.. Written by make test-long.\n"
    return "\n".join([head, *parts])


def commit() -> str:
    """The commit that is checked out, and whether something has been changed since."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 where one of them failed."""
    names = [run.name for run in RUNS]
    parser = argparse.ArgumentParser(prog="python -m tests.long_runs", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help=f"this one; may come again. {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="each small: does it work?")
    chosen = parser.parse_args(arguments)
    outcomes = [done(run, chosen.quick) for run in RUNS if run.name in (chosen.only or names)]
    if not chosen.quick:
        PAGE.write_text(page({one.run.name: section(one, commit()) for one in outcomes}, PAGE.read_text()))
        print(f"written: {PAGE.relative_to(ROOT)}")
    return int(any(one.code for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
