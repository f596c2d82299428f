"""Trust at the edge: what a customer says of themselves opens nothing."""

from __future__ import annotations

import pytest

from ctiex.fields import Fields
from ctiex.messages import Condition

from .hand_over import PASSWORD
from .scenes import FIELDS, Scene
from .world import CUSTOMER_NUMBER

FORGED = "120000000000000017"


@pytest.mark.telephony
class ForgedNumberScenes(Scene):
    """A customer whose own calling number has a serial in it."""

    options = {"number": f"{CUSTOMER_NUMBER}**{FORGED}"}

    async def test_the_serial_of_the_customer_s_own_is_stripped_on_platform_1(self) -> None:
        await self.talk()
        addresses = self.world.addresses
        came, passed_on = (
            self.invitations(source, target)[-1]
            for source, target in (
                (addresses.customer(), addresses.platform_1),
                (addresses.platform_1, addresses.agent()),
            )
        )
        self.assertEqual(came.calling_number, f"{CUSTOMER_NUMBER}**{FORGED}")
        self.assertEqual(passed_on.calling_number, CUSTOMER_NUMBER)
        hand_off = await self.desk.agent.connect(PASSWORD, CUSTOMER_NUMBER, Fields(FIELDS[PASSWORD]))
        await self.desk.hears(Condition.CONNECTED, hand_off.serial)
        forwarded = self.invitations(addresses.core, addresses.platform_2)[-1]
        self.assertEqual(forwarded.calling_number, f"{CUSTOMER_NUMBER}**{hand_off.serial}")
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class UnknownSerialScenes(Scene):
    """A call that comes to platform 2 with a serial that nobody gave it."""

    options = {
        "PROOF_1": f"""
exten => 7000,1,Set(CALLERID(num)={CUSTOMER_NUMBER}**{FORGED})
 same => n,Dial(PJSIP/7000@core,30)
 same => n,Hangup()
"""
    }

    async def test_an_unknown_serial_gets_a_polite_announcement_and_no_data(self) -> None:
        await self.world.customer.dial("7000")
        await self.world.hears(self.world.customer, "voice")
        await self.world.customer.event("CALL_CLOSED")
        self.assertEqual(await self.world.exchange.measured("ctiex_calls_fetched_total"), 0)
        await self.nothing_is_left()


class ForgedNumberScenesOn16(ForgedNumberScenes):
    """The same, Asterisk 16."""

    version = 16


class UnknownSerialScenesOn16(UnknownSerialScenes):
    """The same, Asterisk 16."""

    version = 16
