"""Legs are moved on a real Asterisk: held and retrieved, consulted, transferred, put into conferences, sent on."""

from __future__ import annotations

import pytest

from ctiex.interfaces.call_platform import (
    Confer,
    Connect,
    Destination,
    DestinationKind,
    DialFailed,
    Leg,
    LegGone,
    Place,
)

from .calls_world import AGENT, ANSWERS, CUSTOMER, MUSIC, CallsCase, reactor

PAIRS = 50


@pytest.mark.telephony
class MovesOn22(CallsCase):
    """Asterisk 22."""

    async def test_hold_and_retrieve(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        self.assertEqual((customer.desk, agent.at_desk), (agent.id, True))
        await self.hears(self.world.customer, MUSIC)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agent, CUSTOMER)
        took: list[tuple[float, float]] = []
        for _ in range(PAIRS):
            began = reactor.seconds()
            await self.part(customer, agent)
            middle = reactor.seconds()
            await self.connect(customer, agent)
            took.append((middle - began, reactor.seconds() - middle))
        holds, retrieves = (sorted(1_000 * one[index] for one in took) for index in (0, 1))
        print(f"{self.version}: hold median {holds[PAIRS // 2]:.1f} worst {holds[-1]:.1f} ms, "
              f"retrieve median {retrieves[PAIRS // 2]:.1f} worst {retrieves[-1]:.1f} ms")
        await self.hears(self.world.customer, AGENT)
        await self.hang_up_all()
