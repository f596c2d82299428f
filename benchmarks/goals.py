"""What the exchange has to reach, and what it is meant to reach, held against the results."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from benchmarks.contenders import EXCHANGE
from benchmarks.parts.client_side import RIVALS
from benchmarks.results import Results

_TO_ECHO = {"1x1": (0.9, 1.2), "50x1": (0.9, 1.2), "50x16": (0.5, 0.75), "1000x1": (0.9, 1.3)}
_TO_PEERS: dict[str, dict[str, float]] = {
    "50x1": {"amp": 3, "klein": 7, "aiohttp": 2.5, "uvicorn": 2.5, "uvicorn-fast": 2.5},
    "50x16": {"amp": 15, "klein": 25, "aiohttp": 25, "uvicorn": 25, "uvicorn-fast": 25, "redis": 1},
}
_CLIENT, _HAND_OFFS = 3, {"memory": 1_000, "sqlite": 400}


@frozen
class Goal:
    """One promise."""

    text: str
    measured: float | None
    """None: it wasn't measured."""
    must: float
    goal: float | None = None
    at_most: bool = False
    """Whether less is better."""

    def reaches(self, mark: float) -> bool:
        """Whether what was measured is at least, or at most, this."""
        assert self.measured is not None
        return self.measured <= mark if self.at_most else self.measured >= mark

    @property
    def verdict(self) -> str:
        """In one word or two."""
        if self.measured is None:
            return "not measured"
        if not self.reaches(self.must):
            return "missed"
        return "met" if self.goal is None or self.reaches(self.goal) else "must met, goal not"


def goals(results: Results) -> Iterator[Goal]:
    """Every promise, in the order in which they were made."""
    for shape, (must, goal) in _TO_ECHO.items():
        measured = results.find("answers", "shapes", shape, EXCHANGE, "to_echo", "median")
        yield Goal(f"bare Twisted echo / exchange, {said(shape)}", measured, must, goal)
    titles = results.find("answers", "titles") or {}
    for shape, peers in _TO_PEERS.items():
        for peer, must in peers.items():
            measured = results.find("answers", "shapes", shape, peer, "of_exchange", "median")
            yield Goal(f"{titles.get(peer, peer)} / exchange, {said(shape)}", measured, must)
    for rival in RIVALS:
        for client, name in (("served-call", "``call.data()``"), ("link", "``ask`` on the link")):
            measured = results.find("client-side", "clients", client, "to", rival, "median")
            yield Goal(f"{rival} / client, {name}, 50 in flight", measured, _CLIENT)
    yield from _other_goals(results)


def _other_goals(results: Results) -> Iterator[Goal]:
    event = results.find("calls", "event", "event_to_data", "median")
    yield Goal("a ServiceEvent through to its agent / a DataRequest", event, 1.5, at_most=True)
    for store, must in _HAND_OFFS.items():
        measured = results.find("calls", "hand_off", "stores", store, "per_core_second")
        yield Goal(f"whole hand-offs a second on one core, {store} store", measured, must)
    context = results.find("memory", "context", "the store alone, traced")
    yield Goal("bytes for a context of 12 fields in the memory store", context, 800, at_most=True)
    yield Goal("bytes for an idle bound link", results.find("memory", "link", "resident"), 4_096, at_most=True)
    by_calls = results.find("growth", "calls")
    most = list(by_calls.values())[-1]["to_least"]["median"] if by_calls else None
    yield Goal("a request with the most stored calls / with the fewest", most, 1.15, at_most=True)


def said(shape: str) -> str:
    """A shape as people write it: ``(50, 16)``."""
    return f"({shape.replace('x', ', ')})"
