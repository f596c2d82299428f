"""Other carriers of the serial, through a network that lets header fields pass, and through one that doesn't."""

from __future__ import annotations

import pytest

from ctiex.messages import Condition

from .happenings import PATIENCE
from .scenes import Scene
from .world import CUSTOMER_NUMBER

EVERY_CARRIER = """[carrier]
kind = "calling-number"
also = ["user-to-user", "sip-header"]
"""


@pytest.mark.telephony
class HeaderScenes(Scene):
    """The serial in header fields alone."""

    options = {"carrier": '[carrier]\nkind = "user-to-user"\nalso = ["sip-header"]\n', "passing": True}

    async def test_the_serial_arrives_in_header_fields_and_the_calling_number_is_let_alone(self) -> None:
        serial = await self.authenticate()
        addresses = self.world.addresses
        arrived = self.invitations(addresses.core, addresses.platform_2)[-1]
        self.assertEqual(arrived.calling_number, CUSTOMER_NUMBER)
        self.assertEqual(arrived.header("X-CTIEX-Serial"), serial)
        self.assertIn(serial.encode().hex(), arrived.header("User-to-User").lower())
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class EveryCarrierScenes(Scene):
    """The serial in every place, and a core network that strips."""

    options = {"carrier": EVERY_CARRIER}

    async def test_what_the_network_strips_is_not_needed(self) -> None:
        serial = await self.authenticate()
        addresses = self.world.addresses
        sent = self.invitations(addresses.platform_1, addresses.core)[-1]
        arrived = self.invitations(addresses.core, addresses.platform_2)[-1]
        self.assertEqual(sent.header("X-CTIEX-Serial"), serial)
        self.assertEqual((arrived.header("X-CTIEX-Serial"), arrived.header("User-to-User")), ("", ""))
        self.assertEqual(arrived.calling_number, f"{CUSTOMER_NUMBER}**{serial}")
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class LostSerialScenes(Scene):
    """The serial in header fields, and a core network that strips them: it is lost."""

    options = {"carrier": '[carrier]\nkind = "user-to-user"\n'}
    times = "return_timeout = 3"

    async def test_the_customer_hears_why_and_is_back_with_the_agent(self) -> None:
        await self.talk()
        mark = len(self.world.tap.sounds)
        hand_off = await self.desk.hand_over("password-authentication", self.world.customer)
        await self.world.hears(self.world.customer, "voice", mark)
        await self.back_together(0, mark)
        final = await hand_off.result(PATIENCE)
        self.assertEqual(final.condition, Condition.TIMED_OUT)
        self.assertNotIn(Condition.DATA_FETCHED, self.desk.conditions(hand_off.serial))
        await self.part()
        await self.nothing_is_left()


class HeaderScenesOn16(HeaderScenes):
    """The same, Asterisk 16."""

    version = 16


class EveryCarrierScenesOn16(EveryCarrierScenes):
    """The same, Asterisk 16."""

    version = 16


class LostSerialScenesOn16(LostSerialScenes):
    """The same, Asterisk 16."""

    version = 16
