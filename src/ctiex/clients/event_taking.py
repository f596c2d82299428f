"""Brings the events of one agent number to its application, strictly in order, one at a time.

Which of them have come, and which may be acknowledged, is kept here too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from inspect import isawaitable

from attrs import define, field, frozen
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from ctiex.clients.faults import without_text
from ctiex.clients.link import ClientLink
from ctiex.messages import AgentEvent

_log = Logger()

OnEvent = Callable[[AgentEvent], object]
"""Takes an event; an ``async def``, or one that returns a Deferred, has taken it when that is done."""


@frozen
class Position:
    """Up to where the events of an agent number were taken."""

    epoch: int
    """Which numbering."""
    sequence: int
    """The last event of it that was taken, with all before."""


class _Open(Enum):
    UNDER_WAY = "under way"
    FAILED = "failed"


@define(eq=False)
class TakenEvents:
    """The events of one numbering. An acknowledgement is cumulative, so it ends before the first that isn't taken."""

    arrived: int
    """The last event that has come; at first, the last that was taken before these."""
    _open: dict[int, _Open] = field(factory=dict, init=False)
    """Those that have come and aren't taken; a failed one is taken up when it comes again."""

    def __len__(self) -> int:
        """How many have come and aren't taken."""
        return len(self._open)

    @property
    def last(self) -> int:
        """The last event up to which all are taken."""
        return min(self._open) - 1 if self._open else self.arrived

    def has_failed(self, sequence: int) -> bool:
        """Whether the application has failed to take this one."""
        return self._open.get(sequence) is _Open.FAILED

    def arrives(self, sequence: int) -> bool:
        """An event comes; False when it is a repeat of one that is taken already, or under way."""
        if sequence <= self.arrived and not self.has_failed(sequence):
            return False
        self.arrived = max(self.arrived, sequence)
        self._open[sequence] = _Open.UNDER_WAY
        return True

    def take(self, sequence: int) -> None:
        """The application has taken it."""
        self._open.pop(sequence, None)

    def fail(self, sequence: int) -> None:
        """The application has not taken it, and won't before it comes again."""
        if sequence in self._open:
            self._open[sequence] = _Open.FAILED

    def skips_to(self, sequence: int) -> tuple[int, int] | None:
        """Nothing comes any more between the last that has come and this one.

        Gives the first and last sequence of what is lost by that; None when nothing is.
        """
        if sequence <= self.arrived + 1:
            return None
        lost = self.arrived + 1, sequence - 1
        self.arrived = sequence - 1
        return lost

    def give_up_failed(self, first: int) -> list[int]:
        """The failed ones before ``first`` come no more; which they are."""
        lost = [sequence for sequence, state in self._open.items() if state is _Open.FAILED and sequence < first]
        for sequence in lost:
            del self._open[sequence]
        return sorted(lost)


@frozen
class Coming:
    """An event on its way to the application."""

    event: AgentEvent
    events: TakenEvents
    """Those of its numbering."""
    again: bool
    """Whether the application failed to take it before."""


MOST_WAITING, MOST_BYTES = 1_000, 16_777_216
"""How many events may wait, and about how many bytes their fields may have: what a mailbox holds by default."""


@define
class EarlyEvents:
    """Events that come on a link before the answer to the login there, which says how they are numbered."""

    link: ClientLink
    events: list[AgentEvent] = field(factory=list, init=False)
    left_out: bool = field(default=False, init=False)
    """Whether more have come than are kept."""

    def add(self, event: AgentEvent) -> None:
        """One has come."""
        if len(self.events) < MOST_WAITING:
            self.events.append(event)
        else:
            self.left_out = True

    def begin_at(self, sequence: int) -> None:
        """The login begins here: those that come before this one are of an abandoned login, and are replayed."""
        sequences = [event.sequence for event in self.events]
        del self.events[: sequences.index(sequence) if sequence in sequences else None]


def _size(event: AgentEvent) -> int:
    """About how much an event holds, in bytes."""
    return sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in event.fields.values())


@define(eq=False)
class EventTaking:
    """Events wait here while the application takes the one before them, up to a bound."""

    _on_event: OnEvent
    _tried: Callable[[Coming], None]
    """Hears of each event that the application has taken, or failed to take."""
    _waiting: deque[Coming] = field(factory=deque, init=False)
    _under_way: Coming | None = field(default=None, init=False)
    _going_on: bool = field(default=False, init=False)
    _bytes: int = field(default=0, init=False)

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
        return any(is_wanted(each.event) for each in (self._under_way, *self._waiting) if each is not None)

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
