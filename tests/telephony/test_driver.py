"""The driver against a real Asterisk, all parties played by ``Local`` channels: no telephones, no core network."""

from __future__ import annotations

import tempfile
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as global_reactor
from twisted.internet.endpoints import clientFromString
from twisted.trial.unittest import TestCase

from ctiex.interfaces import Offer
from ctiex.messages import Connection
from ctiex.settings import structure
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.ami_client import AmiClient
from ctiex.telephony.asterisk.ami_link import AmiAccount
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.testing.signalling_contract import RecordingListener

from .addresses import Addresses
from .hand_over import DIALPLAN
from .happenings import LONGEST, Happenings
from .peers import ASTERISK
from .platforms import Asterisk
from .world import PLAIN

PARTIES = """
[local-trunk]
exten => _X.,1,Gosub(ctiex-strip,s,1)
 same => n,Set(CHANNEL(hangup_handler_push)=local-records,s,1)
 same => n,Dial(Local/1001@local-desks/n,20)
 same => n,Hangup()
[local-records]
exten => s,1,UserEvent(record)
 same => n,Return()
[local-desks]
exten => 1001,1,Answer()
 same => n,Wait(60)
exten => 1005,1,Answer()
 same => n,Wait(60)
[local-takes-over]
exten => s,1,BridgeWait(ctiex-7,participant,e(hold)S(60))
 same => n,Wait(0.5)
 same => n,Hangup()
[local-customers]
exten => _X.,1,Answer()
 same => n,Wait(60)
[local-services]
exten => short,1,Answer()
 same => n,UserEvent(service,Number: ${CALLERID(num)})
 same => n,Wait(0.2)
 same => n,Hangup()
exten => long,1,Answer()
 same => n,Wait(60)
exten => busy,1,Busy(5)
exten => silent,1,Ringing()
 same => n,Wait(60)
exten => refused,1,Hangup(21)
"""
reactor: Any = global_reactor
CUSTOMER, DESK = "Local/13800138000@local-customers", "Local/1001@local-desks"


class ToldPlatform(AsteriskPlatform):
    """Tells of everything that it has taken, once it has: a test that goes on then is not in the middle of it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.taken: Happenings[str] = Happenings(reactor, "driver")

    def take(self, event: AmiMessage) -> None:
        """An event."""
        super().take(event)
        reactor.callLater(0, self.taken.tell, event.event)

    async def _read_snapshot(self) -> None:
        await super()._read_snapshot()
        reactor.callLater(0, self.taken.tell, "(the snapshot)")


class LiveCase(TestCase):
    """One Asterisk, and a driver of its own for each test."""

    timeout = LONGEST
    version = 22

    async def begin(self) -> None:
        """Start both, and have a customer talk with the agent."""
        assert ASTERISK[self.version].ready, f"no Asterisk {self.version}: not built; run `make telephony-peers`"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.host = Addresses.of_this_run().host(60 + self.version)
        texts = {"EDGE": "NoOp()", "PROOF_1": PARTIES, "INCLUDE_1": f'#include "{DIALPLAN / "platform-1.conf"}"'}
        values = {**PLAIN, "CORE": self.host, "CUSTOMERS": "match = 127.0.0.1", "AGENTS": "", "MEMBERS": "", **texts}
        self.asterisk = Asterisk(reactor, self.version, "platform-1", self.host, Path(folder.name, "p"), values)
        await self.asterisk.start()
        self.addCleanup(self.asterisk.stop)
        self.happened = self.asterisk.witness.happened
        self.listener = RecordingListener()
        self.driver = self.make_driver()
        await self.call()

    def make_driver(self) -> TransferSignalling:
        """A driver that is connected, or will be."""
        table = {
            "username": "ctiex",
            "secret": "controls",
            "dial": "Local/{access_code}@local-services/n",
            "agents": "Local/{agent}@local-desks",
            "customers": "Local/1380013",
            "ring": 2,
        }
        services, settings = {"bill": AsteriskServiceSettings()}, structure(table, AsteriskSettings)
        account = AmiAccount(clientFromString(reactor, f"tcp:{self.host}:5038"), "ctiex", "controls")
        self.platform = ToldPlatform(reactor, settings, services, partial(AmiClient, reactor, account))
        driver = TransferSignalling(self.platform, self.listener)
        driver.start()
        self.addCleanup(driver.stop)
        return driver

    async def call(self) -> None:
        """A customer calls, with a serial of their own in the number, and the agent answers."""
        ask = self.asterisk.witness.ask
        await ask("Originate", Channel=f"{CUSTOMER}/n", Context="local-trunk", Exten="100", Priority="1",
                  CallerID='"Mallory" <13800138000**77>', Async="true")  # fmt: skip
        await self.until(lambda: bool(self.listener.arrivals))

    async def until(self, condition: Any) -> None:
        """Wait until the driver is so far: it changes with what Asterisk tells it, and at no other time."""
        if not condition():
            mark = len(self.platform.taken)
            await self.platform.taken.wait(lambda _: condition(), f"something else than {self.listener.told}", mark)

    async def told(self, what: str, serial: str = "7") -> None:
        """Wait until something is told of a call."""
        await self.until(lambda: what in self.listener.of(serial))

    def offer(self, access_code: str, serial: str = "7", resumed: bool = False) -> None:
        """Have the customer forwarded."""
        self.offered_at = len(self.happened)
        connection = Connection(access_code, f"13800138000**{serial}", "exchange:7301")
        self.driver.offer(Offer(serial, "bill", "13800138000", connection, inf, resumed, agent="1001"))

    async def channel(self, party: str) -> dict[str, str] | None:
        """A party's side of the call, with its bridge; None if they have hung up."""
        rows = await self.asterisk.witness.list("Status", "StatusComplete")
        found = [row for row in rows if row["Channel"].startswith(party) and row["Channel"].endswith(";1")]
        return dict(found[0]) if found else None

    async def hang_up(self, party: str) -> None:
        """One of them hangs up."""
        channel = await self.channel(party)
        assert channel is not None
        await self.asterisk.witness.ask("Hangup", Channel=channel["Channel"])

    async def assert_together(self) -> None:
        """Customer and agent are in one bridge again, both with their own numbers."""
        witness = self.asterisk.witness
        await witness.happened.wait(
            lambda event: event.get("Event") == "BridgeLeave" and event["Channel"].startswith(f"{CUSTOMER}-"),
            "that the customer leaves the agent", self.offered_at,
        )  # fmt: skip
        if not self.are_together():
            await witness.happened.wait(lambda _: self.are_together(), "both in one bridge", len(witness.happened))
        customer = await self.channel(CUSTOMER)
        assert customer is not None
        self.assertEqual(customer["CallerIDNum"], "13800138000")

    def are_together(self) -> bool:
        """Whether the two sides are in one bridge now."""
        joined = self.asterisk.witness.standing.joined
        sides = [
            bridge
            for name, bridge in joined.items()
            if name.startswith((f"{CUSTOMER}-", f"{DESK}-")) and name.endswith(";1")
        ]
        return len(sides) == 2 and len(set(sides)) == 1

    async def end(self) -> None:
        """The customer hangs up, and nothing is left."""
        if await self.channel(CUSTOMER):
            await self.hang_up(CUSTOMER)
        await self.asterisk.witness.empty()
        await self.until(lambda: not self.driver._calls.conversations and not self.driver._calls.transfers)


@pytest.mark.telephony
class LiveOn22(LiveCase):
    """Asterisk 22."""

    async def test_the_serial_arrives_and_the_customer_returns(self) -> None:
        await self.begin()
        self.assertEqual(self.listener.arrivals, [("1001", "13800138000")], "what the caller put behind it is stripped")
        for serial in ("7", "8"):
            self.offer("short", serial)
            await self.told("returned", serial)
            self.assertEqual(self.listener.of(serial), ["offered", "accepted", "returned"])
            event = await self.asterisk.witness.event("UserEvent", UserEvent="service", Number=f"13800138000**{serial}")
            self.assertEqual(event["CallerIDName"], "Mallory")
            await self.assert_together()
        self.assertEqual(len(self.listener.arrivals), 1)
        await self.end()

    async def test_the_platforms_own_hang_up_handler_is_left_in_place(self) -> None:
        await self.begin()
        for serial in ("7", "8"):
            self.offer("short", serial)
            await self.told("returned", serial)
        await self.end()
        await self.asterisk.witness.event("UserEvent", UserEvent="record")
        self.assertEqual([event.get("UserEvent") for event in self.happened].count("record"), 1)

    async def test_a_service_that_isnt_reached_is_told_and_the_customer_is_back(self) -> None:
        await self.begin()
        for number, (service, status) in enumerate((("busy", 32), ("refused", 32), ("silent", 33), ("nowhere", 31))):
            self.offer(service, str(number))
            await self.told("unreachable", str(number))
            self.assertEqual(self.listener.statuses[-1], status, service)
            await self.assert_together()
        await self.end()

    async def test_a_withdrawal_brings_the_customer_back(self) -> None:
        await self.begin()
        self.offer("long")
        await self.told("accepted")
        self.driver.withdraw("7")
        await self.assert_together()
        self.assertEqual(self.listener.of("7"), ["offered", "accepted"])
        await self.end()

    async def test_a_recall_at_the_moment_of_the_return_parts_nobody(self) -> None:
        await self.begin()
        self.offer("short")
        await self.told("returned")
        customer = await self.channel(CUSTOMER)
        assert customer is not None
        mark = len(self.happened)
        redirect = {"Context": "ctiex-return", "Exten": "s", "Priority": "1"}
        await self.asterisk.witness.ask("Redirect", Channel=customer["Channel"], **redirect)
        await self.asterisk.witness.event("BridgeEnter", mark, Channel=customer["Channel"])
        await self.assert_together()
        await self.end()

    async def test_a_customer_who_hangs_up_frees_the_agent_also_without_the_exchange(self) -> None:
        for exchange in (True, False):
            await self.begin()
            self.offer("long")
            await self.told("accepted")
            if not exchange:
                await self.driver.stop()
            await self.hang_up(CUSTOMER)
            await self.asterisk.witness.empty()
            if exchange:
                await self.told("hung_up")
                await self.driver.stop()
            await self.asterisk.stop()

    async def test_a_customer_who_hangs_up_on_the_way_back_frees_the_agent_also_without_the_exchange(self) -> None:
        await self.begin()
        self.offer("long")
        await self.told("accepted")
        await self.driver.stop()
        customer = await self.channel(CUSTOMER)
        assert customer is not None
        # As in the instant between the return and the bridge.
        await self.asterisk.witness.ask("Setvar", Channel=customer["Channel"], Variable="CTIEX_PHASE", Value="back")
        await self.hang_up(CUSTOMER)
        await self.asterisk.witness.empty()

    async def test_an_agent_who_hangs_up_costs_the_customer_no_service(self) -> None:
        await self.begin()
        self.offer("short")
        await self.told("accepted")
        await self.hang_up(DESK)
        await self.told("agent_lost")
        self.assertEqual(self.listener.of("7"), ["offered", "accepted", "agent_lost"])
        await self.end()

    async def take_over(self) -> str:
        """Another agent is held in the place of the first one, who leaves; returns the other's channel."""
        ask = self.asterisk.witness.ask
        await ask("Originate", Channel="Local/1005@local-desks", Context="local-takes-over", Exten="s", Priority="1",
                  Async="true")  # fmt: skip
        calls = self.platform.calls
        await self.until(lambda: len(calls.held_for("7")) == 2)
        await self.hang_up(DESK)
        await self.until(lambda: len(calls.held_for("7")) == 1)
        [other] = calls.held_for("7")
        return other.name

    async def test_the_customer_comes_back_to_whoever_has_taken_over_from_the_agent(self) -> None:
        await self.begin()
        self.offer("long")
        await self.told("accepted")
        other = await self.take_over()
        await self.hang_up("Local/long@local-services")
        await self.told("agent_lost")
        await self.until(lambda: len(self.listener.arrivals) == 2)
        self.assertEqual(self.listener.arrivals[1][0], "1005")
        customer, desk = await self.channel(CUSTOMER), await self.channel(other)
        assert customer is not None
        assert desk is not None
        self.assertEqual(customer["BridgeID"], desk["BridgeID"])
        await self.end()

    async def test_whoever_has_taken_over_is_free_when_the_customer_hangs_up(self) -> None:
        await self.begin()
        self.offer("long")
        await self.told("accepted")
        await self.take_over()
        await self.hang_up(CUSTOMER)
        await self.told("hung_up")
        await self.end()

    async def test_a_cut_connection_hides_nothing_for_good(self) -> None:
        await self.begin()
        self.offer("short")
        await self.told("accepted")
        self.platform._client._link.transport.abortConnection()
        await self.told("returned")
        await self.assert_together()
        self.assertEqual(len(self.listener.arrivals), 1)
        await self.end()

    async def test_a_new_exchange_goes_on_with_the_call(self) -> None:
        await self.begin()
        self.offer("long")
        await self.told("accepted")
        await self.driver.stop()
        self.driver = self.make_driver()
        self.driver.resume("7", "1001")
        await self.until(lambda: "7" in self.driver._calls.transfers)
        self.driver.withdraw("7")
        await self.assert_together()
        await self.end()


class LiveOn16(LiveOn22):
    """Asterisk 16."""

    version = 16
