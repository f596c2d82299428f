"""What orders wait for: never the next event, always a state of the legs."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ctiex.errors import CallError, Status


@define(eq=False)
class _Expected:
    ready: Callable[[], bool]
    done: Deferred[None] = field(factory=Deferred)
    timed_out: IDelayedCall = field(init=False)


class Expectations:
    """Conditions that are looked at each time that a leg has changed."""

    def __init__(self, clock: IReactorTime) -> None:
        """Nothing is waited for."""
        self._clock = clock
        self._expected: dict[_Expected, None] = {}
        self._over = False

    def __len__(self) -> int:
        return len(self._expected)

    async def until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so.

        :param ready: whether it is; it may raise CallError where it never will be.
        :raise CallError: 33, it isn't so in time; or what ``ready`` raises.
        """
        if ready():
            return
        if self._over:
            raise CallError(Status.TIMED_OUT)
        expected = _Expected(ready)
        self._expected[expected] = None
        expected.timed_out = self._clock.callLater(seconds, self._end, expected, CallError(Status.TIMED_OUT))
        await expected.done

    def stop(self) -> None:
        """The exchange ends: nothing comes any more, and orders that wait end now, with the steps that they go back."""
        self._over = True
        for expected in list(self._expected):
            self._end(expected, CallError(Status.TIMED_OUT))

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
        if expected.timed_out.active():
            expected.timed_out.cancel()
        if error is None:
            expected.done.callback(None)
        else:
            expected.done.errback(error)
