"""An Asterisk that isn't going to get better by being asked again: it is asked ever more seldom, and told of once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.settings import structure
from ctiex.signalling.transfer_driver import TransferSignalling
from ctiex.telephony.asterisk.ami_client import AmiClient
from ctiex.telephony.asterisk.ami_link import AmiAccount
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.testing.signalling_contract import RecordingListener
from tests.fake_asterisk import SECRET, FakeAsterisk, Headers
from tests.fake_platform import PlatformAsterisk


class Grudging(FakeAsterisk):
    """An Asterisk that may refuse whatever is asked behind the login."""

    refuses = False
    hangs_up = False

    def take(self, action: Headers) -> None:
        """An action has come."""
        if self.refuses and action["Action"] == "Status":
            self.fail(action, "Permission denied")
        elif self.hangs_up and action["Action"] == "Status":
            self.cut()
        else:
            super().take(action)


@implementer(IStreamClientEndpoint)
class Wire:
    """Connections in memory, on a clock."""

    def __init__(self, asterisk: FakeAsterisk) -> None:
        self.asterisk = asterisk
        self.pumps: list[IOPump] = []
        self.tries = 0
        self.reachable = True

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect to the Asterisk."""
        self.tries += 1
        if not self.reachable:
            return fail(ConnectionRefusedError())
        server, client = self.asterisk.protocol(), protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert client is not None
        pump = connect(server, FakeTransport(server, True), client, FakeTransport(client, False), greet=False)
        self.pumps.append(pump)
        return succeed(client)

    def pump(self) -> None:
        """Everything that was written arrives."""
        while any([one.pump() for one in self.pumps]):
            pass


class Trouble(SynchronousTestCase):
    """Ten minutes of it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asterisk = Grudging()
        self.wire = Wire(self.asterisk)
        self.told: list[str] = []
        self.logins = 0
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event: LogEvent) -> None:
        self.told.append(formatEvent(event))

    def start(self, secret: str = SECRET) -> None:
        """The client begins."""
        account = AmiAccount(self.wire, "ctiex", secret, jitter=lambda: 0.5)
        self.client = AmiClient(self.clock, account, lambda event: None, self.logged_in)
        self.client.startService()

    def logged_in(self) -> Deferred[Any]:
        """What the driver does: it asks for the channels."""
        self.logins += 1
        return self.client.act("Status")

    def run_for(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        for _ in range(int(seconds * 10)):
            self.wire.pump()
            if until():
                return
            self.clock.advance(0.1)

    def assert_seldom(self, told: str) -> None:
        """It is tried all the time, but seldom, and said once; once it gets better, that is found out and said once."""
        self.run_for(600)
        self.assertLess(self.wire.tries, 30)
        before = self.wire.tries
        self.run_for(65)
        self.assertGreater(self.wire.tries, before, "it is still tried")
        self.assertEqual(len(self.told), 1, self.told)
        self.assertIn(told, self.told[0])

    def assert_well(self, within: float) -> None:
        """It is found out that it has got better."""
        self.run_for(within, until=lambda: len(self.told) > 1)
        self.assertEqual(self.told[1:], ["logged in to Asterisk as ctiex"])
        self.run_for(60)
        self.assertEqual(len(self.told), 2, self.told)

    def tearDown(self) -> None:
        """Nothing goes on once it is stopped."""
        self.client.stopService()
        self.wire.pump()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_user_who_may_not_do_what_is_needed(self) -> None:
        self.asterisk.refuses = True
        self.start()
        self.assert_seldom("Status: Permission denied")
        self.asterisk.refuses = False
        self.assert_well(within=75)

    def test_a_wrong_secret(self) -> None:
        self.start("another")
        self.assert_seldom("could not log in: Login: Authentication failed")
        self.asterisk.secret = "another"
        self.assert_well(within=75)

    def test_one_who_hangs_up_behind_every_login(self) -> None:
        self.asterisk.hangs_up = True
        self.start()
        self.run_for(600)
        self.assertLess(self.wire.tries, 80)
        self.assertEqual(len(self.told), 1, self.told)
        self.asterisk.hangs_up = False
        self.assert_well(within=25)

    def test_one_who_cant_be_reached(self) -> None:
        self.wire.reachable = False
        self.start()
        self.run_for(600)
        self.assertLess(self.wire.tries, 80)
        self.assertEqual([one for one in self.told if "can't be reached" in one], self.told)
        self.assertEqual(len(self.told), 1)
        self.wire.reachable = True
        self.assert_well(within=12)

    def test_one_who_cant_be_reached_any_more_after_whatever_was_before(self) -> None:
        for secret, before in ((SECRET, "logged in to Asterisk as ctiex"), ("another", "could not log in")):
            self.told.clear()
            self.wire.reachable = True
            self.start(secret)
            self.run_for(5, until=lambda: bool(self.told))
            self.assertIn(before, self.told[0])
            self.wire.reachable = False
            self.asterisk.cut()
            self.run_for(120)
            self.assertEqual(len([one for one in self.told if "can't be reached: " in one]), 1, self.told)
            self.client.stopService()

    def test_one_who_is_never_well_for_long(self) -> None:
        self.start()
        for _ in range(100):
            logins = self.logins
            self.run_for(12, until=lambda logins=logins: self.logins > logins)  # type: ignore[misc]
            self.run_for(1)
            self.asterisk.cut()
        self.run_for(1)
        self.assertLess(len(self.told), 12, self.told)
        self.run_for(60)
        self.assertEqual(self.told[-1], "logged in to Asterisk as ctiex")

    def test_one_who_is_lost_now_and_then_is_back_soon(self) -> None:
        self.start()
        for number in range(1, 6):
            self.run_for(60)
            self.assertEqual(self.told, ["logged in to Asterisk as ctiex", *[*["Asterisk's manager interface: the"
                             " connection was lost", "logged in to Asterisk as ctiex"] * (number - 1)]])  # fmt: skip
            self.asterisk.cut()
            tries = self.wire.tries
            self.run_for(2, until=lambda tries=tries: self.wire.tries > tries)  # type: ignore[misc]
            self.assertGreater(self.wire.tries, tries)


class Stopping(SynchronousTestCase):
    """The end of an exchange while it still takes up the calls of a large platform."""

    def test_it_is_no_fault_and_no_trouble(self) -> None:
        clock, asterisk, told = Clock(), PlatformAsterisk(), list[LogEvent]()
        for number in range(200):
            asterisk.platform.call(str(2_000 + number), f"1{number}")
        wire, listener = Wire(asterisk), RecordingListener()
        table = {"username": "ctiex", "secret": SECRET, "dial": "PJSIP/1@core", "customers": "PJSIP/trunk-"}
        make_client = partial(AmiClient, clock, AmiAccount(wire, "ctiex", SECRET))
        services, settings = {"bill": AsteriskServiceSettings()}, structure(table, AsteriskSettings)
        platform = AsteriskPlatform(clock, settings, services, make_client)
        driver = TransferSignalling(platform, listener)
        globalLogPublisher.addObserver(told.append)
        self.addCleanup(globalLogPublisher.removeObserver, told.append)
        driver.start()
        while platform._taking_up is None:
            wire.pump()
        driver.stop()
        wire.pump()
        self.assertEqual([formatEvent(event) for event in told], [])
        self.assertEqual((driver.connected, clock.getDelayedCalls()), (False, []))
