"""What the exchange answers: whether it is about what was asked, and whether it is a yes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred

from ctiex.errors import CallError, CtiexError, Status
from ctiex.messages import CancelRequest, ConnectRequest, DataRequest, Error, Message, ServiceEvent, UpdateRequest

TRANSIENT = frozenset({Status.TOO_BUSY, Status.GOING_AWAY, Status.STORE_UNAVAILABLE})
"""Statuses that are worth another try."""
KEPT = frozenset({Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT})
"""Statuses of a report that the exchange has."""
_ECHOED: dict[type[Message], str] = {
    CancelRequest: "serial",
    ConnectRequest: "serial",
    DataRequest: "serial",
    ServiceEvent: "event_id",
    UpdateRequest: "serial",
}
"""What stands in a request, and again in its reply."""


def answers(request: Message, reply: Message) -> bool:
    """Whether a yes is about what was asked: one that isn't would give one customer's data to another."""
    name = _ECHOED.get(type(request))
    if name is None or isinstance(reply, Error) or getattr(reply, "status", Status.OK) not in KEPT:
        return True
    asked, said = getattr(request, name), getattr(reply, name)
    return bool(said) if asked == "" else bool(said == asked)


def pause_before_repeat(
    reply: Message, attempts: int, pause_after: Callable[[int], float], transient: Collection[Status] = TRANSIENT
) -> float | None:
    """How long to wait until a request may be repeated, in seconds; None: a repeat is no use, or not needed.

    :param pause_after: how long to wait after so many attempts, with its random part.
    :param transient: the statuses that are worth another try.
    """
    if Status.of(getattr(reply, "status", Status.OK)) not in transient:
        return None
    said: int = getattr(reply, "retry_after", 0)
    return said + pause_after(0) if said else pause_after(attempts)


def checked(reply: Message) -> Any:
    """The reply, when its status is 0.

    :raise CallError: it has another status, or is an Error.
    """
    status = getattr(reply, "status", Status.OK)
    if status != Status.OK or isinstance(reply, Error):
        raise CallError(status, getattr(reply, "detail", ""))
    return reply


def forget_answer(asked: Deferred[Message] | None) -> None:
    """Nobody waits for the answer to a request that has gone out."""
    if asked is not None:
        asked.addErrback(lambda failure: failure.trap(CtiexError) and None)
