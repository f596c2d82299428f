"""The peers themselves, without our driver: a call with media both ways, and a serial that crosses the core."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from .happenings import LONGEST
from .world import AGENT_TONE, CUSTOMER_NUMBER, CUSTOMER_TONE, World

SERIAL = "2026112200017"
PROOF_1 = f"""
exten => 7000,1,Set(CALLERID(num)=${{CALLERID(num)}}**{SERIAL})
 same => n,Dial(PJSIP/7000@core,30,gb(headers^add^1))
 same => n,Hangup()

[headers]
exten => add,1,Set(PJSIP_HEADER(add,X-Ctiex)={SERIAL})
 same => n,Set(PJSIP_HEADER(add,User-to-User)=31;encoding=hex)
 same => n,Return()
"""
PROOF_2 = """
[from-core]
exten => 7000,1,Answer()
 same => n,UserEvent(Arrived,Number: ${CALLERID(num)},Header: ${PJSIP_HEADER(read,X-Ctiex)})
 same => n,Read(TYPED,agent-pass,4,,1,10)
 same => n,UserEvent(Typed,Digits: ${TYPED})
 same => n,Hangup()
"""


@pytest.mark.telephony
class PeersOfVersion22(TestCase):
    """Two Asterisk 22."""

    timeout = LONGEST
    version = 22

    def setUp(self) -> object:
        """A world without us."""
        self.world = World(reactor, self.version, PROOF_1=PROOF_1, PROOF_2=PROOF_2)
        self.addCleanup(lambda: ensureDeferred(self.world.stop()))
        return ensureDeferred(self.world.start())

    async def test_customer_and_agent_hear_each_other(self) -> None:
        world = self.world
        await world.customer.dial("1001")
        await world.agent.event("CALL_ESTABLISHED")
        await world.hears(world.customer, f"{AGENT_TONE} Hz")
        await world.hears(world.agent, f"{CUSTOMER_TONE} Hz")
        await world.customer.type("5")
        await world.tap.digits.wait(lambda digit: digit.target == world.agent.host and digit.digit == "5", "5")
        await world.platform_1.witness.event("DTMFEnd", Digit="5", Direction="Sent")
        await world.customer.hang_up()
        await world.agent.event("CALL_CLOSED")
        await world.empty()

    async def test_a_serial_crosses_the_core_and_nothing_else_does(self) -> None:
        world = self.world
        await world.customer.dial("7000")
        arrived = await world.platform_2.witness.event("UserEvent", UserEvent="Arrived")
        self.assertEqual((arrived["Number"], arrived["Header"]), (f"{CUSTOMER_NUMBER}**{SERIAL}", ""))
        await world.hears(world.customer, "voice")
        await world.customer.type("2468")
        await world.platform_2.witness.event("UserEvent", UserEvent="Typed", Digits="2468")
        await world.customer.event("CALL_CLOSED")
        await world.empty()
        sent, came = (
            next(m for m in world.tap.messages if m.method == "INVITE" and m.request and m.source == host)
            for host in (world.addresses.platform_1, world.addresses.core)
        )
        self.assertIn(SERIAL, sent.header("X-Ctiex"))
        self.assertEqual((came.header("X-Ctiex"), came.header("User-to-User")), ("", ""))
        self.assertEqual(came.calling_number, f"{CUSTOMER_NUMBER}**{SERIAL}")


class PeersOfVersion16(PeersOfVersion22):
    """Two Asterisk 16."""

    version = 16
