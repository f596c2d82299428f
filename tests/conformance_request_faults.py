"""Clients under test with one fault each in what they ask again, when, and under which ids."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any

from twisted.internet.defer import ensureDeferred

from ctiex.clients import AgentNumber, AutomaticService, HandOff
from ctiex.errors import CallError, CtiexError, LinkLost, Status
from ctiex.fields import Fields
from ctiex.messages import AgentEvent, CancelRequest, DataRequest, UpdateRequest

from .conformance_clients import AgentUnderTest, ServiceUnderTest


class UpdatesOutOfOrder(AgentUnderTest):
    """Puts an update that was lost behind the next one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lost: list[UpdateRequest] = []

    async def obey(self, agent: AgentNumber, event: AgentEvent) -> None:
        """Don't wait for the answer."""
        if "say" in event.fields:
            request = UpdateRequest(event.serial, Fields({"say": event.fields["say"]}))
            ensureDeferred(self.put(agent, request)).addErrback(lambda failure: failure.trap(CtiexError) and None)

    async def put(self, agent: AgentNumber, request: UpdateRequest) -> None:
        """Once, and then all that were lost."""
        try:
            await agent._client.ask(request, 30.0, repeat=False)
        except LinkLost:
            self._lost.append(request)
            return
        while self._lost:
            await agent._client.ask(self._lost.pop(), 30.0)


class CancelsOnce(AgentUnderTest):
    """Takes a CancelRequest for done whose answer was lost."""

    async def obey(self, agent: AgentNumber, event: AgentEvent) -> None:
        """Ask, and don't ask again."""
        if "cancel" in event.fields:
            await agent._client.ask(CancelRequest(event.serial), 30.0, repeat=False)


class CountsItsReports(ServiceUnderTest):
    """Its event ids are 1, 2, 3."""

    class make_service(AutomaticService):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._counter = count(1)

        def _new_event_id(self) -> int:
            return next(self._counter)


class CountsThemForEachCall(CountsItsReports):
    """They are 1 and 2 for each customer."""

    class make_service(AutomaticService):  # noqa: N801
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._turns = count()

        def _new_event_id(self) -> int:
            return next(self._turns) % 2 + 1


class FetchesAtOnce(ServiceUnderTest):
    """Asks again without a pause when the data can't be had."""

    class make_service(AutomaticService):  # noqa: N801
        async def ask_for_data(self, request: DataRequest, timeout: float) -> Any:
            while True:
                result = await self.ask(request, timeout)
                if result.status not in (Status.TOO_BUSY, Status.STORE_UNAVAILABLE):
                    return result


class AsksAgainForEver(AgentUnderTest):
    """Takes every refusal of a ConnectRequest for one that passes."""

    async def connect(self, agent: AgentNumber, serial: str | None = None) -> HandOff:
        """Until it is kept."""
        serial = agent._client.new_serial() if serial is None else serial
        while True:
            with suppress(CallError):
                return await super().connect(agent, serial)
