"""``python -m benchmarks``: measures everything, or what ``--only`` names, and holds it against what was promised."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import beside, machine, page
from benchmarks.contenders import CONTENDERS
from benchmarks.generator import WrongAnswer, language
from benchmarks.goals import goals
from benchmarks.parts import answers, calls, client_side, growth, latency, memory
from benchmarks.results import RESULTS, Results
from benchmarks.settings import Settings
from benchmarks.shots import Effort

PARTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "answers": answers.measure,
    "client-side": client_side.measure,
    "calls": calls.measure,
    "latency": latency.measure,
    "memory": memory.measure,
    "growth": growth.measure,
}
_FULL, _QUICK = (1.0, 7), (0.25, 2)
_MANY_FILES = 16_384
_BUSY = 0.5
"""A load of the machine that disturbs."""


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, default=[], metavar="PART",
                        help=f"measure this part; may come again. {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--server", action="append", choices=CONTENDERS, default=[],
                        metavar="NAME",
                        help=f"compare this server; may come again. {', '.join(CONTENDERS)}")  # fmt: skip
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK", "") not in ("", "0"),
                        help="everything short and small; QUICK=1 does the same")  # fmt: skip
    parser.add_argument("--seconds", type=float, help="length of a shot")
    parser.add_argument("--rounds", type=int, help="shots at each target")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the shots")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the JSON file")
    parser.add_argument("--directory", help="on the disk that the durable store is measured on")
    parser.add_argument("--beside", type=beside.checkout, metavar="PATH",
                        help="measure nothing but this checkout's exchange beside another one's, in turns")  # fmt: skip
    parser.add_argument("--page", action="store_true", help="measure nothing: write the results into docs/")
    chosen = parser.parse_args()
    seconds, rounds = _QUICK if chosen.quick else _FULL
    chosen.seconds = chosen.seconds or seconds
    chosen.rounds = chosen.rounds or rounds
    return chosen


def measure(chosen: argparse.Namespace, results: Results) -> int:
    """Measure the parts, one after the other, each in the file once it is done; or beside another checkout.

    :return: the exit code.
    """
    machine.may_open(_MANY_FILES)
    machine.stay_off_the_server()
    if machine.load_cores() == machine.cores():
        print("There is one core: load and servers share it, and the figures mean little.", flush=True)
    if os.getloadavg()[0] > _BUSY:
        print(f"The machine is busy (load {os.getloadavg()[0]:.1f}): the figures will swing.", flush=True)
    with tempfile.TemporaryDirectory(prefix="ctiex-bench-", dir=chosen.directory) as name:
        settings = Settings(
            Path(name),
            Effort(chosen.seconds, chosen.rounds),
            Random(chosen.seed),
            chosen.quick,
            chosen.server or list(CONTENDERS),
        )
        if chosen.beside:
            verdicts, on = beside.measure(settings, chosen.beside), about(chosen)
            results.put("beside", {**on, "there": str(chosen.beside)}, beside.figures(verdicts))
            results.write(chosen.results)
            return beside.told(verdicts, chosen.beside)
        for part in chosen.only or PARTS:
            print(f"{part}:", flush=True)
            begun, on = time.monotonic(), about(chosen)
            figures = PARTS[part](settings)
            results.put(part, {**on, "took_seconds": round(time.monotonic() - begun)}, figures)
            results.write(chosen.results)
    return 0


def about(chosen: argparse.Namespace) -> dict[str, Any]:
    """What the figures of a part depend on."""
    return {
        **machine.about(),
        "seconds": chosen.seconds,
        "rounds": chosen.rounds,
        "seed": chosen.seed,
        "quick": chosen.quick,
        "generator": language(),
    }


def tell(results: Results) -> None:
    """Print what was promised, and what came of it."""
    print("\nWhat was promised:")
    for one in goals(results):
        measured = "-" if one.measured is None else f"{one.measured:,.2f}"
        marks = f"{'<=' if one.at_most else '>='} {one.must:,g}" + ("" if one.goal is None else f" (goal {one.goal:g})")
        print(f"  {page.plain(one.text):<78} {measured:>10} {marks:<18} {one.verdict}")


def main() -> int:
    """0; 1 when something costs more than beside it; 2 when something couldn't be measured.

    Whether promises are kept is in what it prints.
    """
    chosen = options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # the servers end with it
    results = Results.read(chosen.results)
    try:
        if chosen.page:
            print(f"written: {page.write(results, machine.ROOT / 'docs')}")
            return 0
        code = measure(chosen, results)
    except (WrongAnswer, ValueError) as error:
        print(f"benchmarks: {error}", flush=True)
        return 2
    if chosen.beside:
        return code
    tell(results)
    print(f"\nIn {chosen.results}; python -m benchmarks --page writes docs/{page.NAME}.rst")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
