"""One order at a time for a call: the others wait a moment, in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ctiex.errors import CallError, Status


@define(eq=False)
class _Waiting:
    roots: frozenset[str]
    begins: Deferred[None] = field(factory=Deferred)
    given_up: IDelayedCall = field(init=False)


class CallTurns:
    """Who may give orders about which calls."""

    def __init__(self, clock: IReactorTime) -> None:
        """Nobody gives any."""
        self._clock = clock
        self._busy: set[str] = set()
        self._waiting: list[_Waiting] = []

    def __len__(self) -> int:
        return len(self._busy) + len(self._waiting)

    def __contains__(self, root: str) -> bool:
        return root in self._busy

    async def take(self, roots: Iterable[str], seconds: float) -> frozenset[str]:
        """Wait until nobody gives an order about any of these; give them back by ``leave``.

        :raise CallError: 67, somebody still does after so many seconds.
        """
        waiting = _Waiting(frozenset(roots))
        waiting.given_up = self._clock.callLater(seconds, self._give_up, waiting)
        self._waiting.append(waiting)
        self._go_on()
        await waiting.begins
        return waiting.roots

    def stop(self) -> None:
        """The exchange ends: nobody waits any more."""
        for waiting in list(self._waiting):
            waiting.given_up.cancel()
            self._give_up(waiting)

    def _give_up(self, waiting: _Waiting) -> None:
        self._waiting.remove(waiting)
        self._go_on()
        waiting.begins.errback(CallError(Status.CALL_BUSY))

    def leave(self, roots: frozenset[str]) -> None:
        """The order is done, or has failed."""
        self._busy -= roots
        self._go_on()

    def _go_on(self) -> None:
        wanted: set[str] = set()
        for waiting in list(self._waiting):
            if not waiting.roots & (self._busy | wanted) and not waiting.begins.called:
                self._busy |= waiting.roots
                self._waiting.remove(waiting)
                waiting.given_up.cancel()
                waiting.begins.callback(None)
            wanted |= waiting.roots  # nobody overtakes who waits
