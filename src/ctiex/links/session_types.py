"""The terms of a session: where it stands, what it may use, and who hears of it."""

from __future__ import annotations

from enum import Enum
from sys import maxsize
from typing import Protocol

from ctiex.limits import SessionLimits
from ctiex.messages import Bind, Error, Message


class SessionState(Enum):
    """Where a session stands; :data:`ctiex.links.rules` says what may come in each."""

    OPEN = "open"
    """Not bound yet."""
    BINDING = "binding"
    """A Bind is being looked at; frames behind it wait."""
    BOUND = "bound"
    LEAVING = "leaving"
    """An Unbind has gone out; what is under way is still answered."""
    ENDED = "ended"


def client_limits() -> SessionLimits:
    """A client's: it asks as much as it likes, and trusts its exchange to answer no more than it was asked."""
    return SessionLimits(max_queued=maxsize, frames_per_second=maxsize, bytes_per_second=maxsize)


class SessionHandler(Protocol):
    """What stands above a session."""

    def request_received(self, message: Message, invoke_id: int) -> None:
        """A request that is allowed here; answer it by ``Session.reply``."""

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """A Bind of a supported version; answer it by ``Session.bound``."""

    def error_received(self, error: Error) -> None:
        """An Error that answers nothing which this side asked (13, session taken over)."""


class _Nobody:
    """Stands above a session that is over. It hears nothing: nothing is handled behind the end."""

    def request_received(self, message: Message, invoke_id: int) -> None:
        """Do nothing."""

    def bind_received(self, bind: Bind, invoke_id: int) -> None:
        """Do nothing."""

    def error_received(self, error: Error) -> None:
        """Do nothing."""


NOBODY: SessionHandler = _Nobody()
