"""``ctiex simulate``: the whole system in one process, with everything going wrong, and what was survived."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from twisted.python import usage

from ctiex.app.output import say, say_lines, write
from ctiex.extras import need
from ctiex.testing.simulation.faults import Fault, faults_named

if TYPE_CHECKING:
    from ctiex.testing.simulation.runs import Tally  # needs what the extra durable brings

_WIDTH = 40
_CLASSES = ", ".join(fault.value for fault in Fault)


class Options(usage.Options):
    """The options of ``ctiex simulate``."""

    longdesc = (
        "Simulates agents, exchange, services, store and network in one process, with faults, and checks that every"
        " promise was kept. The same seed gives the same run. Exit code 1: a promise was broken."
    )
    optParameters = [
        ["calls", "n", 10_000, "How many calls, for each seed.", int],
        ["seed", "s", 1, "The first seed.", int],
        ["seeds", None, 1, "How many seeds, from the first one on.", int],
        ["faults", "f", "all", f"all, none, or some of {_CLASSES}, separated by commas."],
    ]

    def postOptions(self) -> None:
        """Hold the values against what is expected.

        :raise UsageError: one is invalid.
        """
        for name in ("calls", "seeds"):
            if self[name] < 1:
                raise usage.UsageError(f"--{name}: found {self[name]}, expected a whole number above 0")
        try:
            self.faults = faults_named(self["faults"])
        except ValueError:
            raise usage.UsageError(
                f"--faults: found {self['faults']!r}, expected all, none or some of {_CLASSES}"
            ) from None


def run(options: Options, stdout: TextIO, stderr: TextIO, seconds: Callable[[], float] = time.process_time) -> int:
    """Simulate, and print what was survived; 1 when a promise was broken.

    :param seconds: the processor's time, for the figures.
    :raise ConfigurationError: the extra ``durable`` isn't installed.
    """
    need("durable", "ctiex simulate")
    from ctiex.testing.simulation.runs import CALLS_OF_A_WORLD, Tally
    from ctiex.testing.simulation.runs import run as run_worlds

    total, begun = Tally(), seconds()
    for number in range(options["seeds"]):
        seed = options["seed"] + number
        tally = run_worlds(options["calls"], seed, options.faults, _progress(options["calls"], seed, stderr))
        total.worlds += tally.worlds
        total.calls += tally.calls
        total.counts.update(tally.counts)
        say(f"seed {seed}: {tally.calls:,} calls in {tally.worlds:,} worlds, digest {tally.digest}", stdout)
        if tally.broken is not None:
            say_lines(f"BROKEN in the world of seed {tally.broken.seed}, {tally.broken.broken}", stdout)
            say(
                f"again: ctiex simulate --calls {CALLS_OF_A_WORLD} --seed {tally.broken.seed}"
                f" --faults {options['faults']}",
                stdout,
            )
            return 1
    for line in summary(total, seconds() - begun):
        say(line, stdout)
    return 0


def summary(total: Tally, seconds: float) -> Iterator[str]:
    """What was survived, a line each."""
    counts = total.counts
    again = counts["fault: serial used again"]
    more = f", and {again:,} more under serials used again" if again else ""
    yield f"calls: {total.calls:,}{more}, of which {counts['calls acknowledged']:,} were acknowledged"
    yield from _of("what the others met last", "not acknowledged: ", counts)
    yield from _of("how they ended", "outcome: ", counts)
    yield from _of("faults survived", "fault: ", counts)
    yield f"service events acknowledged: {counts['service events acknowledged']:,}"
    yield f"agent events taken: {counts['agent events taken']:,}; bytes carried: {counts['bytes carried']:,}"
    yield f"promises checked: {counts['promises checked']:,}, broken: 0"
    yield f"processor time: {seconds:.0f} s, {seconds / total.calls * 1_000:.2f} ms for each call"


def _of(title: str, prefix: str, counts: Counter[str]) -> Iterator[str]:
    names = sorted(name for name in counts if name.startswith(prefix))
    if names:
        yield f"{title}:"
    for name in names:
        yield f"  {name.removeprefix(prefix)}: {counts[name]:,}"


def _progress(calls: int, seed: int, stderr: TextIO) -> Callable[[int], None]:
    """A bar, where somebody sees it."""
    if not stderr.isatty():
        return lambda done: None

    def show(done: int) -> None:
        full = _WIDTH * done // calls
        bar = "#" * full + "." * (_WIDTH - full)
        end = "\n" if done >= calls else ""
        write(f"\rseed {seed} [{bar}] {done:,}/{calls:,}{end}", stderr)

    return show
