"""What else desks do with real telephones: supervisors, agents off the hook, hand-offs, telephones on their own."""

from __future__ import annotations

import pytest

from ctiex.call_messages import Action, AgentStateCode, CallChange, Recording
from ctiex.interfaces.call_platform import LegPlace

from .calls_world import AGENT, ANSWERS, CUSTOMER, MUSIC, reactor
from .cti_world import CtiCase
from .refer import transfer_attended
from .tap import VOICE


@pytest.mark.telephony_cti
class ScenesOn22(CtiCase):
    """Asterisk 22."""

    async def test_a_supervisor_listens_whispers_barges_in_and_takes_over(self) -> None:
        call = await self.talks()
        await self.lead.asks(Action.LISTEN, "1001", call, value="1004")
        await self.lead.hears(CallChange.SUPERVISION_CHANGED, call)
        await self.hears(self.world.agents[3], VOICE)
        await self.hears(self.world.customer, AGENT)
        self.assertNotIn("1004", self.desk.parties(call), "the agent isn't told")
        await self.lead.asks(Action.WHISPER, "1001", call, value="1004")
        await self.hears(self.world.agent, VOICE)
        self.assertEqual(self.world.tap.hears(self.world.customer.host), AGENT)
        await self.lead.asks(Action.INTERCEPT, "1001", call, value="1004")
        await self.lead.hears(CallChange.TRANSFERRED, call)
        await self.hears(self.world.agents[3], CUSTOMER)
        await self.settled(lambda: not list(self.platform.legs.of_agent("1001")))
        await self.world.customer.hang_up()
        await self.rests()

    async def test_a_call_is_recorded_and_gets_digits(self) -> None:
        made = await self.desk.asks(Action.MAKE, "1001", destination=ANSWERS)
        await self.desk.hears(CallChange.ESTABLISHED, made.call)
        for action, recording in (
            (Action.RECORD_START, Recording.ON),
            (Action.RECORD_PAUSE, Recording.PAUSED),
            (Action.RECORD_RESUME, Recording.ON),
            (Action.RECORD_STOP, Recording.OFF),
        ):
            since = len(self.desk.told)
            await self.desk.asks(action, "1001", made.call)
            await self.desk.hears(CallChange.RECORDING_CHANGED, made.call, since, recording=recording)
        await self.desk.asks(Action.DIGITS, "1001", made.call, value="12#")
        event = await self.world.platform_2.witness.event("UserEvent", UserEvent="keys")
        self.assertEqual(event["Keys"], "12")
        await self.desk.asks(Action.CLEAR, "1001", made.call)
        await self.rests()

    async def test_an_agent_off_the_hook_has_calls_of_a_queue_and_makes_calls(self) -> None:
        self.assertEqual(await self.desk.state("1001", AgentStateCode.READY, device="off-hook", queues="desks"), 0)
        await self.world.customer.dial("801")
        event = await self.desk.hears(CallChange.ESTABLISHED, queue="desks")
        await self.hears(self.world.agent, CUSTOMER)
        since = len(self.desk.told)
        await self.desk.asks(Action.HOLD, "1001", event.call)
        await self.desk.hears(CallChange.HELD, event.call, since)
        await self.hears(self.world.customer, MUSIC)
        await self.desk.asks(Action.RETRIEVE, "1001", event.call)
        await self.hears(self.world.customer, AGENT)
        since = len(self.desk.told)
        await self.world.customer.hang_up()
        await self.desk.hears(CallChange.CLEARED, event.call, since)
        await self.desk.is_in("1001", AgentStateCode.READY, since)
        made = await self.desk.asks(Action.MAKE, "1001", destination=ANSWERS)
        await self.desk.hears(CallChange.ESTABLISHED, made.call)
        await self.hears(self.world.agent, CUSTOMER)
        await self.desk.asks(Action.CLEAR, "1001", made.call)
        await self.desk.hears(CallChange.CLEARED, made.call)
        [desk] = self.platform.legs.of_agent("1001")
        self.assertIs(desk.place, LegPlace.DESK)
        self.assertEqual(await self.desk.state("1001", AgentStateCode.LOGGED_OUT), 0)
        await self.rests()

    async def test_a_customer_is_handed_over_again_and_again_and_every_function_works_between(self) -> None:
        connection = self.logs_in("1001")
        call, serials = await self.talks(), set[str]()
        for _ in range(2):
            serials.add(await self.hands_over(connection, "1001", call))
            self.assertEqual((await self.desk.begin(Action.HOLD, "1001", call)).status, 61)
            since = len(self.desk.told)
            await self.world.customer.type("1")
            await self.desk.hears(CallChange.RETURNED, call, since)
            await self.hears(self.world.customer, AGENT)
            since = len(self.desk.told)
            await self.desk.asks(Action.HOLD, "1001", call)
            await self.desk.hears(CallChange.HELD, call, since)
            await self.desk.asks(Action.RETRIEVE, "1001", call)
            await self.desk.hears(CallChange.RETRIEVED, call, since)
            await self.hears(self.world.customer, AGENT)
        self.assertEqual(len({*serials, self.desk.last(call).serial}), 3)
        other = await self.consults(call)
        await self.desk.asks(Action.TRANSFER, "1001", other)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.world.customer.hang_up()
        await self.settled(lambda: len(self.control) == 0)

    async def test_what_a_telephone_does_by_itself_shows(self) -> None:
        call = await self.talks()
        since = len(self.desk.told)
        await self.world.agent._tell("hold")
        await self.desk.hears(CallChange.HELD, call, since)
        self.assertEqual(self.desk.parties(call)["1001"], "held_at_phone")
        self.assertEqual((await self.desk.begin(Action.HOLD, "1001", call)).status, 61)
        await self.world.agent._tell("resume")
        await self.desk.hears(CallChange.RETRIEVED, call, since)
        since = len(self.desk.told)
        await self.world.agent.transfer("1002")
        event = await self.desk.hears(CallChange.TRANSFERRED, call, since)
        self.assertEqual(event.by, "1001")
        await self.desk.hears(CallChange.ESTABLISHED, call, since)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.settled(lambda: set(self.desk.parties(call)) == {self.world.customer.number, "1002"})
        await self.world.customer.hang_up()
        await self.rests()

    async def test_a_transfer_by_keys_of_a_telephone_makes_one_call_of_two(self) -> None:
        await self.world.customer.dial("901")
        event = await self.desk.hears(CallChange.ESTABLISHED)
        await self.hears(self.world.agent, CUSTOMER)
        await self.world.agent.type("*2")
        await self.hears(self.world.customer, MUSIC)
        await self.world.agent.type("1002")
        await self.hears(self.world.agents[1], AGENT)
        await self.world.agent.hang_up()
        await self.desk.hears(CallChange.TRANSFERRED, event.call)
        await self.settled(lambda: set(self.desk.parties(event.call)) == {self.world.customer.number, "1002"})
        since = len(self.desk.told)
        await self.desk.asks(Action.HOLD, "1002", event.call)
        await self.desk.hears(CallChange.HELD, event.call, since)
        await self.desk.asks(Action.RETRIEVE, "1002", event.call)
        await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()
        await self.rests()

    async def test_an_attended_transfer_of_a_telephone_makes_one_call_of_two(self) -> None:
        call = await self.talks()
        await self.world.agent._tell("hold")
        await self.hears(self.world.customer, MUSIC)
        await self.world.agent.dial("1002")
        await self.hears(self.world.agents[1], AGENT)
        self.assertEqual(self.desk.parties(call)["1001"], "held_at_phone")
        since = len(self.desk.told)
        await transfer_attended(reactor, self.world.tap, self.world.agent)
        event = await self.desk.hears(CallChange.TRANSFERRED, call, since)
        self.assertEqual(event.by, "1001")
        await self.settled(lambda: set(self.desk.parties(call)) == {self.world.customer.number, "1002"})
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.hears(self.world.customer, AGENT)
        self.assertFalse(self.world.agent.in_call)
        since = len(self.desk.told)
        await self.desk.asks(Action.HOLD, "1002", call)
        await self.desk.hears(CallChange.HELD, call, since)
        await self.hears(self.world.customer, MUSIC)
        await self.desk.asks(Action.RETRIEVE, "1002", call)
        await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()
        await self.rests()


@pytest.mark.telephony_cti
class ScenesOn16(ScenesOn22):
    """Asterisk 16."""

    version = 16
