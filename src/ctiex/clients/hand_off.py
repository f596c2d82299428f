"""Customers who were handed to automatic services, and the events of their calls."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, fail

from ctiex.clients.timeouts import within
from ctiex.errors import CallError, CtiexError, LinkError, Status
from ctiex.fields import Fields
from ctiex.links.waiters import Waiters
from ctiex.messages import AgentEvent, ConnectRequest


class HandOffControl(Protocol):
    """What a hand-off needs of its agent number."""

    async def cancel(self, serial: str) -> None:
        """Take the connection back."""

    async def update(self, serial: str, fields: Fields) -> None:
        """Correct the call's data."""


MOST_EARLY = 1_000
"""How many events are kept, of those that come before the answer to the request that they belong to."""
REMEMBERED = 600.0
"""For how long a request without an answer is remembered, in seconds: its serial isn't free any sooner, as a rule."""
MOST_UNANSWERED = 1_000
"""How many requests under own serials that were never answered are remembered, for a repeat."""
MOST_EVENTS = 10_000
"""How many events of one call are kept, the last ones."""


class HandOff:
    """One customer handed to an automatic service."""

    def __init__(self, reactor: Any, control: HandOffControl, request: ConnectRequest, since: int) -> None:
        self.since = since
        """Events up to this one are of another call, which had the same serial before."""
        self.serial = request.serial
        """The call serial number that goes with the call."""
        self.final: AgentEvent | None = None
        """The event that ended it; None while it goes on."""
        self.request = request
        """What was asked for, under its serial."""
        self._reactor = reactor
        self._control = control
        self._events: deque[AgentEvent] = deque(maxlen=MOST_EVENTS)
        self._heard = 0
        """How many events have come."""
        self._waiting: Waiters[None] = Waiters()
        self._failure: CtiexError | None = None

    async def events(self) -> AsyncIterator[AgentEvent]:
        """Every event of this call, the first one first (the last ten thousand); ends behind the final one.

        :raise CallError: another link has taken the agent number over (13), it logged out, the exchange refuses to
            log it in again, or events are lost (21).
        """
        seen = 0
        while True:
            while seen < self._heard:
                seen = max(seen, self._heard - len(self._events)) + 1
                yield self._events[seen - 1 - self._heard]
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
        event: AgentEvent = await within(self._reactor, timeout, self._until_final())
        return event

    async def cancel(self) -> None:
        """Take the connection back; the final event will be 16.

        :raise CallError: 24, it has finished already.
        """
        await self._control.cancel(self.serial)

    async def update(self, fields: Fields) -> None:
        """Put these fields over those of the call; a service that has fetched them hears of it.

        :raise CallError: 24, it has finished already; 35 or 36, the fields are too large.
        """
        await self._control.update(self.serial, fields)

    def fits(self, event: AgentEvent) -> bool:
        """Whether an event under its serial is of this call, and not of one that had the serial before."""
        return event.reference == self.request.reference and event.sequence > self.since

    async def _until_final(self) -> AgentEvent:
        while self.final is None:
            await self._next()
        return self.final

    def _next(self) -> Deferred[None]:
        return self._waiting.add() if self._failure is None else fail(self._failure)

    def received(self, event: AgentEvent) -> None:
        """An event of this call has come."""
        self._events.append(event)
        self._heard += 1
        if event.condition.final:
            self.final = event
        self._waiting.fire(None)

    def failed(self, error: CtiexError) -> None:
        """No more events will come here."""
        self._failure = error
        self._waiting.fail(error)


@define(eq=False)
class AskedHandOff:
    """A hand-off that is asked for: under a serial of the application's own by one ``connect`` or several."""

    request: ConnectRequest
    """The first one; with an empty serial the exchange allocates it."""
    hand_off: HandOff | None = None
    """What an earlier ``connect`` gave, while its call goes on."""
    since: int | None = None
    """The last event that the exchange had numbered when the request went out first; None before.

    Whatever has a sequence up to it is of another call, which had the same serial before.
    """
    sent: int = 0
    """How often the request went out."""
    askers: int = 0
    given_up_at: float = 0.0
    """When the wait for its answer ended, in clock seconds."""

    @property
    def serial(self) -> str:
        """The application's own; empty: the exchange allocates it."""
        return self.request.serial

    def has_sent(self, request: ConnectRequest) -> bool:
        """Whether the same request has gone out before, when it has just done so."""
        return self.sent > 1 and self.request == request

    def goes_out(self, numbered: int) -> None:
        """The request goes out, ``numbered`` being the last event that is known to be."""
        self.sent += 1
        if self.since is None:
            self.since = numbered

    def fits(self, event: AgentEvent) -> bool:
        """Whether an event under its serial is of this call, and not of one that had the serial before."""
        return event.reference == self.request.reference and event.sequence > (self.since or 0)

    def is_of(self, event: AgentEvent) -> bool:
        """Whether an event is of this call, under a serial of the application's own."""
        return event.serial == self.serial and self.fits(event)


@define(eq=False)
class HandOffs:
    """The hand-offs of one agent number that go on, and events that come before the answer to their request."""

    _reactor: Any
    _control: HandOffControl
    _going_on: dict[str, HandOff] = field(factory=dict, init=False)
    _asked: dict[str, AskedHandOff] = field(factory=dict, init=False)
    """By serial, those of the application's own that are asked for now."""
    _unanswered: dict[str, AskedHandOff] = field(factory=dict, init=False)
    """Those that were asked for, and had no answer; the oldest first."""
    _without_serial: int = field(default=0, init=False)
    """How many requests without a serial wait for their answer."""
    _early: deque[AgentEvent] = field(factory=lambda: deque(maxlen=MOST_EARLY), init=False)

    @contextmanager
    def asking(self, request: ConnectRequest) -> Iterator[AskedHandOff]:
        """While the answer to a request is awaited; the exchange allocates an empty serial."""
        self._check_serial(request)
        asked, serial = self._asked_before(request), request.serial
        asked.askers += 1
        self._without_serial += not serial
        answered = True
        try:
            yield asked
        except (LinkError, CancelledError):
            answered = False  # the exchange may have the call all the same
            raise
        finally:
            asked.askers -= 1
            self._without_serial -= not serial
            self._asked_no_more(asked, answered)

    def _check_serial(self, request: ConnectRequest) -> None:
        """Check that no events of another call under this serial can still come: they couldn't be told apart.

        :raise CallError: the end of another one hasn't come.
        """
        serial = request.serial
        going_on, asked = self._going_on.get(serial), self._asked.get(serial) or self._unanswered.get(serial)
        taken = going_on is not None and going_on.request != request
        wanted = asked is not None and asked.request != request and not self._is_over(asked)
        if serial and (taken or wanted):
            raise CallError(
                Status.DUPLICATE_SERIAL, "the end event of another call with this serial hasn't arrived yet"
            )

    def _is_over(self, asked: AskedHandOff) -> bool:
        """Whether a request that had no answer can have no effect any more."""
        ended = any(asked.is_of(event) and event.condition.final for event in self._early)
        return not asked.askers and (ended or self._reactor.seconds() - asked.given_up_at > REMEMBERED)

    def _asked_before(self, request: ConnectRequest) -> AskedHandOff:
        """What is asked for already, or was without an answer; otherwise something new."""
        serial = request.serial
        asked = self._asked.get(serial) or self._unanswered.pop(serial, None)
        if asked is not None and not asked.askers and self._is_for_another_call(asked, request):
            asked = None  # what has come under the serial is of the call of then
            self._early = deque((event for event in self._early if event.serial != serial), MOST_EARLY)
        if asked is None:
            asked = AskedHandOff(request, self._going_on.get(serial))
        if serial:
            self._asked[serial] = asked
        return asked

    def _is_for_another_call(self, asked: AskedHandOff, request: ConnectRequest) -> bool:
        """Whether a request under the serial of one that had no answer is no second try of it."""
        return request != asked.request or self._reactor.seconds() - asked.given_up_at > REMEMBERED

    def _asked_no_more(self, asked: AskedHandOff, answered: bool) -> None:
        if asked.serial and not asked.askers:
            del self._asked[asked.serial]
            if not answered and asked.hand_off is None and asked.since is not None:
                asked.given_up_at = self._reactor.seconds()
                self._unanswered[asked.serial] = asked
                if len(self._unanswered) > MOST_UNANSWERED:
                    del self._unanswered[next(iter(self._unanswered))]
        if not (self._asked or self._unanswered or self._without_serial):
            self._early.clear()
        elif self._early and not self._without_serial:
            self._early = deque(filter(self._is_awaited, self._early), MOST_EARLY)

    def _is_awaited(self, event: AgentEvent) -> bool:
        """Whether somebody may ask for it by the answer to a request."""
        return self._without_serial > 0 or event.serial in self._asked or event.serial in self._unanswered

    def has_early(self, asked: AskedHandOff) -> bool:
        """Whether an event of this call, under a serial of the application's own, has come before the answer."""
        return any(map(asked.is_of, self._early))

    def kept(self, asked: AskedHandOff, serial: str) -> HandOff:
        """The exchange has the call: its hand-off, the same one for all who asked for it."""
        if asked.hand_off is not None:
            return asked.hand_off
        request = evolve(asked.request, serial=serial)
        hand_off = self._going_on[serial] = HandOff(self._reactor, self._control, request, asked.since or 0)
        if asked.serial:
            asked.hand_off = hand_off
        for event in [event for event in self._early if event.serial == serial]:
            self._early.remove(event)
            if asked.fits(event):
                self.received(event)
        return hand_off

    def received(self, event: AgentEvent) -> None:
        """An event has come; one of a call that wasn't requested here is ignored."""
        hand_off = self._going_on.get(event.serial)
        if hand_off is None:
            if self._is_awaited(event):
                self._early.append(event)
        elif hand_off.fits(event):
            if event.condition.final:
                del self._going_on[event.serial]
            hand_off.received(event)

    def numbered_anew(self) -> None:
        """What comes now may be of what is asked for, whenever that went out."""
        self._early.clear()
        for asked in (*self._asked.values(), *self._unanswered.values()):
            asked.since = 0

    def fail_all(self, error: CtiexError) -> None:
        """Fail the waits for events with this error."""
        going_on, self._going_on = self._going_on, {}
        for hand_off in going_on.values():
            hand_off.failed(error)
