"""A real Asterisk's lists say the same of its legs as its events; and a hand-off in the middle of call control."""

from __future__ import annotations

from math import inf
from typing import Any

import attrs
import pytest

from ctiex.interfaces import Offer
from ctiex.interfaces.call_platform import (
    Connect,
    DestinationKind,
    Leg,
    LegPlace,
    LegState,
    RecordingState,
    Supervise,
    Supervision,
    ToDesk,
)
from ctiex.messages import Connection

from .calls_world import AGENT, ANSWERS, CUSTOMER, SERVICE, CallsCase


@pytest.mark.telephony_cti
class SnapshotsOn22(CallsCase):
    """Asterisk 22."""

    customers = 2
    maxDiff = None

    def shown_now(self) -> dict[str, dict[str, Any]]:
        return {leg.id: attrs.asdict(leg) for leg in self.platform.legs.all()}

    async def assert_the_lists_say_the_same(self) -> None:
        """Cut the connection, and compare what is known before and behind."""
        before, told = self.shown_now(), len(self.told)
        assert self.platform._client._link is not None
        self.platform._client._link.transport.abortConnection()
        await self.told.wait(lambda one: one == "taken up", "the snapshot", told)
        self.assertIn("away", self.told.since(told))
        after = self.shown_now()
        self.assertEqual(sorted(before), sorted(after))
        for id, leg in before.items():
            self.assertEqual(leg, after[id])

    async def test_calls_of_every_kind(self) -> None:
        customer, agent = await self.talk()
        await self.assert_the_lists_say_the_same()
        customer, agent = self.alive(customer.id), self.alive(agent.id)
        await self.part(customer, agent)
        target = await self.consult(agent, ANSWERS, DestinationKind.NUMBER)
        await self.platform.record(customer, RecordingState.ON, "call-1")
        await self.until(lambda: customer.recording is RecordingState.ON)
        supervisor = await self.call(DestinationKind.AGENT, "1002", Supervise(agent.id, Supervision.WHISPER))
        await self.until(lambda: self.is_up(supervisor) and self.is_at(self.alive(supervisor), LegPlace.SUPERVISION))
        ringing = await self.call(DestinationKind.AGENT, "1003", Connect(agent.id), agent.id)
        await self.until(lambda: self.platform.legs.leg(ringing) is not None
                         and self.alive(ringing).state is LegState.ALERTING)  # fmt: skip
        other = self.world.customers[1]
        await other.dial("801")
        await self.until(
            lambda: bool(self.legs_of(other.number)) and self.is_at(self.leg(other.number), LegPlace.QUEUE)
        )
        await self.assert_the_lists_say_the_same()
        await self.platform.record(self.alive(customer.id), RecordingState.PAUSED, "call-1")
        await self.until(lambda: self.alive(customer.id).recording is RecordingState.PAUSED)
        await self.world.agent._tell("hold")
        await self.until(lambda: self.alive(agent.id).held_at_phone)
        await self.platform.tag(self.alive(target.id), "another-call")
        await self.platform.hang_up(self.alive(supervisor))
        await self.gone(Leg(supervisor))
        await self.platform.queue_log_in("1002", "", ("desks", "support"), "begins")
        await self.until(lambda: getattr(self.platform.membership("1002"), "reason", "") == "begins")
        before = self.platform.membership("1002")
        await self.assert_the_lists_say_the_same()
        self.assertEqual(self.platform.membership("1002"), before)
        await self.world.agent._tell("resume")
        legs = (self.alive(agent.id), self.alive(target.id))
        await self.platform.confer(legs, "room-1")
        await self.together(*legs, place=LegPlace.CONFERENCE)
        await self.platform.hang_up(self.alive(ringing))
        await self.gone(Leg(ringing))
        await self.assert_the_lists_say_the_same()
        await self.hang_up_all()

    async def hand_over(self, serial: str) -> None:
        """Have the customer served, and come back."""
        customer, agent = self.leg(self.world.customer.number), self.leg("1001")
        connection = Connection(SERVICE, f"{self.world.customer.number}**{serial}", "exchange:7301")
        self.driver.offer(Offer(serial, "bill", self.world.customer.number, connection, inf, False, agent="1001"))
        await self.until(lambda: self.is_at(customer, LegPlace.SERVICE) and bool(customer.bridge)
                         and self.is_at(agent, LegPlace.SERVICE))  # fmt: skip
        self.assertEqual((customer.service, agent.service), (serial, serial))
        await self.assert_the_lists_say_the_same()
        await self.world.customer.type("1")
        await self.together(self.alive(customer.id), self.alive(agent.id))
        self.assertEqual((self.alive(customer.id).service, self.alive(agent.id).service), ("", ""))

    async def test_a_call_is_controlled_after_a_hand_off_and_handed_over_after_it_was_controlled(self) -> None:
        customer, agent = await self.talk()
        await self.hand_over("7")
        customer, agent = self.alive(customer.id), self.alive(agent.id)
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.hand_over("8")
        customer, agent = self.alive(customer.id), self.alive(agent.id)
        self.assertTrue(agent.at_desk)
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agent, CUSTOMER)
        await self.world.customer.hang_up()
        await self.gone(customer)
        await self.at(agent, LegPlace.DESK)
        await self.hang_up_all()

    async def test_a_customer_who_hangs_up_at_the_service_leaves_the_agent_at_the_desk(self) -> None:
        id = await self.call(DestinationKind.AGENT, "1001", ToDesk())
        await self.until(lambda: self.is_up(id) and self.is_at(self.alive(id), LegPlace.DESK))
        await self.world.customer.dial("1003")
        await self.until(lambda: bool(self.legs_of("1003")) and self.leg("1003").state is LegState.ALERTING)
        await self.world.agents[2].answer()
        customer, other = self.leg(self.world.customer.number), self.leg("1003")
        await self.together(customer, other)
        await self.connect(customer, self.alive(id))
        await self.gone(other)
        agent = self.alive(id)
        connection = Connection(SERVICE, f"{self.world.customer.number}**9", "exchange:7301")
        self.driver.offer(Offer("9", "bill", self.world.customer.number, connection, inf, False, agent="1001"))
        await self.until(lambda: self.is_at(customer, LegPlace.SERVICE) and bool(customer.bridge)
                         and self.is_at(agent, LegPlace.SERVICE))  # fmt: skip
        await self.world.customer.hang_up()
        await self.gone(customer)
        await self.at(agent, LegPlace.DESK)
        await self.hang_up_all()


class SnapshotsOn16(SnapshotsOn22):
    """Asterisk 16."""

    version = 16
