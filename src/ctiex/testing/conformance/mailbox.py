"""The events of the agent number in the kit's exchange, and how they are numbered."""

from __future__ import annotations

from random import SystemRandom

from attrs import define, field

from ctiex.fields import Fields
from ctiex.messages import AgentEvent, Condition, ConnectRequest

AGENT = "1001"
_FIRST = 1_000
"""What the numbering of the kit begins behind: far from those of a new epoch."""


@define
class Mailbox:
    """The events of the agent number, and its calls, in one epoch."""

    epoch: int = field(factory=lambda: SystemRandom().randrange(1, 2**48))
    last: int = _FIRST
    events: dict[int, AgentEvent] = field(factory=dict)
    """Those that aren't acknowledged, by sequence."""
    calls: dict[str, ConnectRequest] = field(factory=dict)
    """Those whose end isn't acknowledged, by serial."""

    @property
    def first(self) -> int:
        """The first that can still be replayed."""
        return min(self.events, default=self.last + 1)

    def add(self, at: float, request: ConnectRequest, condition: int, status: int, fields: Fields) -> AgentEvent:
        """One more event."""
        self.last += 1
        made = AgentEvent(
            self.last, int(at * 1_000), AGENT, request.serial, request.reference, Condition(condition), status, fields
        )
        self.events[self.last] = made
        return made

    def acknowledge(self, sequence: int) -> None:
        """Drop what the client has."""
        for number in [number for number in self.events if number <= sequence]:
            event = self.events.pop(number)
            if event.condition.final:
                self.calls.pop(event.serial, None)
