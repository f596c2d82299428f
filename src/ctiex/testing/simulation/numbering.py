"""How an application follows the numbering of an agent's events, by what its client tells it."""

from __future__ import annotations

from attrs import define, field

from ctiex.clients.agent_number import AgentNumber
from ctiex.clients.event_taking import Position
from ctiex.testing.simulation.book import Book
from ctiex.testing.simulation.ledger import Ledger


@define(eq=False)
class Numbering:
    """That of one login; what it says goes into the agent's book, which outlives it."""

    _ledger: Ledger
    _book: Book
    _agent: AgentNumber | None = None
    _told: list[tuple[int, int]] = field(factory=list)
    """The gaps that were told before the login was done."""

    def gap(self, first: int, last: int) -> None:
        """Events are lost, or may be: an empty range tells of another numbering."""
        if self._agent is None:
            self._told.append((first, last))
        else:
            epoch, sequence = self._agent.position.epoch, self._agent.position.sequence
            self._book.told(Position(epoch, sequence if first > last else last))

    def logged_in(self, agent: AgentNumber, position: Position | None) -> None:
        """The login is done, which began with this position; without one it is seen from where it goes on."""
        self._agent = agent
        if position is None or not position.epoch:
            self._book.told(agent.position)
        elif not self._told and agent.position.epoch != position.epoch:
            self._ledger.break_(f"agent {agent.number}: another numbering has begun, and that wasn't told")
        for first, last in self._told:
            self.gap(first, last)

    @property
    def epoch(self) -> int:
        """What an event that comes now is numbered in; 0: nobody has said that yet."""
        return 0 if self._agent is None else self._agent.position.epoch
