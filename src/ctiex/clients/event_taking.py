"""Brings the events of one agent number to its application, strictly in order, one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from attrs import frozen
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from ctiex.clients.faults import without_text
from ctiex.clients.taken_events import TakenEvents
from ctiex.messages import AgentEvent

_log = Logger()

OnEvent = Callable[[AgentEvent], object]
"""Takes an event; an ``async def``, or one that returns a Deferred, has taken it when that is done."""


@frozen
class Coming:
    """An event on its way to the application."""

    event: AgentEvent
    events: TakenEvents
    """Those of its numbering."""
    again: bool = False
    """Whether the application failed to take it before."""


MOST_WAITING, MOST_BYTES = 1_000, 16_777_216
"""How many events may wait, and about how many bytes their fields may have: what a mailbox holds by default."""


def _size(event: AgentEvent) -> int:
    """About how much an event holds, in bytes."""
    return sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in event.fields.values())


class EventTaking:
    """Events wait here while the application takes the one before them, up to a bound."""

    def __init__(self, on_event: OnEvent, tried: Callable[[Coming], None]) -> None:
        """:param tried: hears of each event that the application has taken, or failed to take."""
        self._on_event = on_event
        self._tried = tried
        self._waiting: deque[Coming] = deque()
        self._under_way: Coming | None = None
        self._going_on = False
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more may wait: whatever comes is to be left to another login."""
        return len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_BYTES

    @property
    def empty(self) -> bool:
        """Whether none waits."""
        return not self._waiting

    def put(self, coming: Coming) -> None:
        """An event comes behind those that wait."""
        self._waiting.append(coming)
        self._bytes += _size(coming.event)
        self._go_on()

    def waits(self, is_wanted: Callable[[AgentEvent], bool]) -> bool:
        """Whether one of these events is under way or waits."""
        under_way = () if self._under_way is None else (self._under_way,)
        return any(is_wanted(coming.event) for coming in (*under_way, *self._waiting))

    def drop_waiting(self) -> None:
        """Bring none of those that wait: they are to come again at another login."""
        for coming in self._waiting:
            coming.events.fail(coming.event.sequence)
        self._waiting.clear()
        self._bytes = 0

    def _go_on(self) -> None:
        if self._going_on:
            return  # called by what the loop below has called
        self._going_on = True
        try:
            while self._waiting and self._under_way is None:
                self._bring(self._waiting.popleft())
        finally:
            self._going_on = False

    def _bring(self, coming: Coming) -> None:
        self._under_way = coming
        self._bytes -= _size(coming.event)
        try:
            outcome = self._on_event(coming.event)
        except Exception as error:
            self._ended(coming, error)
            return
        if outcome is None or not isawaitable(outcome):
            self._ended(coming, None)
            return
        ensureDeferred(_awaited(outcome)).addCallbacks(
            lambda _: self._ended(coming, None), lambda failure: self._ended(coming, failure.value)
        ).addErrback(lambda failure: _log.failure("an event could not be acknowledged", failure))

    def _ended(self, coming: Coming, error: BaseException | None) -> None:
        sequence = coming.event.sequence
        self._under_way = None
        if error is None:
            coming.events.take(sequence)
        else:
            coming.events.fail(sequence)
            _log.error("on_event failed for event {sequence} of agent {agent}, which stays unacknowledged: {fault}",
                       sequence=sequence, agent=coming.event.agent, fault=without_text(error))  # fmt: skip
        self._tried(coming)
        self._go_on()


async def _awaited(outcome: Awaitable[object]) -> None:
    await outcome
