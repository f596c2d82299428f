"""What orders wait for: never the next event, always a state of the legs."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ctiex.errors import CallError, Status


@define(eq=False)
class _Expected:
    ready: Callable[[], bool]
    done: Deferred[None]


class Expectations:
    """Conditions that are looked at each time that a leg has changed."""

    def __init__(self, clock: IReactorTime) -> None:
        """Nothing is waited for."""
        self._clock = clock
        self._expected: dict[_Expected, None] = {}

    def __len__(self) -> int:
        return len(self._expected)

    async def until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so.

        :param ready: whether it is; it may raise CallError where it never will be.
        :raise CallError: 33, it isn't so in time; or what ``ready`` raises.
        """
        if ready():
            return
        expected = _Expected(ready, Deferred())
        self._expected[expected] = None
        expected.done.addTimeout(seconds, self._clock)
        try:
            await expected.done
        except TimeoutError:
            raise CallError(Status.TIMED_OUT) from None
        finally:
            self._expected.pop(expected, None)

    def look(self) -> None:
        """Something has changed."""
        for expected in list(self._expected):
            try:
                ready = expected.ready()
            except CallError as error:
                self._end(expected, error)
            else:
                if ready:
                    self._end(expected, None)

    def _end(self, expected: _Expected, error: CallError | None) -> None:
        if self._expected.pop(expected, self) is self:
            return
        if error is None:
            expected.done.callback(None)
        else:
            expected.done.errback(error)
