"""What each kind of hostile peer does."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import hostile_peers as peers
from benchmarks.hostile_crowds import crowd
from fuzz.steady import Figures

CROWDED = 10.0
"""How long a crowd is at work, in seconds."""
MB = 1 << 20
PROMPT_ENOUGH = (1.0, 5.0)
"""How long the pair's hand-offs may take where nothing but the exchange's own fairness keeps it down, on a machine that
others use too: the median and the longest, in seconds. Without that fairness it takes longer than this on a quiet one.
"""


@dataclass
class Row:
    """What one kind of peer brought about."""

    name: str
    what: str = ""
    """What the peers did, and how they ended."""
    pair: Figures = field(default_factory=Figures)
    before: int = 0
    peak: int = 0
    after: int = 0
    """Resident memory in bytes."""
    links: int = 0
    """How many links the peers had; memory at the peak is shared out to them."""
    prompt: tuple[float, float] = PROMPT_ENOUGH
    patience: float = 1.0
    """How many times as long as on a quiet machine something may take that isn't a hand-off."""
    crowded: float = CROWDED
    """How long a crowd is to be at work, in seconds."""
    since: float = 0.0
    until: float = math.inf
    """When the peers were at work, by the machine's monotonic clock."""
    broken: list[str] = field(default_factory=list)

    def hold(self, true: bool, what: str) -> None:
        """Note a bound that was passed."""
        if not true:
            self.broken.append(what)

    @property
    def for_each_link(self) -> float:
        """What one of the peers' links took at the peak, in bytes."""
        return (self.peak - self.before) / max(1, self.links)


Scenario = Callable[[Row, peers.Target, int], str]


def raise_open_files() -> int:
    """Allow this process, and those that it starts, as many open files as may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def descriptors(row: Row, target: peers.Target, count: int) -> str:
    """As many connections as can be had: of one identity, of nobody, and idle ones at the port of metrics and health.

    The process may have few open files. The audit log is taken away meanwhile, as a rotation does, and has to come
    back; and somebody else has to get in.
    """
    audit = target.directory / "audit.log"
    crowds = peers.take_all(target, count)
    audit.rename(target.directory / "audit.log.1")
    row.since = time.monotonic()
    bound = [peers.bind_as(target.agent_port, "steady-agents", "steady-secret") for _ in range(20)]
    row.hold(bound == [0] * 20, f"Binds of somebody else were answered {bound}")
    time.sleep(3.0)
    row.until = time.monotonic()
    row.hold(audit.exists() and audit.stat().st_size > 0, "the audit log was not opened anew")
    lines = sum("closed at once" in line for line in (target.directory / "log").read_text().splitlines())
    row.hold(lines < 20, f"{lines} lines of the log for connections that were closed at once")
    kept = {name: sum(not link.ended for link in links) for name, links in crowds.items()}
    for links in crowds.values():
        peers.close(links)
    return ", ".join(f"{open_still} of {count} {name}" for name, open_still in kept.items()) + " open"


def bytes_held(row: Row, target: peers.Target, count: int) -> str:
    """One identity's calls, with as much data as fits a frame, for a service that never serves them."""
    statuses, links = peers.fill_with_calls(target, count)
    row.since = time.monotonic()
    time.sleep(2.0)
    row.until = time.monotonic()
    peers.close(links)
    taken = statuses[0] * 60_000
    row.hold(statuses[14] > 0, f"no end of it: {dict(statuses)}")
    row.hold(taken < 64 * MB, f"{taken / MB:.0f} MB of data were taken")
    return f"{statuses[0]} calls taken with {taken / MB:.0f} MB of data, {statuses[14]} answered 14"


def slow_before_bind(row: Row, target: peers.Target, count: int) -> str:
    """A byte at a time, never a whole frame: the login deadline ends them."""
    trickle = peers.Trickle()
    links = peers.open_links(target, count, meanwhile=trickle)
    trickle.go_on(links, 6.0 * row.patience)
    ended = [link for link in links if link.ended]
    longest = max(trickle.lived, default=0.0)
    row.links = count
    row.hold(len(ended) == count, f"{count - len(ended)} slow links outlived the login deadline of 2 s")
    row.hold(longest < 4.0 * row.patience, f"one was ended after {longest:.1f} s only")
    peers.close(links)
    return f"{count} links, a byte each 0.1 s, no frame: all ended, the last after {longest:.1f} s"


def slow_when_bound(row: Row, target: peers.Target, count: int) -> str:
    """Bound, and a byte at a time of one endless frame: bytes are life, what waits is bounded."""
    trickle = peers.Trickle(peers.LONG_FRAME)
    links = peers.open_links(target, count, bind=True, meanwhile=trickle)
    trickle.go_on(links, 4.0)
    row.links = count
    open_still = sum(not link.ended for link in links)
    row.hold(open_still == count, f"{count - open_still} were ended, though bytes count as life")
    peers.close(links)
    return f"{count} bound links, a byte each 0.1 s of a frame of 65,536: {open_still} open after 4 s"


def half_frames(row: Row, target: peers.Target, count: int) -> str:
    """Bound, and a frame of the greatest length without its last byte on every link: what the limit allows at most."""
    links = peers.open_links(target, count, bind=True)
    peers.send_all(links, peers.UNFINISHED)
    time.sleep(0.5)
    row.links = count
    peers.close(links)
    return f"{count} bound links, each with 65,539 of 65,540 bytes of a frame"


def flood(row: Row, target: peers.Target, count: int, to_services: bool) -> str:
    """Requests without an end, answers never read: no longer read from, so that the peer's own buffers fill."""
    links = peers.open_links(target, count, bind=True, to_services=to_services, small_buffers=True)
    sent = peers.flood(links, seconds=5.0)
    row.links = count
    ended = sum(link.ended for link in links)
    peers.close(links)
    return f"{count} links, {sent / MB:.0f} MB taken in 5 s, {ended} cut off"


def flood_of_agents(row: Row, target: peers.Target, count: int) -> str:
    """Agents that ask and don't read."""
    return flood(row, target, count, to_services=False)


def flood_of_services(row: Row, target: peers.Target, count: int) -> str:
    """Services that ask and don't read."""
    return flood(row, target, count, to_services=True)


def half_open(row: Row, target: peers.Target, count: int) -> str:
    """Bound in a process that is then stopped: no bytes, no FIN. Two pings, then the end."""
    took, ended = peers.stopped_process(target, count, wait=6.0 * row.patience)
    row.links = count
    row.hold(ended == count, f"{count - ended} half-open links were not ended")
    return f"{count} links of a stopped process, heartbeat 1 s: {ended} ended within {took:.1f} s"


def idle(row: Row, target: peers.Target, count: int) -> str:
    """Connected, half of them bound, and nothing more than the answers to pings."""
    bound = peers.open_links(target, count // 2, bind=True, meanwhile=peers.answer_pings)
    unbound = peers.open_links(target, count - count // 2, meanwhile=lambda _: peers.answer_pings(bound))
    row.links = count
    begun = time.monotonic()
    while time.monotonic() < begun + 4.0 or not (
        peers.count_ended(unbound) == len(unbound) or time.monotonic() > begun + 4.0 * row.patience
    ):
        peers.answer_pings(bound, 100)
    alive = sum(not link.ended for link in bound)
    row.hold(alive == len(bound), f"{len(bound) - alive} idle bound links were ended")
    gone = peers.count_ended(unbound)
    row.hold(gone == len(unbound), f"{len(unbound) - gone} unbound links outlived the login deadline")
    peers.close(bound + unbound)
    return f"{alive} bound links kept, {gone} unbound ones ended at the deadline"


def storm(row: Row, target: peers.Target, count: int) -> str:
    """Connections as fast as they can be made: closed at once, bound, with a wrong secret, cut within a frame."""
    begun = time.monotonic()
    kinds = peers.storm(target, count)
    took = time.monotonic() - begun
    row.hold(kinds["bound and cut (answered 0)"] == count // 4, f"some good Binds were refused: {dict(kinds)}")
    return f"{count} connections, {count / took:,.0f} a second; " + ", ".join(f"{n} {k}" for k, n in kinds.items())


def _told_of_strangers(log: Path) -> int:
    """The bytes of an audit log that are about the crowd, or about nobody: not the stories of the pair's calls."""
    with log.open("rb") as lines:
        return sum(len(line) for line in lines if b'"hostile-' in line or b'"serial"' not in line)


def crowd_of(row: Row, target: peers.Target, count: int, frames: int, kind: str) -> str:
    """Very many links of one identity, each below the limits of a link; together they want all there is."""
    with crowd(target.agent_port, count, frames, kind) as sent:
        row.since = time.monotonic()
        time.sleep(row.crowded)
        row.until = time.monotonic()
    row.links = count
    told = _told_of_strangers(target.directory / "audit.log")
    row.hold(told < count * 600 + MB, f"{told / MB:.1f} MB of audit log for it")
    taken = f"{count} links, {frames} {kind} a second on each: {sent[0] / row.crowded:,.0f} a second sent"
    return f"{taken}, {told / 1e3:,.0f} kB of audit log"


def crowd_that_pings(row: Row, target: peers.Target, count: int) -> str:
    """Frames that cost the peer least."""
    return crowd_of(row, target, count, 1_000, "pings")


def crowd_that_asks(row: Row, target: peers.Target, count: int) -> str:
    """Frames that cost the exchange more."""
    return crowd_of(row, target, count, 500, "requests")


def crowd_that_errs(row: Row, target: peers.Target, count: int) -> str:
    """Frames that are answered with Error."""
    return crowd_of(row, target, count, 500, "malformed")


SCENARIOS: dict[str, tuple[Scenario, int, int]] = {
    "slow-loris before Bind": (slow_before_bind, 500, 1),
    "slow-loris when bound": (slow_when_bound, 500, 1),
    "unfinished frames": (half_frames, 500, 1),
    "flood of agents": (flood_of_agents, 8, 1),
    "flood of services": (flood_of_services, 8, 1),
    "half-open links": (half_open, 200, 1),
    "idle connections": (idle, 5000, 5),
    "connect storm": (storm, 4000, 1),
    "descriptors": (descriptors, 300, 30),
    "bytes held": (bytes_held, 2_000, 30),
    "crowd that pings": (crowd_that_pings, 1000, 30),
    "crowd that asks": (crowd_that_asks, 1000, 30),
    "crowd that errs": (crowd_that_errs, 1000, 30),
}
"""Each kind of peer: what it does, how many by default, and the heartbeat of its exchange, in seconds."""
