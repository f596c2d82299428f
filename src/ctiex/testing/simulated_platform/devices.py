"""What can be called on a simulated platform: devices, and how they behave; queues, and their members."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ctiex.errors import Status
from ctiex.interfaces.call_platform import Leg

FALLBACK = "fallback"
"""The queue in which customers are looked after whom nobody has."""
NORMAL, BUSY, NO_ANSWER, REJECTED, UNALLOCATED, OUT_OF_ORDER = 16, 17, 19, 21, 1, 27


@define
class Device:
    """What is at a number: how it behaves when it is called."""

    agent: str = ""
    answers_after: float | None = None
    """In seconds; None: somebody has to pick it up."""
    fails_with: int = 0
    """A cause by which it refuses every call at once."""
    one_call: bool = True
    """Whether it is busy while it has a leg."""


@define
class Queue:
    """Callers who wait for its members."""

    members: dict[str, str] = field(factory=dict)
    """By agent number: why it is paused; empty: it isn't."""


STATUS_OF = {
    BUSY: Status.BUSY,
    REJECTED: Status.BUSY,
    NO_ANSWER: Status.NO_ANSWER,
    UNALLOCATED: Status.NO_SUCH_DESTINATION,
    OUT_OF_ORDER: Status.OUT_OF_SERVICE,
    NORMAL: Status.NO_ANSWER,
}
"""By cause, why a destination wasn't reached."""


class LegTimers:
    """What is to happen to legs later, one thing each."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._timers: dict[str, IDelayedCall] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def later(self, leg: Leg, seconds: float, do: Callable[[], None]) -> None:
        """Do something, in place of what was to happen before."""
        self.stop(leg)

        def due() -> None:
            del self._timers[leg.id]
            do()

        self._timers[leg.id] = self._clock.callLater(seconds, due)

    def stop(self, leg: Leg) -> None:
        """Nothing is to happen to a leg."""
        timer = self._timers.pop(leg.id, None)
        if timer is not None:
            timer.cancel()
