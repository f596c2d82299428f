"""Agent numbers that take up memory: who brought each of them, and on which link it is logged in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from attrs import define

from ctiex.limits import Limits

_LABEL = "agent number "
"""No other label begins so, or some number would be taken for it."""


def label_of(agent: str) -> str:
    """The label under which a store keeps who brought an agent number."""
    return _LABEL + agent


def is_number_label(name: str) -> bool:
    """Whether a store's label is one of these."""
    return name.startswith(_LABEL)


class AgentConnection(Protocol):
    """One bound agent link, as presence and mailboxes see it."""

    @property
    def writable(self) -> bool:
        """Whether events may be written now; ``Mailboxes.resume`` is called when they may be again."""

    def send_event(self, body: bytes) -> None:
        """Write an AgentEvent whose body is encoded already."""

    def taken_over(self, agent: str) -> None:
        """Another link has taken this agent number over."""


@define
class Login:
    """An agent number on a link."""

    connection: AgentConnection
    sent: int
    """The sequence of the last event written there."""


class AgentPresence:
    """Knows who brought each agent number that is logged in, has open calls, or ever had an event.

    Each counts for the identity that brought it first, and is logged in on one link at most.
    """

    def __init__(self, limits: Limits, last_sequence: Callable[[str], int]) -> None:
        """:param last_sequence: of a number's mailbox, 0 before its first event: its numbering goes on."""
        self._limits = limits
        self._last_sequence = last_sequence
        self._registered_by: dict[str, str] = {}
        self._count: Counter[str] = Counter()
        self._uses: dict[str, int] = {}
        """By agent number: its login and its open calls."""
        self._logins: dict[str, Login] = {}

    def __len__(self) -> int:
        return len(self._registered_by)

    # ------------------------------------------------------------ whom it counts for

    def bring(self, agent: str, identity: str) -> bool:
        """An identity brings a number, new or not; False when it has brought as many as it may."""
        if agent not in self._registered_by and self._count[identity] >= self._limits.agents_per_identity:
            return False
        self.put(agent, identity)
        return True

    def put(self, agent: str, identity: str) -> None:
        """A number is known, whatever the limit; it counts for the identity that registered it first."""
        if agent not in self._registered_by:
            self._registered_by[agent] = identity
            self._count[identity] += 1

    def use(self, agent: str) -> None:
        """A number is in use once more."""
        self._uses[agent] = self._uses.get(agent, 0) + 1

    def release(self, agent: str) -> None:
        """A number is in use once less; nothing is kept of one that is in no use and never had an event."""
        left = self._uses.pop(agent) - 1
        if left:
            self._uses[agent] = left
        elif agent in self._registered_by and not self._last_sequence(agent):
            self._count[self._registered_by.pop(agent)] -= 1

    def registered_by(self, agent: str) -> str:
        """The identity that registered it; empty without one."""
        return self._registered_by.get(agent, "")

    # ------------------------------------------------------------ where it is logged in

    @property
    def logged_in(self) -> int:
        """How many agent numbers are logged in."""
        return len(self._logins)

    def login_of(self, agent: str) -> Login | None:
        """Where an agent number is logged in."""
        return self._logins.get(agent)

    def is_here(self, agent: str) -> bool:
        """Whether the agent number is logged in anywhere."""
        return agent in self._logins

    def is_on(self, agent: str, connection: AgentConnection) -> bool:
        """Whether the agent number is logged in on this link."""
        login = self._logins.get(agent)
        return login is not None and login.connection is connection

    def login(self, agent: str, connection: AgentConnection, sent: int) -> None:
        """An agent number comes to a link, and is taken over from another one.

        :param sent: the last event that needn't be written there.
        """
        before = self._logins.get(agent)
        if before is None:
            self.use(agent)
        elif before.connection is not connection:
            before.connection.taken_over(agent)
        self._logins[agent] = Login(connection, sent)

    def logout(self, agent: str, connection: AgentConnection) -> bool:
        """Take an agent number from a link; False when it wasn't logged in there."""
        if not self.is_on(agent, connection):
            return False
        del self._logins[agent]
        self.release(agent)
        return True
