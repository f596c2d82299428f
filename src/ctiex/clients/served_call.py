"""One customer who has come to an automatic service."""

from __future__ import annotations

from typing import Any, Protocol

from ctiex.clients.connection import checked
from ctiex.fields import EMPTY, Fields
from ctiex.interfaces import IMedia
from ctiex.messages import Condition, Connection, DataRequest, DataResult, Message
from ctiex.services.outcome import Outcome


class CallService(Protocol):
    """What a call needs of the service that serves it."""

    async def ask(self, message: Message, timeout: float) -> Any:
        """Ask the exchange."""

    async def report(self, call: ServedCall, outcome: Outcome, timeout: float) -> None:
        """Report to the exchange, in so many seconds."""


class ServedCall:
    """A customer who is being served, and the way to their data and their agent."""

    media: IMedia
    """The channel to the customer."""

    def __init__(self, service: CallService, connection: Connection, calling_number: str, serial: str) -> None:
        self.serial = serial
        self.calling_number = calling_number
        """The customer's number, without the serial."""
        self.access_code = connection.access_code
        self.agent = ""
        """The agent number that handed the customer over; known once the data was fetched."""
        self.ended: Condition | None = None
        """How the exchange ended the call; None while it goes on."""
        self._service = service
        self._exchange_address = connection.exchange_address

    async def data(self, timeout: float = 30.0) -> Fields:
        """The call's data, organized for this service [0050].

        :param timeout: in seconds, lost links included; the exchange may take as long to answer.
        :raise CallError: 20, the call isn't (or is no longer) this service's.
        :raise RequestTimedOut: no answer in time.
        """
        request = DataRequest(self.serial, self._exchange_address)
        result: DataResult = checked(await self._service.ask(request, timeout))
        self.agent = result.agent
        return result.fields

    async def progress(self, fields: Fields = EMPTY, timeout: float = 600.0) -> None:
        """Tell the agent how it goes; any number of times.

        :param timeout: in seconds, lost links included.
        :raise CallError: 41, the agent's mailbox is full; 24 or 20, the call has ended.
        :raise RequestTimedOut: the exchange could not be told in time.
        """
        await self._service.report(self, Outcome(Condition.PROGRESS, fields), timeout)
