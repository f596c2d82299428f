"""The events of the agent number in the kit's exchange, and how they are numbered."""

from __future__ import annotations

from random import SystemRandom

from attrs import define, evolve, field

from ctiex.fields import Fields
from ctiex.messages import AgentEvent, Condition, ConnectRequest, OpenCall, OpenCallState

AGENT = "1001"
_FIRST = 1_000
"""What the numbering of the kit begins behind: far from those of a new epoch."""
_STATES = {
    Condition.CONNECTING: OpenCallState.CONNECTING,
    Condition.CONNECTED: OpenCallState.CONNECTED,
    Condition.DATA_FETCHED: OpenCallState.FETCHED,
    Condition.COMPLETED: OpenCallState.REPORTED,
    Condition.FAILED: OpenCallState.REPORTED,
    Condition.ABANDONED: OpenCallState.REPORTED,
}
"""Which state of a call an event tells. Any other final one tells that it is over."""


@define
class Mailbox:
    """The events of the agent number, and its calls, in one epoch."""

    epoch: int = field(factory=lambda: SystemRandom().randrange(1, 2**48))
    last: int = _FIRST
    events: dict[int, AgentEvent] = field(factory=dict)
    """Those that aren't acknowledged, by sequence."""
    calls: dict[str, ConnectRequest] = field(factory=dict)
    """Those whose end isn't acknowledged, by serial."""
    listed: dict[str, OpenCall] = field(factory=dict)
    """The open ones as a CallQueryReply has them, by serial, as far as the events have told."""

    @property
    def first(self) -> int:
        """The first that can still be replayed."""
        return min(self.events, default=self.last + 1)

    def keep(self, at: float, request: ConnectRequest) -> None:
        """One more call. It may be known already: by a repeat it comes into no other state."""
        self.calls[request.serial] = request
        asked = OpenCall(request.serial, request.service, request.reference, OpenCallState.REQUESTED, milliseconds(at))
        self.listed.setdefault(request.serial, asked)

    def forget(self) -> None:
        """There is no call and no event any more; the numbering goes on."""
        for known in (self.calls, self.listed, self.events):
            known.clear()

    def add(self, at: float, request: ConnectRequest, condition: int, status: int, fields: Fields) -> AgentEvent:
        """One more event."""
        self.last += 1
        made = AgentEvent(
            self.last, milliseconds(at), AGENT, request.serial, request.reference, Condition(condition), status, fields
        )
        self.events[self.last] = made
        self._move(made)
        return made

    def _move(self, event: AgentEvent) -> None:
        """A call's state is the one that its events imply, so that a query never says less than they did."""
        listed, state = self.listed.get(event.serial), _STATES.get(event.condition)
        if listed is None:
            return
        if state is not None:
            self.listed[event.serial] = evolve(listed, state=state, since=event.time)
        elif event.condition.final:
            del self.listed[event.serial]

    def acknowledge(self, sequence: int) -> None:
        """Drop what the client has."""
        for number in [number for number in self.events if number <= sequence]:
            event = self.events.pop(number)
            if event.condition.final:
                self.drop(event.serial)

    def drop(self, serial: str) -> None:
        """The call is closed."""
        self.calls.pop(serial, None)
        self.listed.pop(serial, None)


def milliseconds(at: float) -> int:
    """A time of the clock as messages have it."""
    return int(at * 1_000)
