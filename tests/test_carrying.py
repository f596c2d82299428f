"""The serial's way: from ``[carrier]`` to what a driver is to send, and out of what arrives at a service."""

from __future__ import annotations

import tomllib
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.carriers.calling_number import CallingNumberSerialCarrier
from ctiex.carriers.combined import CombinedSerialCarrier
from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.clients import AutomaticService, ExchangeAccount, ServedCall
from ctiex.config.carriers import build_carriers
from ctiex.config.model import CarrierSettings, Configuration
from ctiex.config.plugin_checks import wrong_plugins
from ctiex.config.reading import parse
from ctiex.errors import ConfigurationError, SerialError, Status
from ctiex.interfaces import BaseSignalling, ISerialCarrier, ISignalling, Offer, Signalled
from ctiex.messages import Connection, ConnectReply
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome
from ctiex.testing.pairs import MemoryExchange

NUMBER = "13800138000"


def read(text: str) -> Configuration:
    """The configuration in a text."""
    return parse(tomllib.loads(text), "ctiex.toml")


def carrier_settings(text: str) -> CarrierSettings:
    """The table ``[carrier]`` in a text."""
    return read(text).carrier


class ConfigurationTests(SynchronousTestCase):
    """What ``[carrier]`` gives."""

    def test_by_default_links_and_the_network_have_the_same(self) -> None:
        carriers = build_carriers(CarrierSettings())
        self.assertEqual((carriers.connection, carriers.network), (CallingNumberSerialCarrier(), None))

    def test_several_at_once_each_with_its_keys(self) -> None:
        text = (
            '[carrier]\nseparator = "##"\nalso = ["user-to-user", "sip-header"]\n'
            '[carrier.sip-header]\nheader = "X-Office-Call"'
        )
        carriers = build_carriers(carrier_settings(text))
        number = CallingNumberSerialCarrier("##")
        self.assertEqual(carriers.connection, number)
        self.assertEqual(
            carriers.network,
            CombinedSerialCarrier((number, UserToUserSerialCarrier(), SipHeaderSerialCarrier("X-Office-Call"))),
        )

    def test_without_one_of_the_calling_number_links_have_that_of_the_seed(self) -> None:
        carriers = build_carriers(carrier_settings('[carrier]\nkind = "sip-header"\nheader = "X-Office-Call"'))
        self.assertEqual(carriers.connection, CallingNumberSerialCarrier())
        self.assertEqual(carriers.network, SipHeaderSerialCarrier("X-Office-Call"))

    def errors(self, text: str) -> list[str]:
        """What is wrong with a text."""
        return list(wrong_plugins(read(text)))

    def test_good_ones_pass(self) -> None:
        self.assertEqual(self.errors('[carrier]\nkind = "user-to-user"\nalso = ["calling-number", "sip-header"]'), [])

    def test_what_is_wrong_is_told_with_its_key(self) -> None:
        for table, told in (
            ('also = ["pigeon"]', 'carrier.also: found "pigeon"'),
            (
                'also = ["user-to-user"]\nuser-to-user.zap = 1',
                "carrier.user-to-user.zap: found an unknown key",
            ),
            (
                'also = ["sip-header"]\nsip-header = "X-A"',
                "carrier.sip-header: found text (not shown), expected a table",
            ),
            ('sip-header.header = "X-A"', "carrier.sip-header: found an unknown key"),
            ('also = ["calling-number"]', "carrier: two carriers put the serial into the calling number"),
            ('kind = "user-to-user"\nalso = ["user-to-user"]', "carrier: two carriers use the same header field"),
            ('kind = "user-to-user"\nseparator = "**"', "carrier.separator: found an unknown key, expected none"),
        ):
            with self.subTest(table):
                (line,) = self.errors(f"[carrier]\n{table}")
                self.assertTrue(line.startswith(told), line)

    def test_the_list_is_a_list_of_text(self) -> None:
        for value in ("5", '"user-to-user"', "[5]", '[""]'):
            with self.subTest(value):
                self.assertRaises(ConfigurationError, read, f"[carrier]\nalso = {value}")


@implementer(ISignalling)
class Driver(BaseSignalling):
    """Keeps what it is offered."""

    sees_return = False

    def __init__(self) -> None:
        self.offers: list[Offer] = []

    def offer(self, offer: Offer) -> None:
        """Keep it."""
        self.offers.append(offer)

    def withdraw(self, serial: str) -> int:
        """It knows of no answer."""
        return Status.TIMED_OUT


class OfferTests(SynchronousTestCase):
    """What a driver is told to send."""

    def offered(self, network: ISerialCarrier | None) -> Offer:
        """The offer of one call."""
        driver = Driver()
        exchange = MemoryExchange(network=network, drivers={"link": driver})
        agent = exchange.agent("1001")
        agent.connect("1001", "bill", "007", NUMBER)
        exchange.pump()
        (offer,) = driver.offers
        self.assertEqual(offer.connection.calling_number, f"{NUMBER}**007", "a service on a link reads it there")
        return offer

    def test_the_calling_number_of_the_connection_unless_told_otherwise(self) -> None:
        self.assertEqual(self.offered(None).signalled, Signalled(f"{NUMBER}**007"))

    def test_a_carrier_beside_the_number_leaves_it_alone(self) -> None:
        self.assertEqual(self.offered(SipHeaderSerialCarrier()).signalled, Signalled(NUMBER, {"X-CTIEX-Serial": "007"}))

    def test_several_at_once(self) -> None:
        network = CombinedSerialCarrier((CallingNumberSerialCarrier(), SipHeaderSerialCarrier()))
        self.assertEqual(self.offered(network).signalled, Signalled(f"{NUMBER}**007", {"X-CTIEX-Serial": "007"}))

    def test_a_serial_that_does_not_fit_the_network_is_34(self) -> None:
        class Narrow(SipHeaderSerialCarrier):
            def embed(self, calling_number: str, serial: str) -> Signalled:
                raise SerialError("3 digits at most")

        narrow: ISerialCarrier = Narrow()
        exchange = MemoryExchange(network=narrow)
        agent = exchange.agent("1001")
        agent.connect("1001", "bill", "007", NUMBER)
        exchange.pump()
        (reply,) = agent.every(ConnectReply)
        self.assertEqual((reply.status, reply.detail), (Status.SERIAL_DOES_NOT_FIT, "3 digits at most"))


class TakingTests(SynchronousTestCase):
    """Which serial a service takes."""

    def setUp(self) -> None:
        exchange = MemoryExchange()
        self.taken: list[tuple[str, str]] = []
        endpoint: Any = None
        self.service = AutomaticService(
            exchange.clock, ExchangeAccount(endpoint, "ivr", "x"), {"7000": self._serve}, self._media, random=Random(1)
        )

    async def _serve(self, call: ServedCall) -> Outcome:
        raise AssertionError("nobody is served here")

    def _media(self, call: ServedCall) -> ScriptedMedia:
        self.taken.append((call.calling_number, call.serial))
        return ScriptedMedia()

    def take(self, number: str, **headers: str) -> int:
        """A telephone call comes in."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.take(Connection("7000", number, ""), fields).status

    def test_it_comes_by_any_of_the_three(self) -> None:
        information = UserToUserSerialCarrier().embed("", "3").headers["User-to-User"]
        self.assertEqual(self.take(f"{NUMBER}**1"), Status.OK)
        self.assertEqual(self.take(NUMBER, X_CTIEX_Serial="2"), Status.OK)
        self.assertEqual(self.take(NUMBER, User_to_User=information), Status.OK)
        self.assertEqual(self.take(f"{NUMBER}**4", X_CTIEX_Serial="4"), Status.OK)
        self.assertEqual(self.taken, [(NUMBER, "1"), (NUMBER, "2"), (NUMBER, "3"), (NUMBER, "4")])

    def test_two_that_differ_are_none(self) -> None:
        self.assertEqual(self.take(f"{NUMBER}**1", X_CTIEX_Serial="2"), Status.UNKNOWN_SERIAL)
        self.assertEqual(self.taken, [])

    def test_what_is_no_serial_does_not_matter(self) -> None:
        self.assertEqual(self.take(f"{NUMBER}**1", X_CTIEX_Serial="", User_to_User="00c8;encoding=hex"), Status.OK)
        self.assertEqual(self.take(NUMBER, X_CTIEX_Serial="x"), Status.UNKNOWN_SERIAL)
        self.assertEqual(self.taken, [(NUMBER, "1")])
