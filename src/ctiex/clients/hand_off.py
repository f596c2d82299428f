"""Customers who were handed to automatic services, and the events that tell what becomes of them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail

from ctiex.clients.connection import within
from ctiex.errors import CtiexError
from ctiex.links.waiting import Waiters
from ctiex.messages import AgentEvent

Cancel = Callable[[str], Awaitable[None]]
_MOST_EARLY = 1_000
"""How many events may come before the answer to the request that they belong to."""


class HandOff:
    """One customer handed to an automatic service."""

    def __init__(self, reactor: Any, cancel: Cancel, serial: str) -> None:
        self.serial = serial
        """The call serial number that goes with the call."""
        self.final: AgentEvent | None = None
        """The event that ended it; None while it goes on."""
        self._reactor = reactor
        self._cancel = cancel
        self._events: list[AgentEvent] = []
        self._waiting: Waiters[None] = Waiters()
        self._failure: CtiexError | None = None

    async def events(self) -> AsyncIterator[AgentEvent]:
        """Every event of this call, the first one first; ends behind the final one.

        :raise CallError: another link has taken the agent number over (13), it logged out, the exchange refuses to
            log it in again, or events are lost (21).
        """
        seen = 0
        while True:
            while seen < len(self._events):
                seen += 1
                yield self._events[seen - 1]
            if self.final is not None:
                return
            await self._next()

    async def result(self, timeout: float | None = None) -> AgentEvent:
        """The final event: its condition says how the call ended, its fields are the service's result.

        It is acknowledged already when it comes out here, unless ``on_event`` failed to take it.

        :param timeout: in seconds; None waits until the exchange's own time-outs end the call.
        :raise RequestTimedOut: it didn't end in time; the call goes on.
        :raise CallError: another link has taken the agent number over (13), it logged out, the exchange refuses to
            log it in again, or events are lost (21).
        """
        event: AgentEvent = await within(self._reactor, timeout, self._until_final)
        return event

    async def cancel(self) -> None:
        """Take the connection back; the final event will be 16.

        :raise CallError: 24, it has finished already.
        """
        await self._cancel(self.serial)

    async def _until_final(self) -> AgentEvent:
        while self.final is None:
            await self._next()
        return self.final

    def _next(self) -> Deferred[None]:
        return self._waiting.add() if self._failure is None else fail(self._failure)

    def received(self, event: AgentEvent) -> None:
        """An event of this call has come."""
        self._events.append(event)
        if event.condition.final:
            self.final = event
        self._waiting.fire(None)

    def failed(self, error: CtiexError) -> None:
        """No more events will come here."""
        self._failure = error
        self._waiting.fail(error)


def _few_events() -> deque[AgentEvent]:
    return deque(maxlen=_MOST_EARLY)


@define(eq=False)
class Asked:
    """A serial of the application's own that is asked for, by one ``connect`` or several."""

    hand_off: HandOff | None
    """What an earlier ``connect`` gave, while its call goes on."""
    early: deque[AgentEvent] = field(factory=_few_events)
    askers: int = 0


class HandOffs:
    """The hand-offs of one agent number that go on, and events that come before the answer to their request."""

    def __init__(self, reactor: Any, cancel: Cancel) -> None:
        self._reactor = reactor
        self._cancel = cancel
        self._going_on: dict[str, HandOff] = {}
        self._asked: dict[str, Asked] = {}
        self._without_serial = Asked(None)

    @contextmanager
    def asking(self, serial: str) -> Iterator[Asked]:
        """While the answer to a request is awaited; the exchange allocates an empty serial."""
        asked = self._without_serial
        if serial:
            asked = self._asked.setdefault(serial, Asked(self._going_on.get(serial)))
        asked.askers += 1
        try:
            yield asked
        finally:
            asked.askers -= 1
            if not asked.askers:
                asked.early.clear()
                self._asked.pop(serial, None)

    def kept(self, asked: Asked, serial: str) -> HandOff:
        """The exchange has the call: its hand-off, the same one for all who asked for it."""
        if asked.hand_off is not None:
            return asked.hand_off
        hand_off = self._going_on[serial] = HandOff(self._reactor, self._cancel, serial)
        if serial in self._asked:
            asked.hand_off = hand_off
        for event in _of_serial(serial, asked.early):
            asked.early.remove(event)
            self.received(event)
        return hand_off

    def received(self, event: AgentEvent) -> None:
        """An event has come; one of a call that nobody asked for here is let go."""
        hand_off = self._going_on.get(event.serial)
        if hand_off is None:
            asked = self._asked.get(event.serial, self._without_serial)
            if asked.askers:
                asked.early.append(event)
            return
        if event.condition.final:
            del self._going_on[event.serial]
        hand_off.received(event)

    def fail_all(self, error: CtiexError) -> None:
        """Whoever waits for an event hears this."""
        going_on, self._going_on = self._going_on, {}
        for hand_off in going_on.values():
            hand_off.failed(error)


def _of_serial(serial: str, events: Iterable[AgentEvent]) -> list[AgentEvent]:
    return [event for event in events if event.serial == serial]
