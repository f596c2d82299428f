"""The serial beside the calling number: in User-to-User, in a header field of its own, and by all at once."""

from __future__ import annotations

from typing import ClassVar

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ctiex.signalling.sip_header import SERIAL_HEADER
from ctiex.signalling.user_to_user import USER_TO_USER, UserToUserCarrier

from .core import Core
from .scenes import Scene
from .tap import SipMessage


class CarrierScene(Scene):
    """A hand-over by the carriers that the configuration names."""

    carrier: ClassVar[str]
    passing: ClassVar[bool]
    """Whether the core network lets header fields through."""

    def setUp(self) -> Deferred[None]:
        """Start everything."""
        self.signalling = f"ring = 10\n[carrier]\n{self.carrier}"  # type: ignore[misc]
        return super().setUp()

    async def _start(self) -> None:
        world = self.world
        world.core = Core(reactor, world.addresses, world.folder / "this-core", self.passing)
        await super()._start()

    async def arrived(self) -> tuple[SipMessage, str]:
        """What arrives on platform 2 of a hand-over that goes well, and its serial."""
        serial = await self.authenticate()
        await self.part()
        await self.nothing_is_left()
        (invitation,) = self.invitations(self.world.addresses.core, self.world.addresses.platform_2)
        return invitation, serial


@pytest.mark.telephony
class UserToUserScenes(CarrierScene):
    """A network that passes User-to-User."""

    carrier = 'kind = "user-to-user"'
    passing = True

    async def test_the_serial_goes_in_user_to_user_and_the_number_stays_as_it_is(self) -> None:
        invitation, serial = await self.arrived()
        self.assertEqual(invitation.calling_number, self.world.customer.number)
        self.assertEqual(invitation.header(USER_TO_USER), UserToUserCarrier().embed("", serial).headers[USER_TO_USER])
        self.assertEqual(invitation.header(SERIAL_HEADER), "")


@pytest.mark.telephony
class SipHeaderScenes(CarrierScene):
    """A network that passes a header field of one's own."""

    carrier = 'kind = "sip-header"'
    passing = True

    async def test_the_serial_goes_in_the_header_field_and_the_number_stays_as_it_is(self) -> None:
        invitation, serial = await self.arrived()
        self.assertEqual(invitation.calling_number, self.world.customer.number)
        self.assertEqual((invitation.header(SERIAL_HEADER), invitation.header(USER_TO_USER)), (serial, ""))


ALL = 'kind = "calling-number"\nalso = ["user-to-user", "sip-header"]'


@pytest.mark.telephony
class AllAtOnceScenes(CarrierScene):
    """All of them, where all pass."""

    carrier = ALL
    passing = True

    async def test_the_three_agree(self) -> None:
        invitation, serial = await self.arrived()
        self.assertEqual(invitation.calling_number, f"{self.world.customer.number}**{serial}")
        self.assertEqual(invitation.header(SERIAL_HEADER), serial)
        self.assertIn(b"ctiex=".hex() + serial.encode().hex(), invitation.header(USER_TO_USER))


@pytest.mark.telephony
class StrippedScenes(CarrierScene):
    """All of them, through a core network that takes header fields out."""

    carrier = ALL
    passing = False

    async def test_the_serial_still_arrives_in_the_calling_number(self) -> None:
        invitation, serial = await self.arrived()
        self.assertEqual(invitation.calling_number, f"{self.world.customer.number}**{serial}")
        self.assertEqual((invitation.header(SERIAL_HEADER), invitation.header(USER_TO_USER)), ("", ""))
        addresses = self.world.addresses
        (sent,) = self.invitations(addresses.platform_1, addresses.core)
        self.assertEqual(sent.header(SERIAL_HEADER), serial, "it did go out")


@pytest.mark.telephony
class DisagreeingScenes(CarrierScene):
    """A call that comes with two serials."""

    carrier = ALL
    passing = True
    texts: ClassVar[dict[str, str]] = {
        "PROOF_1": """
exten => 7000,1,Set(CALLERID(num)=13800138000**120000000000000017)
 same => n,Dial(PJSIP/7000@core,30,b(another-serial^s^1))
 same => n,Hangup()

[another-serial]
exten => s,1,Set(PJSIP_HEADER(add,X-CTIEX-Serial)=120000000000000114)
 same => n,Return()
"""
    }

    async def test_neither_is_taken_and_the_customer_is_told(self) -> None:
        await self.world.customer.dial("7000")
        await self.world.hears(self.world.customer, "voice")
        await self.world.customer.event("CALL_CLOSED")
        measured = self.world.exchange.measured
        self.assertEqual(await measured("ctiex_calls_fetched_total"), 0)
        self.assertEqual(await measured("ctiex_data_refused_total"), 0, "the exchange isn't even asked")
        await self.nothing_is_left()


class UserToUserScenesOn16(UserToUserScenes):
    """User-to-User, Asterisk 16."""

    version = 16


class SipHeaderScenesOn16(SipHeaderScenes):
    """A header field, Asterisk 16."""

    version = 16


class StrippedScenesOn16(StrippedScenes):
    """All of them and a core network that strips, Asterisk 16."""

    version = 16
