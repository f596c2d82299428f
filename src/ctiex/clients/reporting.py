"""Brings the reports of an automatic service to its exchange, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from attrs import evolve
from twisted.internet.task import deferLater

from ctiex.clients.connection import ExchangeConnection
from ctiex.clients.replies import KEPT
from ctiex.errors import BrokenExchange, CallError, Repeat, RequestTimedOut, Status
from ctiex.messages import Message, ServiceEvent

TOO_LARGE = frozenset({Status.DATA_TOO_LARGE, Status.MORE_THAN_ALLOWED})
"""Statuses of a report that is taken with less in it."""


async def until_kept(connection: ExchangeConnection, event: ServiceEvent, new_id: Callable[[], int]) -> None:
    """Send a report until it is committed, always under the same event_id, unless another report has that.

    :raise CallError: the exchange refuses it for good.
    """
    for attempts in count():
        try:
            reply = await connection.ask(event)
        except RequestTimedOut:
            continue
        except BrokenExchange:
            reply = None
        status = Status.INTERNAL if reply is None else _status(reply)
        if status in KEPT:
            return
        if status is Status.EVENT_ID_USED:
            event = evolve(event, event_id=new_id())
        elif not _is_repeated(event, status):
            raise CallError(status, getattr(reply, "detail", ""))
        await deferLater(connection.reactor, connection.pause_after(attempts))


def _status(reply: Message) -> Status:
    return Status.of(getattr(reply, "status", Status.INTERNAL))


def _is_repeated(event: ServiceEvent, status: Status) -> bool:
    """Progress that finds no room (41) is dropped: what comes next says more."""
    return status.repeat is Repeat.LATER and (event.condition.final or status is not Status.QUEUE_FULL)
