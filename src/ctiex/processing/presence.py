"""Which agent number is logged in on which link."""

from __future__ import annotations

from typing import Protocol

from attrs import define

from ctiex.processing.number_quota import AgentNumberQuota


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
    """Knows where each agent number is logged in; a number is on one link at most."""

    def __init__(self, numbers: AgentNumberQuota) -> None:
        self._numbers = numbers
        self._logins: dict[str, Login] = {}

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

    def admit(self, agent: str, identity: str) -> bool:
        """Whether an identity may log this number in; False when it would bring more than it may."""
        return self._numbers.bring(agent, identity)

    def login(self, agent: str, connection: AgentConnection, sent: int) -> None:
        """An agent number comes to a link, and is taken over from another one.

        :param sent: the last event that needn't be written there.
        """
        before = self._logins.get(agent)
        if before is None:
            self._numbers.use(agent)
        elif before.connection is not connection:
            before.connection.taken_over(agent)
        self._logins[agent] = Login(connection, sent)

    def logout(self, agent: str, connection: AgentConnection) -> bool:
        """Take an agent number from a link; False when it wasn't logged in there."""
        if not self.is_on(agent, connection):
            return False
        del self._logins[agent]
        self._numbers.release(agent)
        return True
