"""A real Asterisk is a platform like any other: the contract of every platform, with telephones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from twisted.internet.defer import ensureDeferred

from ctiex.interfaces.call_platform import Function, PlatformEvent
from ctiex.testing.call_platform_contract import CallPlatformContract, Numbers

from .calls_world import ANSWERS, BUSY, MANUAL, RINGS, UNKNOWN, CallsCase
from .phones import Phone
from .world import FIRST_AGENT


@pytest.mark.telephony_cti
class ContractOn22(CallPlatformContract, CallsCase):  # type: ignore[misc]  # the platform is only read
    """Asterisk 22."""

    numbers = Numbers(str(MANUAL), "1002", ANSWERS, BUSY, RINGS, UNKNOWN, "desks")

    async def _start(self) -> None:
        await super()._start()
        self.addCleanup(lambda: ensureDeferred(self.hang_up_all()))  # whatever is left ends, and nothing of it stays

    async def until(self, ready: Callable[[], Any]) -> None:
        """Wait until something is so."""
        await CallsCase.until(self, ready)

    def events(self) -> list[PlatformEvent]:
        """Every event that was told."""
        return [one for one in self.told if isinstance(one, get_args(PlatformEvent))]

    @property
    def _agent(self) -> Phone:
        return self.world.agents[MANUAL - FIRST_AGENT]

    async def customer_calls(self) -> None:
        """A customer calls the agent."""
        await self.world.customer.dial(self.numbers.agent)

    async def customer_hangs_up(self) -> None:
        """The customer hangs up."""
        await self.world.customer.hang_up()

    async def agent_picks_up(self) -> None:
        """The agent answers at the telephone, which rings."""
        await self._agent.answer()

    async def agent_hangs_up(self) -> None:
        """The agent hangs up at the telephone."""
        await self._agent.hang_up()

    async def connection_is_lost(self) -> None:
        """It is lost; the driver connects again, and reads what there is."""
        told = len(self.told)
        link = self.world.platform._client._link
        assert link is not None
        link.transport.abortConnection()
        await self.told.wait(lambda one: one == "taken up", "the snapshot", told)
        assert "away" in self.told.since(told)

    async def test_it_can_do_all_that_the_contract_shows(self) -> None:
        shown = Function.RECORDING | Function.SUPERVISION | Function.QUEUES
        self.assertEqual(self.platform.functions & shown, shown)


class ContractOn16(ContractOn22):
    """Asterisk 16."""

    version = 16
