"""Those who wait for one and the same thing."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Result = TypeVar("Result")


@define(eq=False)
class Waiters(Generic[Result]):
    """Deferreds that fire together, in the order in which they were made. One that is cancelled is forgotten."""

    # A dictionary, since a set would be walked in another order in every run.
    _waiting: dict[Deferred[Result], None] = field(factory=dict, init=False)

    def add(self) -> Deferred[Result]:
        """One more, which fires with the others."""
        waiting: Deferred[Result] = Deferred(lambda given_up: self._waiting.pop(given_up, None))
        self._waiting[waiting] = None
        return waiting

    def fire(self, result: Result) -> None:
        """Tell everybody who waits now."""
        for waiting in self._taken():
            if not waiting.called:  # cancelled by a callback called before it
                waiting.callback(result)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits now that it won't come."""
        for waiting in self._taken():
            if not waiting.called:
                waiting.errback(Failure(error))

    def _taken(self) -> list[Deferred[Result]]:
        waiting, self._waiting = self._waiting, {}
        return list(waiting)
