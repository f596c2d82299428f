"""``python -m benchmarks.in_memory``: what each kind of message costs a whole exchange, without sockets.

Sockets make a figure swing by several percent from one run to the next; this one repeats to one. Each process of
several measures many rounds (``benchmarks/whole_exchange.py``): a few messages of a kind at a time, by the processor's
time of the thread, and of each such piece one of the least times of all rounds. ``--beside PATH`` measures another
checkout, such as a worktree of the commit before, round by round in turns with this one, and says what has become
dearer. A calibration loop runs in both; its row tells how far the two were measured alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.beside import Verdict, checkout, told
from benchmarks.compiling import CACHE
from benchmarks.whole_exchange import CALIBRATION, Took, undisturbed

RESULTS = CACHE / "in-memory.json"
_PAIRS, _ROUNDS = 16, 80
MOST = 1.03
"""How many times its cost beside it a kind of message may have."""
Figures = Mapping[str, float]
"""Of each kind: microseconds for a message."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_memory", description=__doc__)
    parser.add_argument("--beside", type=checkout, metavar="PATH", help="another checkout, measured in turns")
    parser.add_argument("--processes", type=int, default=_PAIRS, help="how many measure each checkout")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of each process")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON file")
    return parser.parse_args(arguments)


class Measuring:
    """A process that measures a checkout, a round whenever it is told to."""

    def __init__(self, root: Path, seed: int) -> None:
        """Start it, and wait until it is warm.

        :param seed: of the hashes of texts: where they lie in tables costs a percent, one way or the other.
        """
        path = os.pathsep.join([str(root / "src"), str(machine.ROOT)])
        variables = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-m", "benchmarks.whole_exchange"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=machine.ROOT, env=variables, bufsize=1
        )
        found = self._answer()
        if Path(found).resolve() != (root / "src" / "ctiex").resolve():
            self.close()
            raise SystemExit(f"{root} was to be measured, and {found} was")

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("it can't be measured: its process has ended")
        return json.loads(line)

    def round(self) -> Took:
        """What its pieces took."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        took: Took = self._answer()
        return took

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def in_turns(roots: Sequence[Path], processes: int, rounds: int) -> list[list[Figures]]:
    """What each pair of processes has found of each checkout; now the one is first, now the other."""
    return [_pair(roots, seed, rounds) for seed in range(processes)]


def _pair(roots: Sequence[Path], seed: int, rounds: int) -> list[Figures]:
    with ExitStack() as stack:
        measuring = []
        for root in roots:
            measuring.append(Measuring(root, seed))
            stack.callback(measuring[-1].close)
        found: list[list[Took]] = [[] for _ in roots]
        for number in range(rounds):
            order = list(zip(found, measuring, strict=True))
            for took, process in order if number % 2 else reversed(order):
                took.append(process.round())
    print(f"  process {seed + 1} is done", file=sys.stderr, flush=True)
    return [undisturbed(took) for took in found]


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median, the least and the most."""
    return {"median": median(values), "least": min(values), "most": max(values)}


def table(processes: Sequence[Figures]) -> dict[str, dict[str, float]]:
    """Of each kind: microseconds, and turns of the calibration loop with their spread over the processes."""
    loops = {kind: [one[kind] / one[CALIBRATION] for one in processes] for kind in processes[0]}
    return {kind: {"us": median(one[kind] for one in processes), **spread(each)} for kind, each in loops.items()}


def compared(pairs: Sequence[Sequence[Figures]]) -> list[Verdict]:
    """Of each kind that both have, how many times the other's cost this one's is, in each pair."""
    kinds = [kind for kind in pairs[0][0] if kind in pairs[0][1]]
    return [Verdict(kind, [here[kind] / there[kind] for here, there in pairs], MOST) for kind in kinds]


def tell(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print the table."""
    print(f"{'':<24}{'us':>9}{'turns':>9}   spread over the processes")
    for kind, row in rows.items():
        around = f"{row['least'] / row['median'] - 1:+.1%} {row['most'] / row['median'] - 1:+.1%}"
        print(f"{kind:<24}{row['us']:>9.1f}{row['median']:>9.2f}   {around}")


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 where something costs more than it did beside it."""
    chosen = options(arguments)
    roots = [machine.ROOT, *([chosen.beside] if chosen.beside else [])]
    pairs = in_turns(roots, chosen.processes, chosen.rounds)
    results: dict[str, Any] = {"about": machine.about(), "kinds": table([pair[0] for pair in pairs])}
    tell(results["kinds"])
    verdicts = compared(pairs) if chosen.beside else []
    results["beside"] = {one.name: {**spread(one.ratios), "red": one.red} for one in verdicts}
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    chosen.results.write_text(json.dumps(results, indent=1) + "\n")
    return told(verdicts, chosen.beside)


if __name__ == "__main__":
    raise SystemExit(main())
