"""What the application of one agent number keeps for good: every event that it has taken, by numbering and sequence."""

from __future__ import annotations

from attrs import define, field

from ctiex.clients.event_taking import Position
from ctiex.messages import SERVICE_CONDITIONS, AgentEvent, Condition


@define(eq=False)
class Volume:
    """What was taken of one numbering. Calls are known by their references: a serial may be used again."""

    events: dict[int, AgentEvent] = field(factory=dict)
    """By sequence."""
    finals: dict[str, AgentEvent] = field(factory=dict)
    """How calls ended."""
    back: set[str] = field(factory=set)
    """The calls whose customers came back behind their ends."""
    reports: dict[str, list[AgentEvent]] = field(factory=dict)
    """What their services had to say."""

    def take(self, event: AgentEvent) -> str | None:
        """Take an event, once; says what is wrong with it, if something is."""
        self.events[event.sequence] = event
        use = event.reference
        if use in self.finals and not self._comes_back(event, use):
            return f"call {use}: event {event.sequence} ({event.condition.text}) follows its end"
        if event.condition.final:
            self.finals[use] = event
        if event.condition in SERVICE_CONDITIONS:
            self.reports.setdefault(use, []).append(event)
        return None

    def _comes_back(self, event: AgentEvent, use: str) -> bool:
        """Whether the customer of a call comes back with its result told already, for the first time."""
        if event.condition is not Condition.RETURNED or use in self.back:
            return False
        self.back.add(use)
        return self.finals[use].condition in SERVICE_CONDITIONS


@define(eq=False)
class Book:
    """The numberings of one agent number, and up to where its application has come, whichever process it runs in."""

    agent: str
    position: Position = field(factory=lambda: Position(0, 0))
    """The last event that it has taken, and of which numbering."""
    gaps: int = 0
    volumes: dict[int, Volume] = field(factory=dict)
    """By epoch, the oldest first."""

    def take(self, event: AgentEvent, epoch: int) -> str | None:
        """Take an event of a numbering, once; says what is wrong with it, if something is."""
        if epoch not in self.volumes:
            return f"event {event.sequence} is of epoch {epoch}, and nobody has told that it has begun"
        volume = self.volumes[epoch]
        before = volume.events.get(event.sequence)
        if before is not None:
            return None if before == event else f"event {event.sequence} was {before}, now it is {event}"
        if epoch == self.position.epoch:
            if event.sequence != self.position.sequence + 1:
                return f"event {event.sequence} follows {self.position.sequence}, and no gap was told"
            self.position = Position(epoch, event.sequence)
        return volume.take(event)

    def told(self, position: Position) -> None:
        """Events are brought behind this position from now on; some of the book's numbering may be lost by that.

        What another process was told of an older numbering may come late.
        """
        anew = position.epoch not in self.volumes
        self.volumes.setdefault(position.epoch, Volume())
        lost = position.epoch == self.position.epoch and position.sequence > self.position.sequence
        self.gaps += lost
        if anew or lost:
            self.position = position

    def ends_of(self, use: str) -> dict[int, AgentEvent]:
        """By epoch, how a call ended."""
        return {epoch: volume.finals[use] for epoch, volume in self.volumes.items() if use in volume.finals}
