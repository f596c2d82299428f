"""Ties a service that knows only fields and media to the calls of an automatic service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ctiex.fields import Fields
from ctiex.interfaces import IMedia
from ctiex.services.outcome import Outcome, Service


class Call(Protocol):
    """What a service needs of a call; :class:`ctiex.clients.automatic_service.ServedCall` is one."""

    media: IMedia

    async def data(self) -> Fields:
        """The call's data."""

    async def progress(self, fields: Fields) -> None:
        """Tell the agent how it goes."""


def handler_of(service: Service) -> Callable[[Call], Awaitable[Outcome]]:
    """The coroutine that serves one call: fetch its data, serve the customer, give the outcome."""

    async def handle(call: Call) -> Outcome:
        return await service.serve(await call.data(), call.media, call.progress)

    return handle
