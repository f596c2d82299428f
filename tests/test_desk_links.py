"""Desks over real TCP, whose links are lost again and again: what a desk shows in the end is so."""

from __future__ import annotations

from random import Random
from typing import Any

from ctiex.app.exchange import Exchange
from ctiex.call_messages import CallChange, ConnectionState
from ctiex.clients import AgentClient, AgentNumber, ClientCall
from ctiex.errors import CtiexError
from ctiex.interfaces import SignallingContext
from ctiex.interfaces.call_platform import LegState
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

from .desk_bench import CUSTOMER, Heard, PlatformSignalling
from .exchange_case import ExchangeCase
from .waiting import eventually

TABLES: dict[str, Any] = {
    "services": {"survey": {"access_code": "7300", "signalling": "platform"}},
    "identities": {"agent-demo": {"role": "agent", "secret": "demo", "agents": ["1001-1003"]}},
}


class DeskLinkTests(ExchangeCase):
    """One desk, one platform, and links that are cut."""

    async def exchange_with_platform(self) -> tuple[Exchange, SimulatedPlatform]:
        made: list[PlatformSignalling] = []

        def driver(context: SignallingContext) -> PlatformSignalling:
            made.append(PlatformSignalling(context.listener, context.sessions, context.reactor))
            return made[0]

        self.drivers = {"platform": driver}
        running = await self.exchange(TABLES)
        return running, made[0].call_platform

    async def talks(self, platform: SimulatedPlatform, agent: AgentNumber) -> ClientCall:
        id = platform.board.calls_in(CUSTOMER, agent.number).id
        [ringing] = [leg for leg in platform.board.legs.of_agent(agent.number) if leg.state is LegState.ALERTING]
        platform.board.pick_up(ringing)
        await eventually(lambda: (call := agent.monitored.call(id)) and call.state is ConnectionState.CONNECTED)
        call = agent.monitored.call(id)
        assert call is not None
        return call

    def cut(self, client: AgentClient) -> None:
        link = client._connection.link
        assert link is not None
        link.cut("the test says so")

    async def test_what_a_desk_shows_behind_lost_links_is_so(self) -> None:
        running, platform = await self.exchange_with_platform()
        client = await self.client(running)
        heard, random = Heard(), Random(5)
        agent = await client.login("1001", **heard.listeners)
        call = await self.talks(platform, agent)
        for _ in range(12):
            try:
                await (call.hold() if random.random() < 0.5 else call.retrieve())
            except CtiexError:
                pass  # 61, or the link was lost: the snapshot shows which
            if random.random() < 0.7 and agent.monitored.up_to_date:
                self.cut(client)
            await eventually(lambda: agent.monitored.up_to_date)
        leg = platform.board.legs.leg(call.id)
        assert leg is not None
        state = ConnectionState.HELD if leg.place.value == "hold" else ConnectionState.CONNECTED
        await eventually(lambda: call.state is state, lambda: call.parties)
        self.cut(client)
        platform.board.hang_up(leg)
        await eventually(lambda: call.over)
        self.assertEqual((list(agent.calls), heard.changes[-1]), ([], "cleared"))

    async def test_a_call_goes_through_its_life(self) -> None:
        running, platform = await self.exchange_with_platform()
        agent = await self.agent(running, calls=True)
        call = await self.talks(platform, agent)
        await call.hold()
        await call.until(CallChange.HELD)
        await call.update(order="4711")
        await call.retrieve()
        await call.until(CallChange.RETRIEVED)
        self.assertEqual(call.data["order"], "4711")
        await call.clear()
        await call.until(CallChange.CLEARED)
