"""What fails: no customer is left in silence, the agent's application hears the truth, nothing is left behind."""

from __future__ import annotations

import pytest

from ctiex.errors import Status
from ctiex.messages import AgentEvent, Condition

from .hand_over import PASSWORD
from .happenings import PATIENCE
from .scenes import BEARABLE, Desk, Scene
from .world import AGENT_TONE, CUSTOMER_TONE, RTP_TIMEOUT


@pytest.mark.telephony
class FarSideScenes(Scene):
    """The service can't be had: the customer is back with the agent, whose application hears why."""

    times = "signalling_timeout = 8\nreturn_timeout = 3"

    async def is_refused(self) -> AgentEvent:
        """A hand-over that comes to nothing; the event that ends it."""
        await self.talk()
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        final = await hand_off.result(PATIENCE)
        await self.together_still()
        self.assertLess(self.world.longest_silence(self.world.customer), BEARABLE)
        await self.part()
        await self.nothing_is_left()
        return final

    async def together_still(self) -> None:
        """Both hear each other, again or still."""
        await self.world.hears_now(self.world.customer, f"{AGENT_TONE} Hz")
        await self.world.hears_now(self.world.agent, f"{CUSTOMER_TONE} Hz")

    async def test_nobody_serves_on_platform_2(self) -> None:
        """Platform 2 answers by itself: the customer hears an apology, and it is soon known that no result comes."""
        await self.world.voice.kill()
        mark = len(self.world.tap.sounds)
        final = await self.is_refused()
        self.assertEqual((final.condition, final.status), (Condition.TIMED_OUT, Status.TIMED_OUT))
        self.assertIn(Condition.RETURNED, self.desk.conditions(final.serial))
        heard = {(sound.listener, sound.what) for sound in self.world.tap.sounds.since(mark)}
        self.assertIn((self.world.customer.host, "voice"), heard)

    async def test_platform_2_is_dead(self) -> None:
        await self.world.platform_2.kill()
        final = await self.is_refused()
        self.assertEqual(final.condition, Condition.UNREACHABLE)

    async def test_the_core_network_is_dead(self) -> None:
        await self.world.core.kill()
        final = await self.is_refused()
        self.assertEqual(final.condition, Condition.UNREACHABLE)

    async def test_the_exchange_can_t_reach_platform_1(self) -> None:
        await self.talk()
        await self.world.cable.cut()
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.UNREACHABLE)
        self.assertLess(self.world.longest_silence(self.world.customer), BEARABLE)
        await self.together_still()
        await self.world.cable.mend()
        await self.part()
        await self.nothing_is_left()

    async def test_the_service_dies_while_it_serves_the_customer(self) -> None:
        hand_off = await self.begin()
        mark = len(self.world.tap.sounds)
        await self.world.voice.kill()
        await self.back_together(0, mark)
        final = await hand_off.result(PATIENCE)
        self.assertEqual((final.condition, final.status), (Condition.TIMED_OUT, Status.TIMED_OUT))
        await self.part()
        await self.nothing_is_left()

    async def test_a_service_that_waits_in_silence_keeps_the_customer(self) -> None:
        """Nothing is heard for longer than media may be missing; that somebody is there is said all the same."""
        hand_off = await self.begin()
        sounds, keepalives = len(self.world.tap.sounds), len(self.world.tap.keepalives)
        for _ in range(RTP_TIMEOUT + 2):
            told = await self.world.tap.keepalives.wait(
                lambda one: one.listener == self.world.platform_1.host, "a keepalive", keepalives
            )
            keepalives = list(self.world.tap.keepalives).index(told) + 1
        customer = self.world.customer.host
        heard = {sound.what for sound in self.world.tap.sounds.since(sounds) if sound.listener == customer}
        self.assertNotIn(f"{AGENT_TONE} Hz", heard)
        await self.type_password()
        self.assert_authenticated(await hand_off.result(PATIENCE))
        await self.back_together(0, sounds)
        await self.part()
        await self.nothing_is_left()

    async def test_platform_2_dies_while_it_serves_the_customer(self) -> None:
        """Nobody says goodbye: the media that stop are what platform 1 sees of it."""
        hand_off = await self.begin()
        mark = len(self.world.tap.sounds)
        await self.world.platform_2.kill()
        await self.back_together(0, mark)
        self.assertLess(self.world.longest_silence(self.world.customer), RTP_TIMEOUT + BEARABLE)
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.FAILED)
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class ExchangeScenes(Scene):
    """The exchange, or its hand on platform 1, is gone in the middle of the service."""

    times = "return_timeout = 15"

    async def test_the_exchange_is_killed_and_is_back_before_the_customer_answers(self) -> None:
        hand_off = await self.begin()
        await self.world.exchange.kill()
        await self.world.exchange.start()
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await self.desk.hears(Condition.COMPLETED, hand_off.serial))
        await self.back_together(0, mark)
        await self.part()
        await self.nothing_is_left()

    async def test_the_customer_is_back_with_the_agent_while_the_exchange_is_dead(self) -> None:
        hand_off = await self.begin()
        await self.world.exchange.kill()
        mark = len(self.world.tap.sounds)
        await self.type_password()
        await self.back_together(0, mark)
        self.assertLess(self.world.longest_silence(self.world.customer), 2 * BEARABLE)
        await self.world.exchange.start()
        self.assert_authenticated(await self.desk.hears(Condition.COMPLETED, hand_off.serial))
        await self.part()
        await self.nothing_is_left()

    async def test_the_exchange_is_killed_while_the_service_is_called(self) -> None:
        """The call fails and the customer is back; the exchange finds that out when it is there again."""
        await self.talk()
        self.world.platform_2.freeze()
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        await self.called()
        mark = len(self.world.tap.sounds)
        await self.world.exchange.kill()
        await self.back_together(0, mark)
        await self.world.platform_2.kill()
        await self.world.exchange.start()
        await self.desk.hears(Condition.UNREACHABLE, hand_off.serial)
        await self.part()
        await self.nothing_is_left()

    async def test_the_customer_hangs_up_while_the_exchange_is_dead(self) -> None:
        hand_off = await self.begin()
        await self.world.exchange.kill()
        await self.part()
        await self.world.empty()
        await self.world.exchange.start()
        await self.desk.hears(Condition.ABANDONED, hand_off.serial)
        await self.nothing_is_left()

    async def test_the_customer_hangs_up_while_the_manager_connection_is_cut(self) -> None:
        hand_off = await self.begin()
        await self.world.cable.cut()
        await self.part()
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.ABANDONED)
        await self.world.cable.mend()
        await self.nothing_is_left()

    async def test_a_call_goes_well_after_the_manager_connection_was_cut(self) -> None:
        await self.talk()
        await self.world.cable.cut()
        await self.world.cable.mend()
        mark = len(self.world.tap.sounds)
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        await self.world.hears(self.world.customer, "voice", mark)
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await hand_off.result(PATIENCE))
        await self.back_together(0, mark)
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class GoneScenes(Scene):
    """Somebody hangs up, or leaves."""

    spare_agents = 1

    async def test_the_customer_hangs_up_on_the_agent(self) -> None:
        await self.talk()
        await self.part()
        await self.nothing_is_left()

    async def test_the_customer_hangs_up_while_the_service_is_called(self) -> None:
        await self.talk()
        self.world.platform_2.freeze()
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        await self.called()
        await self.part()
        final = await hand_off.result(PATIENCE)
        self.world.platform_2.thaw()
        self.assertEqual(final.condition, Condition.ABANDONED)
        await self.nothing_is_left()

    async def test_the_customer_hangs_up_on_the_service(self) -> None:
        hand_off = await self.begin()
        await self.part()
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.ABANDONED)
        await self.nothing_is_left()

    async def test_the_agent_hangs_up_and_the_customer_comes_to_another_one(self) -> None:
        hand_off = await self.begin()
        await self.world.agent.hang_up()
        await self.world.agent.event("CALL_CLOSED")
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await hand_off.result(PATIENCE))
        other = self.world.agents[1]
        await self.world.hears(other, f"{CUSTOMER_TONE} Hz", mark)
        await self.world.hears(self.world.customer, f"{AGENT_TONE} Hz", mark)
        self.assertNotIn(Condition.RETURNED, self.desk.conditions(hand_off.serial))
        await self.world.customer.hang_up()
        await other.event("CALL_CLOSED")
        await self.nothing_is_left()

    async def test_the_agent_s_telephone_dies_and_the_customer_comes_to_another_one(self) -> None:
        """It says nothing any more, no BYE either."""
        hand_off = await self.begin()
        witness = self.world.platform_1.witness
        held = (await witness.event("UserEvent", UserEvent="ctiex", Phase="hold"))["Channel"]
        await self.world.agent.kill()
        await witness.event("Hangup", Channel=held)
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await hand_off.result(PATIENCE))
        other = self.world.agents[1]
        await self.world.hears(other, f"{CUSTOMER_TONE} Hz", mark)
        await self.world.hears(self.world.customer, f"{AGENT_TONE} Hz", mark)
        self.assertNotIn(Condition.RETURNED, self.desk.conditions(hand_off.serial))
        await self.world.customer.hang_up()
        await other.event("CALL_CLOSED")
        await self.world.no_leftovers()

    async def test_the_application_is_away_when_the_result_comes(self) -> None:
        hand_off = await self.begin()
        seen = self.desk.agent.position
        await self.desk.leave()
        mark = len(self.world.tap.sounds)
        await self.type_password()
        await self.back_together(0, mark)
        again = self.desks[0] = Desk(self.world, 0)
        await again.log_in(seen)
        self.assert_authenticated(await again.hears(Condition.COMPLETED, hand_off.serial))
        await self.part()
        await self.nothing_is_left()


class FarSideScenesOn16(FarSideScenes):
    """The same, Asterisk 16."""

    version = 16


@pytest.mark.telephony
class CutScenes(Scene):
    """The exchange's hand on platform 1 is gone, and what it has missed is in the snapshot."""

    times = "return_timeout = 120"

    async def test_the_manager_connection_is_cut_and_mended_later(self) -> None:
        hand_off = await self.begin()
        await self.world.cable.cut()
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await hand_off.result(PATIENCE))
        await self.back_together(0, mark)
        await self.world.cable.mend()
        await self.desk.hears(Condition.RETURNED, hand_off.serial)
        await self.part()
        await self.nothing_is_left()


class CutScenesOn16(CutScenes):
    """Platform 1 is Asterisk 16."""

    version = 16


class ExchangeScenesOn16(ExchangeScenes):
    """The same, Asterisk 16."""

    version = 16


class GoneScenesOn16(GoneScenes):
    """The same, Asterisk 16."""

    version = 16
