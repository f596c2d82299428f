"""An agent on hold whose telephone call is put elsewhere, a platform that is restarted, telephones with cameras."""

from __future__ import annotations

import pytest

from ctiex.messages import Condition

from .hand_over import PASSWORD
from .happenings import PATIENCE
from .scenes import Scene
from .world import AGENT_TONE, CUSTOMER_TONE


@pytest.mark.telephony
class HeldScenes(Scene):
    """Somebody puts the call of an agent who is on hold elsewhere."""

    spare_agents = 1

    async def put_elsewhere(self) -> None:
        """The agent on hold talks with a colleague, by the manager interface."""
        await self.begin()
        witness = self.world.platform_1.witness
        held = (await witness.event("UserEvent", UserEvent="ctiex", Phase="hold"))["Channel"]
        mark = len(self.world.tap.sounds)
        await witness.ask("Redirect", Channel=held, Context="from-customers", Exten="1002", Priority="1")
        await self.world.hears(self.world.agent, f"{AGENT_TONE} Hz", mark)

    async def test_the_customer_comes_back_to_an_agent_who_talks_with_a_colleague(self) -> None:
        await self.put_elsewhere()
        mark = len(self.world.tap.sounds)
        await self.type_password()
        await self.back_together(0, mark)
        await self.world.agents[1].event("CALL_CLOSED")
        await self.part()
        await self.nothing_is_left()

    async def test_a_customer_who_hangs_up_ends_no_other_talk_of_the_agent(self) -> None:
        await self.put_elsewhere()
        await self.world.customer.hang_up()
        serial = self.desk.serial
        await self.desk.hears(Condition.ABANDONED, serial)
        self.assertTrue(self.world.agent.in_call)
        mark = len(self.desk.phone.happened)
        await self.world.agents[1].hang_up()
        await self.desk.phone.event("CALL_CLOSED", mark)
        await self.nothing_is_left()

    async def test_a_blind_transfer_from_the_telephone_on_hold_is_a_hang_up(self) -> None:
        """There is nobody at the other end who could be transferred: the telephone lets go, and nobody is called."""
        hand_off = await self.begin()
        mark = len(self.world.tap.sounds)
        await self.world.agent.transfer("1002")
        await self.world.agent.event("TRANSFER_FAILED")
        await self.world.tap.messages.wait(
            lambda message: message.method == "BYE" and message.source == self.world.agent.host, "the agent's BYE"
        )
        colleague = self.world.agents[1]
        self.assertEqual(self.invitations(self.world.platform_1.host, colleague.host), [])
        await self.type_password()
        self.assert_authenticated(await self.desk.hears(Condition.COMPLETED, hand_off.serial))
        await self.world.hears(colleague, f"{CUSTOMER_TONE} Hz", mark)  # by the fallback
        self.assertNotIn(Condition.RETURNED, self.desk.conditions(hand_off.serial))
        await self.world.customer.hang_up()
        await colleague.event("CALL_CLOSED")
        await self.world.no_leftovers()


@pytest.mark.telephony
class RestartScenes(Scene):
    """Platform 1 goes down with everybody's calls, and comes up again."""

    times = "return_timeout = 3"

    async def test_calls_go_well_again_after_a_restart_of_platform_1(self) -> None:
        hand_off = await self.begin()
        platform = self.world.platform_1
        await platform.kill()
        await platform.start()
        self.assertIs((await hand_off.result(PATIENCE)).condition, Condition.TIMED_OUT)
        for phone in self._phones:  # they were told nothing
            mark = len(phone.happened)
            await phone.hang_up()
            await phone.event("CALL_CLOSED", mark)
        await self.nothing_is_left()
        await self.authenticate()
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class VideoScenes(Scene):
    """Telephones with cameras, and a service that only speaks."""

    options = {"video": True}

    async def see_each_other(self, mark: int) -> None:
        """Frames come to both from platform 1."""
        for phone in self._phones:
            await self.world.tap.frames.wait(
                lambda frame, host=phone.host: frame.listener == host,  # type: ignore[misc]
                f"video at {phone.number}", mark,
            )  # fmt: skip

    async def test_both_see_each_other_before_the_service_and_behind_it(self) -> None:
        await self.talk()
        await self.see_each_other(0)
        sounds = len(self.world.tap.sounds)
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        await self.world.hears(self.world.customer, "voice", sounds)
        sounds = len(self.world.tap.sounds)
        await self.type_password()
        await self.desk.hears(Condition.RETURNED, hand_off.serial)
        await self.back_together(0, sounds)
        await self.see_each_other(len(self.world.tap.frames))
        await self.part()
        await self.nothing_is_left()


class HeldScenesOn16(HeldScenes):
    """The same, Asterisk 16."""

    version = 16


class RestartScenesOn16(RestartScenes):
    """The same, Asterisk 16."""

    version = 16


class VideoScenesOn16(VideoScenes):
    """The same, Asterisk 16."""

    version = 16
