"""The same again and again, and many at once: no leg is lost, and nothing is kept."""

from __future__ import annotations

import pytest
from twisted.internet.defer import ensureDeferred, gatherResults

from ctiex.call_messages import Action, CallChange

from .calls_world import AGENT, CUSTOMER, MANUAL
from .cti_world import CtiCase

PAIRS, ROUNDS, AT_ONCE = 200, 50, 20


@pytest.mark.telephony_cti
class AgainOn22(CtiCase):
    """Asterisk 22; one customer, who stays."""

    async def done(self, action: Action, call: str, change: CallChange, about: str, **words: str) -> None:
        """Ask for an action, and wait until the desk is told of it.

        :param about: the call of which it is told.
        """
        since = len(self.desk.told)
        await self.desk.asks(action, "1001", call, **words)
        await self.desk.hears(change, about, since)

    async def test_two_hundred_pairs_of_hold_and_retrieve(self) -> None:
        call = await self.talks()
        legs = {leg.id for leg in self.platform.legs.all()}
        for _ in range(PAIRS):
            await self.done(Action.HOLD, call, CallChange.HELD, call)
            await self.done(Action.RETRIEVE, call, CallChange.RETRIEVED, call)
        self.assertEqual({leg.id for leg in self.platform.legs.all()}, legs)
        await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()
        await self.rests()

    async def test_fifty_rounds_of_consultation_conference_and_transfer(self) -> None:
        for _ in range(ROUNDS):
            call = await self.talks()
            await self._confers(call)
            other = await self.consults(call, "1004")
            await self.done(Action.TRANSFER, other, CallChange.TRANSFERRED, call)
            await self.hears(self.world.agents[3], CUSTOMER)
            self.assertEqual(set(self.desk.parties(call)), {self.world.customer.number, "1004"})
            await self.world.customer.hang_up()
            await self.rests()

    async def _confers(self, call: str) -> None:
        """Three talk, and two again."""
        other = await self.consults(call)
        await self.done(Action.CONFERENCE, other, CallChange.CONFERENCED, call)
        await self.settled(lambda: len(self.desk.parties(call)) == 3)
        [consulted] = [party.id for party in self.desk.last(call).parties if party.agent == "1002"]
        await self.done(Action.DROP_PARTY, call, CallChange.PARTY_DROPPED, call, other=consulted)
        await self.hears(self.world.customer, AGENT)


class AgainOn16(AgainOn22):
    """Asterisk 16."""

    version = 16


@pytest.mark.telephony_cti
class CrowdOn22(CtiCase):
    """Asterisk 22; twenty agents, each with a customer."""

    customers = AT_ONCE
    agents = AT_ONCE + 1

    async def works(self, customer: int, agent: str) -> None:
        """One agent's call, with three holds."""
        call = await self.talks(agent, customer)
        for _ in range(3):
            since = len(self.desk.told)
            await self.desk.asks(Action.HOLD, agent, call)
            await self.desk.hears(CallChange.HELD, call, since)
            await self.desk.asks(Action.RETRIEVE, agent, call)
            await self.desk.hears(CallChange.RETRIEVED, call, since)
        self.assertEqual(set(self.desk.parties(call)), {self.world.customers[customer].number, agent})
        await self.hears(self.world.customers[customer], AGENT)

    async def test_twenty_agents_at_once(self) -> None:
        agents = [phone.number for phone in self.world.agents if phone.number != str(MANUAL)]
        works = [ensureDeferred(self.works(index, agent)) for index, agent in enumerate(agents)]
        await gatherResults(works, consumeErrors=True)
        self.assertEqual(len(self.world.customers), AT_ONCE)
        for customer in self.world.customers:
            await customer.hang_up()
        await self.rests()


class CrowdOn16(CrowdOn22):
    """Asterisk 16."""

    version = 16
