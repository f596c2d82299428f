"""Ties a service that knows only fields and media to the calls of an automatic service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from twisted.logger import Logger

from ctiex.errors import CallError, CodecError, LinkError
from ctiex.fields import Fields
from ctiex.interfaces import IMedia
from ctiex.services.outcome import Outcome, Service

_log = Logger()

_TOLD_WITHIN = 2.0
"""How long a customer may wait while progress is reported to the agent, in seconds."""


class AnsweredCall(Protocol):
    """What a service needs of a call; ``ctiex.ServedCall`` is one."""

    serial: str
    media: IMedia

    async def data(self) -> Fields:
        """The call's data."""

    async def progress(self, fields: Fields, timeout: float) -> None:
        """Tell the agent how it goes, in so many seconds."""


def handler_of(service: Service) -> Callable[[AnsweredCall], Awaitable[Outcome]]:
    """The coroutine that serves one call: fetch its data, serve the customer, give the outcome.

    Progress is reported if possible: if the agent's mailbox is full or the exchange is away, the service goes on.
    """

    async def handle(call: AnsweredCall) -> Outcome:
        return await serve(service, call, await call.data())

    return handle


async def serve(service: Service, call: AnsweredCall, fields: Fields) -> Outcome:
    """Have a service serve the customer of a call whose data was fetched, and give the outcome."""
    return await service.serve(fields, call.media, partial(_tell_progress, call))


async def _tell_progress(call: AnsweredCall, fields: Fields) -> None:
    try:
        await call.progress(fields, _TOLD_WITHIN)
    except (CallError, CodecError, LinkError) as error:
        _log.debug("progress of call {serial} could not be reported: {reason}", serial=call.serial, reason=str(error))
