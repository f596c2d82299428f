"""Header fields with the serial as they arrive: alone, without a number, in contradiction, behind other data."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from ctiex.fields import Fields
from ctiex.messages import Condition

from .hand_over import PASSWORD
from .scenes import FIELDS, Scene
from .tap import SipMessage
from .world import CUSTOMER_NUMBER

ONE, OTHER = "120000000000000017", "120000000000000114"
FOREIGN = "00c81030a35a"
"""User-to-User data of another application."""


class _HeaderScene(Scene):
    """What arrives on platform 2."""

    def arrived(self) -> SipMessage:
        """The one call that came there."""
        (invitation,) = self.invitations(self.world.addresses.core, self.world.addresses.platform_2)
        return invitation


@pytest.mark.telephony
class SipHeaderScenes(_HeaderScene):
    """A header field of one's own name, and nothing else."""

    options = {"carrier": '[carrier]\nkind = "sip-header"\n', "passing": True}

    async def test_the_serial_needs_nothing_else(self) -> None:
        serial = await self.authenticate()
        self.assertEqual(self.arrived().header("X-CTIEX-Serial"), serial)
        self.assertEqual(self.arrived().header("User-to-User"), "")
        self.assertEqual(self.arrived().calling_number, CUSTOMER_NUMBER)
        await self.part()
        await self.nothing_is_left()


@pytest.mark.telephony
class WithheldNumberScenes(_HeaderScene):
    """A customer who shows no number, where the serial needs none."""

    options = {"carrier": '[carrier]\nkind = "user-to-user"\n', "passing": True, "number": "anonymous"}

    async def test_the_serial_arrives_without_a_number(self) -> None:
        customer = self.world.customer
        await customer.dial(self.desk.phone.number)
        await self.world.hears(self.desk.phone, "900 Hz")
        mark = len(self.world.tap.sounds)
        hand_off = await self.desk.agent.connect(PASSWORD, "", Fields(FIELDS[PASSWORD]))
        await self.desk.hears(Condition.DATA_FETCHED, hand_off.serial)
        await self.world.hears(customer, "voice", mark)
        self.assertIn(hand_off.serial.encode().hex(), self.arrived().header("User-to-User"))
        self.assertNotIn(hand_off.serial, self.arrived().header("From"))
        await self.part()
        await self.nothing_is_left()


def _call(number: str, *headers: str) -> dict[str, Any]:
    """A call to platform 2 that no exchange has asked for."""
    lines = "\n".join(
        f" same => n,Set(PJSIP_HEADER(add,{name})={value})"
        for name, _, value in (one.partition(":") for one in headers)
    )
    return {
        "passing": True,
        "PROOF_1": f"""
exten => 7000,1,Set(CALLERID(num)={number})
 same => n,Dial(PJSIP/7000@core,30,b(proof-headers^s^1))
 same => n,Hangup()

[proof-headers]
exten => s,1,NoOp()
{lines}
 same => n,Return()
""",
    }


@pytest.mark.telephony
class TwoSerialsScenes(_HeaderScene):
    """Two carriers that contradict each other: somebody has meddled."""

    options: ClassVar[dict[str, Any]] = _call(f"{CUSTOMER_NUMBER}**{ONE}", f"X-CTIEX-Serial:{OTHER}")
    asked = 0
    """How often the exchange is asked for data that it hasn't."""

    async def test_the_customer_is_told_and_gets_nothing(self) -> None:
        await self.world.customer.dial("7000")
        await self.world.hears(self.world.customer, "voice")
        await self.world.customer.event("CALL_CLOSED")
        measured = self.world.exchange.measured
        self.assertEqual(await measured("ctiex_calls_fetched_total"), 0)
        self.assertEqual(await measured("ctiex_data_refused_total"), self.asked)
        await self.nothing_is_left()


def _information(serial: str) -> str:
    return f"04{b'ctiex='.hex()}{serial.encode().hex()}\\;encoding=hex"


@pytest.mark.telephony
class ForeignDataScenes(TwoSerialsScenes):
    """Data of another application stand first in User-to-User: the serial behind them is found, and asked for."""

    options = _call(CUSTOMER_NUMBER, f"User-to-User:{FOREIGN}\\;encoding=hex", f"User-to-User:{_information(ONE)}")
    asked = 1


class SipHeaderScenesOn16(SipHeaderScenes):
    """The same, Asterisk 16."""

    version = 16


class WithheldNumberScenesOn16(WithheldNumberScenes):
    """The same, Asterisk 16."""

    version = 16


class TwoSerialsScenesOn16(TwoSerialsScenes):
    """The same, Asterisk 16."""

    version = 16


class ForeignDataScenesOn16(ForeignDataScenes):
    """The same, Asterisk 16."""

    version = 16
