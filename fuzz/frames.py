"""Mutated frames on both links of a running exchange, while a well-behaved pair does its hand-offs.

``python -m fuzz.frames --frames 1000000 --seed 1`` prints a table and exits with 1 when any promise was broken: every
answer valid and asked for, no link ended without its reason, no complaint in the log, no growth of memory, every
hand-off of the pair complete. docs/hostile-input.rst says what is sent.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import selectors
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.exchange_process import WatchedExchange
from ctiex.login.secret_hashes import SecretHash
from fuzz.fuzzed_link import Broken, FuzzedLink, Shared
from fuzz.speech import speech_of
from fuzz.steady import IDENTITIES, Figures, SteadyPair

_LINKS = 32
_JSON_SHARE = 5
"""One frame of so many goes over the JSON codec."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at links that may have gone silent."""
_TOLERANCE = 3 << 20
"""What resident memory may rise by in the last third, in bytes: the allocator's arenas, and the calls that happen to be
in flight. In a run of a million, twelve bytes left behind by each frame are more. It is read behind a full collection,
since a link that is gone is a cycle, and waits for the collector."""
_OBJECTS = 5_000
"""The same for the objects that the collector knows: some hundred calls and links, each of a dozen objects."""
_COMPLAINTS = ("Traceback", "Unhandled", "internal error", "#error", "#critical", "could not be")
_SHOWN = 40
"""Lines of the log that are shown of a traceback."""
_CONFIGURATION = """
[links.agent]
codec = "{codec}"
heartbeat = 60
frames_per_second = 1000000
bytes_per_second = 1000000000
[links.ivr]
codec = "{codec}"
heartbeat = 60
frames_per_second = 1000000
bytes_per_second = 1000000000
[limits]
mailbox = 16
calls_per_identity = 2000
login_failures = 1000000000
login_delay = 0.001
unbound_links_per_source = 1000
[identities.fuzz-agents]
role = "agent"
secret = "fuzz-secret"
agents = ["2000-2019"]
[identities.fuzz-service]
role = "service"
secret = "fuzz-secret"
services = ["fuzz"]
[services.fuzz]
access_code = "8001"
signalling_timeout = 2
fetch_timeout = 2
service_timeout = 2
keep_closed = 1
"""


@dataclass
class Outcome:
    """One run against one exchange."""

    codec: str
    fuzzed: int = 0
    sent: int = 0
    seconds: float = 0.0
    links: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)
    """Behind each third of the frames: resident bytes, and tracked objects."""
    pair: Figures = field(default_factory=Figures)

    @property
    def growth(self) -> tuple[int, int]:
        """In the last third: of resident bytes, and of objects."""
        (before, objects_before), (after, objects_after) = self.memory[-2:]
        return after - before, objects_after - objects_before


def run(codec: str, frames: int, seed: int, links: int = _LINKS) -> Outcome:
    """Send so many fuzzed frames to an exchange of its own."""
    with tempfile.TemporaryDirectory(prefix="ctiex-fuzz-") as name:
        directory = Path(name)
        configuration = cheaply_hashed(_CONFIGURATION.format(codec=codec) + IDENTITIES)
        exchange = WatchedExchange(directory, configuration)
        try:
            outcome = _against(exchange, codec, frames, seed, links)
        finally:
            exchange.stop()
        log = (directory / "log").read_text(errors="replace")
    outcome.broken += complaints(log)
    return outcome


def cheaply_hashed(configuration: str) -> str:
    """The same secrets by hashes that take no time: many a frame ends its link, and the next one binds again."""

    def hashed(secret: re.Match[str]) -> str:
        digest = hashlib.scrypt(secret[1].encode(), salt=b"salt", n=2, r=1, p=1, dklen=16)
        return f'secret_hash = "{SecretHash(2, 1, 1, b"salt", digest).format()}"'

    return re.sub(r'secret = "([^"]+)"', hashed, configuration)


def complaints(log: str) -> list[str]:
    """What the log has that no peer, however hostile, may bring about; a traceback with its lines."""
    lines = log.splitlines()
    found: list[str] = []
    for at, line in enumerate(lines):
        if any(word in line for word in _COMPLAINTS):
            shown = lines[at : at + _SHOWN] if "Traceback" in line else [line]
            found.append("in the log: " + "\n    ".join(shown))
    return found


def _against(exchange: WatchedExchange, codec: str, frames: int, seed: int, links: int) -> Outcome:
    pair = SteadyPair(exchange.agent_port, exchange.service_port, codec)
    outcome = Outcome(codec)
    try:
        _send(exchange, outcome, frames, seed, links)
    finally:
        outcome.pair = pair.stop()
    try:
        after = SteadyPair(exchange.agent_port, exchange.service_port, codec).stop()
        outcome.broken += [f"afterwards: {after.failure}"] if after.failure else []
    except OSError as error:
        outcome.broken.append(f"the exchange no longer answers: {error}")
    if outcome.pair.failure:
        outcome.broken.append(f"the well-behaved pair: {outcome.pair.failure}")
    grown, objects = outcome.growth
    if grown > _TOLERANCE or objects > _OBJECTS:
        outcome.broken.append(f"memory has grown by {grown / 1e6:.1f} MB and {objects:,} objects in the last third")
    return outcome


def _send(exchange: WatchedExchange, outcome: Outcome, frames: int, seed: int, links: int) -> None:
    """Keep so many links busy until enough frames have been judged."""
    shared = Shared(speech_of(outcome.codec), random.Random(seed), exchange.agent_port, exchange.service_port)
    selector = selectors.DefaultSelector()
    opened = [FuzzedLink(shared, number) for number in range(links)]
    for link in opened:
        selector.register(link.socket, selectors.EVENT_READ, link)
    begun = looked = time.monotonic()
    while shared.fuzzed < frames and len(shared.broken) < 20:
        if shared.fuzzed >= frames * (len(outcome.memory) + 1) / 3:
            outcome.memory.append(_memory(exchange))
        for key, _ in selector.select(0.2):
            link = key.data
            link.readable()
            if link.ended:
                selector.unregister(link.socket)
                link.open_again()
                selector.register(link.socket, selectors.EVENT_READ, link)
        now = time.monotonic()
        if now - looked > _LOOK_EVERY:
            looked = now
            _look_for_silence(opened, now, shared)
    outcome.memory.append(_memory(exchange))
    outcome.seconds = time.monotonic() - begun
    outcome.fuzzed, outcome.sent, outcome.links = shared.fuzzed, shared.sent, shared.links
    outcome.answers, outcome.broken = shared.answers, shared.broken
    for link in opened:
        link.socket.close()


def _memory(exchange: WatchedExchange) -> tuple[int, int]:
    """Resident bytes and tracked objects, behind a full collection."""
    told = exchange.report()
    return exchange.resident_bytes(), told["tracked_objects"]


def _look_for_silence(links: list[FuzzedLink], now: float, shared: Shared) -> None:
    for link in links:
        try:
            link.check_silence(now)
        except Broken as error:
            shared.broken.append(str(error))


def report(outcome: Outcome) -> None:
    """Print what one run showed."""
    grown, objects = outcome.growth
    pair, rate = outcome.pair, outcome.fuzzed / max(outcome.seconds, 0.001)
    rows = [
        ("frames sent, of them fuzzed", f"{outcome.sent:,}, {outcome.fuzzed:,}"),
        ("time", f"{outcome.seconds:.0f} s, {rate:,.0f} fuzzed frames a second"),
        ("links opened", f"{outcome.links:,}"),
        ("answers, all of them checked", f"{sum(outcome.answers.values()):,}"),
        *(("  " + name, f"{count:,}") for name, count in outcome.answers.most_common()),
        ("hand-offs of the well-behaved pair", f"{pair.completed:,} completed, {1 if pair.failure else 0} not"),
        ("  of them median, worst", f"{pair.median * 1e3:.0f} ms, {pair.worst * 1e3:.0f} ms"),
        ("memory behind each third", ", ".join(f"{resident / 1e6:.1f} MB" for resident, _ in outcome.memory)),
        ("  objects behind each third", ", ".join(f"{objects:,}" for _, objects in outcome.memory)),
        ("  growth in the last third", f"{grown / 1e6:+.2f} MB (at most {_TOLERANCE / 1e6:.1f}), {objects:+,} objects"),
    ]
    print(f"{outcome.codec} codec")
    for name, value in rows:
        print(f"  {name:<38}{value}")
    for line in outcome.broken[:20]:
        print(f"  BROKEN: {line}")
    sys.stdout.flush()


def main() -> int:
    """Both codecs, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000, help="fuzzed frames, both codecs together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--links", type=int, default=_LINKS, help="links at a time")
    chosen = parser.parse_args()
    json_frames = chosen.frames // _JSON_SHARE
    broken = 0
    for codec, frames in (("binary", chosen.frames - json_frames), ("json", json_frames)):
        outcome = run(codec, frames, chosen.seed, chosen.links)
        report(outcome)
        broken += len(outcome.broken)
    print("every promise was kept" if not broken else f"{broken} promises were broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
