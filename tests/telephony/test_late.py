"""What comes late: a call that a platform takes up once it was given up, and a hang-up in the instant of returning."""

from __future__ import annotations

from typing import ClassVar

import pytest

from ctiex.fields import Fields
from ctiex.messages import Condition

from .hand_over import PASSWORD
from .happenings import PATIENCE
from .scenes import FIELDS, Scene
from .tap import SipMessage
from .world import AGENT_TONE


@pytest.mark.telephony
class LateScenes(Scene):
    """Platform 2 hangs, and takes calls up later: one that has failed meanwhile gives no data."""

    async def fails(self) -> str:
        """A hand-over to a platform that hangs; its serial. The network is new then: nobody takes the call back."""
        await self.talk()
        self.world.platform_2.freeze()
        hand_off = await self.desk.hand_over(PASSWORD, self.world.customer)
        await self.called()
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.UNREACHABLE)
        await self.world.hears_now(self.world.customer, f"{AGENT_TONE} Hz")
        await self.world.core.kill()
        await self.world.core.start()
        return hand_off.serial

    async def refuses(self, serial: str) -> None:
        """The service is called under this serial, and gets nothing."""
        await self.world.platform_2.witness.happened.wait(
            lambda event: event.get("Event") == "AGIExecEnd" and "cannot-complete" in event.get("Command", ""),
            "that the call can't be completed",
        )
        self.assertNotIn(Condition.DATA_FETCHED, self.desk.conditions(serial))

    async def arrives(self, serial: str) -> SipMessage:
        """A call under this serial comes to platform 2, whether that takes it up or not."""
        ends = (self.world.addresses.core, self.world.addresses.platform_2)
        return await self.world.tap.messages.wait(
            lambda message: message.method == "INVITE" and (message.source, message.target) == ends
            and message.calling_number.endswith(serial),
            f"the call of {serial}",
        )  # fmt: skip

    async def test_a_call_that_has_failed_gives_no_data(self) -> None:
        serial = await self.fails()
        self.world.platform_2.thaw()
        await self.refuses(serial)
        self.assertEqual(await self.world.exchange.measured("ctiex_calls_fetched_total"), 0)
        self.assertGreater(await self.world.exchange.measured("ctiex_data_refused_total"), 0)
        await self.part()
        await self.nothing_is_left()

    async def test_nor_does_it_while_the_customer_is_handed_over_anew(self) -> None:
        failed = await self.fails()
        customer = self.world.customer
        mark = len(self.world.tap.sounds)
        again = await self.desk.agent.connect(PASSWORD, customer.number, Fields(FIELDS[PASSWORD]))
        self.assertNotEqual(again.serial, failed)
        await self.arrives(again.serial)
        self.world.platform_2.thaw()
        await self.desk.hears(Condition.DATA_FETCHED, again.serial)
        await self.world.hears(customer, "voice", mark)
        await self.refuses(failed)
        mark = len(self.world.tap.sounds)
        await self.type_password()
        self.assert_authenticated(await again.result(PATIENCE))
        await self.back_together(0, mark)
        self.assertEqual(await self.world.exchange.measured("ctiex_calls_fetched_total"), 1)
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class InstantScenes(Scene):
    """The service lets the customer go, and the customer hangs up: platform 1 hears of both in one instant."""

    times = "return_timeout = 30"
    exchange_lives: ClassVar[bool] = True

    async def about_to_return(self) -> str:
        """Until the service has said everything; its serial."""
        hand_off = await self.begin()
        witness = self.world.platform_2.witness
        if not self.exchange_lives:
            await self.world.exchange.kill()
        mark = len(witness.happened)
        await self.type_password()
        # Without the exchange the service still waits to be rid of its result.
        moment = "AGIExecStart" if self.exchange_lives else "AGIExecEnd"
        await witness.happened.wait(
            lambda event: event.get("Event") == moment and "one-moment-please" in event.get("Command", ""),
            "the last prompt", mark,
        )  # fmt: skip
        self.world.platform_1.freeze()
        return hand_off.serial

    async def goodbye(self, source: str) -> None:
        """Somebody's BYE is on its way to platform 1."""
        ends = (source, self.world.platform_1.host)
        await self.world.tap.messages.wait(
            lambda message: message.method == "BYE" and message.request and (message.source, message.target) == ends,
            "a BYE",
        )

    async def service_ends(self) -> None:
        """The service hangs up."""
        await self.goodbye(self.world.addresses.core)

    async def customer_ends(self) -> None:
        """The customer hangs up."""
        await self.world.customer.hang_up()
        await self.goodbye(self.world.customer.host)

    async def both_are_free(self, serial: str) -> None:
        """The agent's telephone is free at once, the result is told, and nothing is left."""
        mark = len(self.desk.phone.happened)
        self.world.platform_1.thaw()
        await self.desk.phone.event("CALL_CLOSED", mark)
        await self.world.empty()
        if not self.exchange_lives:
            await self.world.exchange.start()
        self.assert_authenticated(await self.desk.hears(Condition.COMPLETED, serial))
        await self.nothing_is_left()

    async def test_the_service_first(self) -> None:
        serial = await self.about_to_return()
        await self.service_ends()
        await self.customer_ends()
        await self.both_are_free(serial)

    async def test_the_customer_first(self) -> None:
        serial = await self.about_to_return()
        await self.customer_ends()
        await self.service_ends()
        await self.both_are_free(serial)


class InstantScenesWithoutExchange(InstantScenes):
    """The same while the exchange is dead: the dialplan does it."""

    exchange_lives = False


class LateScenesOn16(LateScenes):
    """The same, Asterisk 16."""

    version = 16


class InstantScenesOn16(InstantScenes):
    """The same, Asterisk 16."""

    version = 16


class InstantScenesWithoutExchangeOn16(InstantScenesWithoutExchange):
    """The same, Asterisk 16."""

    version = 16
