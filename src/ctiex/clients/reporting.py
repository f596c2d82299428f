"""Asks the exchange for an automatic service, and reports to it, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from attrs import evolve
from twisted.internet.task import deferLater

from ctiex.clients.connection import ExchangeConnection
from ctiex.clients.replies import KEPT, TRANSIENT, pause_before_repeat
from ctiex.errors import BrokenExchange, CallError, Status
from ctiex.messages import DataRequest, Message, ServiceEvent, ServiceEventReply

TOO_LARGE = frozenset({Status.DATA_TOO_LARGE, Status.MORE_THAN_ALLOWED})
"""What an exchange answers to a result that it would take if there was less in it."""
_PROGRESS_REPEATED = TRANSIENT | {Status.INTERNAL}
"""Progress that finds no room (41) is dropped: what comes next says more."""
_RESULT_REPEATED = _PROGRESS_REPEATED | {Status.QUEUE_FULL}
"""A result has to be kept until the exchange has it, or says that it never will."""
_MOST_EVENT_IDS = 3
"""How many event_ids a report may be said under, should others have been used already."""


async def until_kept(connection: ExchangeConnection, event: ServiceEvent, new_id: Callable[[], int]) -> None:
    """Send a report until it is committed, under the same event_id unless that was used for another report (25).

    :raise CallError: the exchange refuses it for good.
    """
    for tried in count(1):
        reply = await _lasting_answer(connection, event)
        status = Status.of(getattr(reply, "status", Status.INTERNAL))
        if status in KEPT:
            return
        if status is not Status.EVENT_ID_USED or tried == _MOST_EVENT_IDS:
            raise CallError(status, getattr(reply, "detail", ""))
        event = evolve(event, event_id=new_id())


async def until_known(connection: ExchangeConnection, request: DataRequest, timeout: float) -> Message:
    """Ask for the data of a call: again later, where the exchange can't give it now (14, 15, 50), while there is time.

    :param timeout: in seconds; behind it the last answer holds.
    """
    until = connection.reactor.seconds() + timeout
    for attempts in count():
        reply = await connection.ask(request)
        pause = pause_before_repeat(reply, attempts, connection.pause_after)
        if pause is None or connection.reactor.seconds() + pause >= until:
            return reply
        await deferLater(connection.reactor, pause)
    raise AssertionError("it is asked until there is an answer")


async def _lasting_answer(connection: ExchangeConnection, event: ServiceEvent) -> Message:
    """The answer that the exchange stays with."""
    repeated = _RESULT_REPEATED if event.condition.final else _PROGRESS_REPEATED
    for attempts in count():
        reply = await _answer(connection, event)
        pause = pause_before_repeat(reply, attempts, connection.pause_after, repeated)
        if pause is None:
            return reply
        await deferLater(connection.reactor, pause)
    raise AssertionError("it is asked until there is an answer")


async def _answer(connection: ExchangeConnection, event: ServiceEvent) -> Message:
    """The answer; one to another report says as little of this one as a fault of the exchange."""
    try:
        return await connection.ask(event)
    except BrokenExchange:
        return ServiceEventReply(event.event_id, Status.INTERNAL)
