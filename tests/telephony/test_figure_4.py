"""FIG. 4 whole, over SIP and RTP: the customer calls, is handed over, is served, and is back with the agent."""

from __future__ import annotations

import pytest
from twisted.internet.defer import ensureDeferred, gatherResults

from ctiex.fields import Fields
from ctiex.messages import Condition

from .hand_over import PASSWORD
from .happenings import PATIENCE
from .scenes import BEARABLE, Scene
from .timers import of_calls


@pytest.mark.telephony
class PasswordScenes(Scene):
    """The password."""

    async def test_the_customer_types_the_password_and_is_back_with_the_agent(self) -> None:
        serial = await self.authenticate()
        self.assertLess(self.world.longest_silence(self.world.customer), BEARABLE)
        self.assert_only_the_serial_travels(self.world.customer, serial)
        await self.part()
        await self.nothing_is_left()

    async def test_no_timer_of_a_call_is_left_in_the_exchange(self) -> None:
        timers = self.world.exchange.timers.happened
        before = list(timers)[-1]
        await self.talk()
        self.assertEqual(of_calls(before), {})
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        await self.desk.hears(Condition.DATA_FETCHED, hand_off.serial)
        self.assertNotEqual(of_calls(list(timers)[-1]), {})
        mark = len(self.world.tap.sounds)
        await self.world.hears(self.world.customer, "voice")
        await self.type_password()
        await self.back_together(0, mark)
        await self.part()
        await self.nothing_is_left()
        await timers.wait(lambda now: now == before, f"the timers of before: {before}", len(timers) - 1)

    async def test_the_agent_hears_music_meanwhile(self) -> None:
        mark = len(self.world.tap.sounds)
        await self.begin()
        await self.world.hears(self.world.agent, "music", mark)
        mark = len(self.world.tap.sounds)
        await self.type_password()
        await self.back_together(0, mark)
        await self.part()
        await self.nothing_is_left()

    async def test_a_customer_of_a_queue_is_handed_over_like_any_other(self) -> None:
        await self.talk(number="800")
        mark = len(self.world.tap.sounds)
        hand_off = await self.desk.hand_over("password-authentication", self.world.customer)
        await self.world.hears(self.world.customer, "voice", mark)
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await hand_off.result(PATIENCE))
        await self.back_together(0, mark)
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class BroadcastScenes(Scene):
    """The other two services of the seed."""

    async def broadcast(self, service: str, answer: str) -> Fields:
        """A call with one key; the result."""
        hand_off = await self.begin(0, service)
        await self.desk.hears(Condition.PROGRESS, hand_off.serial)
        mark = len(self.world.tap.sounds)
        await self.world.customer.type(answer)
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.COMPLETED)
        await self.desk.hears(Condition.RETURNED, hand_off.serial)
        await self.back_together(0, mark)
        self.assert_only_the_serial_travels(self.world.customer, hand_off.serial)
        await self.part()
        await self.nothing_is_left()
        return final.fields

    async def test_a_number_is_read_out(self) -> None:
        result = await self.broadcast("number-broadcast", "2")
        self.assertEqual((result.get("times_broadcast"), result.get("satisfaction")), (1, "yes"))

    async def test_a_bill_is_read_out(self) -> None:
        result = await self.broadcast("bill-broadcast", "2")
        self.assertEqual((result.get("total"), result.get("times_broadcast")), ("58.40", 1))


@pytest.mark.telephony
class ManyScenes(Scene):
    """Ten in a row."""

    async def test_ten_calls_in_a_row_leave_nothing_behind(self) -> None:
        serials = set()
        for _ in range(10):
            serials.add(await self.authenticate())
            await self.part()
            await self.nothing_is_left()
        self.assertEqual(len(serials), 10)


@pytest.mark.telephony
class CrowdScenes(Scene):
    """Ten customers, ten agents."""

    people = 10

    async def test_ten_calls_at_the_same_time_each_get_their_own_result(self) -> None:
        calls = [ensureDeferred(self.authenticate(index)) for index in range(10)]
        serials = await gatherResults(calls, consumeErrors=True)
        for customer, serial in zip(self.world.customers, serials, strict=True):
            self.assert_only_the_serial_travels(customer, serial)
        for index in range(10):
            await self.part(index)
        await self.nothing_is_left()


class PasswordScenesOn16(PasswordScenes):
    """The password, Asterisk 16."""

    version = 16


class BroadcastScenesOn16(BroadcastScenes):
    """The broadcasts, Asterisk 16."""

    version = 16


class ManyScenesOn16(ManyScenes):
    """Ten in a row, Asterisk 16."""

    version = 16


class CrowdScenesOn16(CrowdScenes):
    """Ten at the same time, Asterisk 16."""

    version = 16
