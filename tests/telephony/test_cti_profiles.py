"""The minimal and the basic profile of ECMA TR/87 with real telephones: each service, its failures, and its events.

Who hears whom is told by tones, and not by events alone.
"""

from __future__ import annotations

import pytest

from ctiex.call_messages import Action, AgentStateCode, CallChange
from ctiex.fields import Fields

from .calls_world import AGENT, ANSWERS, BROKEN, BUSY, CUSTOMER, MUSIC, REJECTS, RINGS, UNKNOWN
from .cti_world import CtiCase

CUSTOMERS_NUMBER = "13800138000"


@pytest.mark.telephony
class BasicProfileOn22(CtiCase):
    """Asterisk 22."""

    async def test_make_call_and_clear_connection(self) -> None:
        made = await self.desk.asks(Action.MAKE, "1001", destination=ANSWERS)
        event = await self.desk.hears(CallChange.ESTABLISHED, made.call)
        self.assertEqual(event.serial, made.serial)
        self.assertEqual(self.desk.parties(made.call), {ANSWERS: "connected", "1001": "connected"})
        await self.hears(self.world.agent, CUSTOMER)
        await self.desk.asks(Action.CLEAR, "1001", made.call)
        await self.desk.hears(CallChange.CLEARED, made.call)
        await self.rests()

    async def test_make_call_tells_its_failures_apart(self) -> None:
        for number, status in ((BUSY, 63), (REJECTS, 63), (RINGS, 64), (UNKNOWN, 65), (BROKEN, 66)):
            made = await self.desk.asks(Action.MAKE, "1001", destination=number, seconds=2)
            failed = await self.desk.hears(CallChange.FAILED, made.call)
            self.assertEqual(failed.status, status, number)
            await self.desk.hears(CallChange.CLEARED, made.call)
        self.assertEqual((await self.desk.begin(Action.MAKE, "1001", destination="0900")).status, 65)
        await self.rests()

    async def test_hold_and_retrieve(self) -> None:
        call = await self.talks()
        for _ in range(3):
            since = len(self.desk.told)
            await self.desk.asks(Action.HOLD, "1001", call)
            await self.desk.hears(CallChange.HELD, call, since)
            self.assertEqual(self.desk.parties(call), {CUSTOMERS_NUMBER: "connected", "1001": "held"})
            await self.hears(self.world.customer, MUSIC)
            self.assertEqual((await self.desk.begin(Action.HOLD, "1001", call)).status, 61)
            await self.desk.asks(Action.RETRIEVE, "1001", call)
            await self.desk.hears(CallChange.RETRIEVED, call, since)
            await self.hears(self.world.customer, AGENT)
            await self.hears(self.world.agent, CUSTOMER)
        await self.world.customer.hang_up()
        await self.desk.hears(CallChange.CLEARED, call)
        await self.rests()

    async def test_consultation_alternate_reconnect_and_transfer_with_data(self) -> None:
        call = await self.talks()
        other = await self.consults(call)
        await self.hears(self.world.customer, MUSIC)
        await self.hears(self.world.agents[1], AGENT)
        since = len(self.desk.told)
        await self.desk.asks(Action.ALTERNATE, "1001", other)
        await self.desk.hears(CallChange.RETRIEVED, call, since)
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agents[1], MUSIC)
        since = len(self.desk.told)
        await self.desk.asks(Action.ALTERNATE, "1001", call)
        await self.desk.hears(CallChange.RETRIEVED, other, since)
        since = len(self.desk.told)
        await self.desk.asks(Action.RECONNECT, "1001", other)
        await self.desk.hears(CallChange.RETRIEVED, call, since)
        await self.desk.hears(CallChange.CLEARED, other, since)
        await self.hears(self.world.customer, AGENT)
        again = await self.consults(call, fields=Fields({"order": "4711"}))
        await self.desk.asks(Action.TRANSFER, "1001", again)
        await self.desk.hears(CallChange.TRANSFERRED, call)
        await self.desk.hears(CallChange.CLEARED, again)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.hears(self.world.customer, AGENT)
        self.assertEqual(self.desk.parties(call), {CUSTOMERS_NUMBER: "connected", "1002": "connected"})
        self.assertEqual(self.desk.last(call).fields, Fields({"order": "4711"}))
        await self.settled(lambda: not list(self.platform.legs.of_agent("1001")))
        await self.world.agents[1].hang_up()
        await self.rests()

    async def test_a_consultation_that_fails_leaves_the_customer_held(self) -> None:
        call = await self.talks()
        for number, status in ((BUSY, 63), (RINGS, 64), (UNKNOWN, 65)):
            since = len(self.desk.told)
            asked = await self.desk.asks(Action.CONSULT, "1001", call, destination=number, seconds=2)
            self.assertEqual((await self.desk.hears(CallChange.FAILED, asked.call)).status, status)
            await self.hears(self.world.customer, MUSIC)
            await self.desk.asks(Action.RETRIEVE, "1001", call)
            await self.desk.hears(CallChange.RETRIEVED, call, since)
            await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()
        await self.rests()

    async def test_single_step_transfer_and_deflect(self) -> None:
        call = await self.talks()
        await self.desk.asks(Action.BLIND_TRANSFER, "1001", call, destination="1002")
        await self.desk.hears(CallChange.TRANSFERRED, call)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.settled(lambda: not list(self.platform.legs.of_agent("1001")))
        await self.world.customer.hang_up()
        await self.rests()
        await self.world.customer.dial("1003")
        await self.until(lambda: self.rings("1003"))
        [ringing] = self.platform.legs.of_agent("1003")
        await self.desk.hears(CallChange.ALERTING, ringing.call)
        await self.desk.asks(Action.DEFLECT, "1003", ringing.call, destination="1002")
        await self.desk.hears(CallChange.DIVERTED, ringing.call)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.world.customer.hang_up()
        await self.rests()

    async def test_reject_and_answer_at_the_telephone(self) -> None:
        await self.world.customer.dial("1003")
        await self.until(lambda: self.rings("1003"))
        [ringing] = self.platform.legs.of_agent("1003")
        await self.desk.hears(CallChange.ALERTING, ringing.call)
        self.assertEqual((await self.desk.begin(Action.ANSWER, "1003", ringing.call)).status, 62)
        await self.world.agents[2].answer()
        await self.desk.hears(CallChange.ESTABLISHED, ringing.call)
        await self.hears(self.world.agents[2], CUSTOMER)
        await self.world.customer.hang_up()
        await self.rests()
        await self.world.customer.dial("1003")
        await self.until(lambda: self.rings("1003"))
        [ringing] = self.platform.legs.of_agent("1003")
        await self.desk.hears(CallChange.ALERTING, ringing.call)
        await self.desk.asks(Action.REJECT, "1003", ringing.call)
        await self.until(lambda: not list(self.platform.legs.of_agent("1003")))
        await self.rests()

    async def test_conference_add_and_drop(self) -> None:
        call = await self.talks()
        other = await self.consults(call)
        await self.desk.asks(Action.CONFERENCE, "1001", other)
        await self.desk.hears(CallChange.CONFERENCED, call)
        self.assertEqual(set(self.desk.parties(call)), {CUSTOMERS_NUMBER, "1001", "1002"})
        await self.desk.asks(Action.ADD_PARTY, "1001", call, destination=ANSWERS)
        await self.until(lambda: len(list(self.platform.legs.in_bridge(call))) == 4)
        [outside] = self.legs_of(ANSWERS)
        since = len(self.desk.told)
        await self.desk.asks(Action.DROP_PARTY, "1001", call, other=outside.id)
        await self.desk.hears(CallChange.PARTY_DROPPED, call, since)
        since = len(self.desk.told)
        await self.desk.asks(Action.LEAVE, "1001", call)
        await self.desk.hears(CallChange.PARTY_DROPPED, call, since)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.world.customer.hang_up()
        await self.rests()

    async def test_agents_of_a_queue(self) -> None:
        desk = self.desk
        self.assertEqual(await desk.state("1001", AgentStateCode.READY, queues="desks"), 0)
        await desk.is_in("1001", AgentStateCode.READY, queues="desks")
        await self.world.customer.dial("801")
        event = await desk.hears(CallChange.ESTABLISHED)
        await desk.is_in("1001", AgentStateCode.BUSY)
        self.assertEqual(event.queue, "desks")
        since = len(desk.told)
        await self.world.customer.hang_up()
        await desk.is_in("1001", AgentStateCode.AFTER_CALL_WORK, since)
        await desk.is_in("1001", AgentStateCode.READY, since)
        self.assertEqual(await desk.state("1001", AgentStateCode.NOT_READY, reason="lunch"), 0)
        await desk.is_in("1001", AgentStateCode.NOT_READY, since, reason="lunch")
        self.assertEqual(await desk.state("1001", AgentStateCode.LOGGED_OUT), 0)
        await desk.is_in("1001", AgentStateCode.LOGGED_OUT, since)
        await self.rests()


@pytest.mark.telephony
class BasicProfileOn16(BasicProfileOn22):
    """Asterisk 16."""

    version = 16
