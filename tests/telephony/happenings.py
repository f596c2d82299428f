"""What happened so far, and waiting for what happens next: the tests wait for events, never for time to pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")
PATIENCE = 60.0
"""How long something may take that is bound to happen, in seconds, on a machine that has much else to do: a test that
gives up here has failed."""
LONGEST = 500
"""How long a scenario may take there, in seconds."""


class NeverHappened(AssertionError):
    """What was waited for didn't happen in time; tells what did."""


class Happenings(Generic[T]):
    """Everything that one peer told, in order."""

    def __init__(self, reactor: Any, of: str) -> None:
        self._reactor = reactor
        self._of = of
        self._all: list[T] = []
        self._waiting: list[tuple[Callable[[T], bool], Deferred[T]]] = []
        self.listeners: list[Callable[[T], object]] = []
        """Who hears of each as it happens."""

    def __iter__(self) -> Iterator[T]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def tell(self, happening: T) -> None:
        """It has happened: whoever waits for it hears."""
        self._all.append(happening)
        for listener in self.listeners:
            listener(happening)
        for waiting in list(self._waiting):
            wanted, told = waiting
            if waiting in self._waiting and wanted(happening):
                self._waiting.remove(waiting)
                told.callback(happening)

    def since(self, mark: int) -> list[T]:
        """What happened since there were ``mark`` happenings."""
        return self._all[mark:]

    async def wait(self, wanted: Callable[[T], bool], words: str, since: int = 0, patience: float = PATIENCE) -> T:
        """The first happening like that, from ``since`` on, whether it was or is to come.

        :param words: what is waited for.
        :raise NeverHappened: not within ``patience`` seconds.
        """
        for happening in self._all[since:]:
            if wanted(happening):
                return happening
        told: Deferred[T] = Deferred()
        waiting = (wanted, told)
        self._waiting.append(waiting)
        too_late = self._reactor.callLater(patience, self._give_up, waiting, words, since)
        try:
            return await told
        finally:
            if too_late.active():
                too_late.cancel()
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def _give_up(self, waiting: tuple[Callable[[T], bool], Deferred[T]], words: str, since: int) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            last = "\n  ".join(str(one)[:300] for one in self._all[since:][-40:])
            waiting[1].errback(NeverHappened(f"{self._of}: never came: {words}; the last that came:\n  {last}"))
