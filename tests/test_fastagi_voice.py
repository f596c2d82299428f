"""Voice services from the AGI call to the agent's event: an exchange in memory, an Asterisk by hand, one clock."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.clients import ExchangeAccount
from ctiex.clients.voice import ANY_PATH, VoiceServices, VoiceSettings
from ctiex.errors import Status
from ctiex.fields import Fields, Value
from ctiex.interfaces import BaseSignalling, ISignalling, ISignallingListener, Offer, Signalled
from ctiex.links.ports import TurnedAway
from ctiex.messages import AgentEvent, Condition
from ctiex.services import BUILT_IN
from ctiex.telephony.asterisk.sounds import CALL_UNKNOWN, DEFAULT_SOUNDS, UNAVAILABLE, Sounds
from ctiex.testing.fakes import FakeAgent
from ctiex.testing.pairs import LinkedPair, MemoryExchange, agents, make_service, services

from .asterisk_by_hand import ALL_SOUNDS, AsteriskByHand

NUMBER, SERIAL = "13800138000", "00112345678965432197"
CARRIED = f"{NUMBER}**{SERIAL}"
PASSWORD: dict[str, Value] = {"account": "1001", "password_level": "common"}
ASKED = ["agent-pass", "auth-thankyou", "one-moment-please"]
UNKNOWN_CALL, NOT_NOW = list(DEFAULT_SOUNDS[CALL_UNKNOWN]), list(DEFAULT_SOUNDS[UNAVAILABLE])


@implementer(ISignalling)
class Telephone(BaseSignalling):
    """A driver that leaves it to the test to have the customer's call arrive."""

    sees_return = False
    listener: ISignallingListener

    def offer(self, offer: Offer) -> None:
        """The call is on its way; whoever serves it may come back for it."""
        self.listener.offered(offer.serial, None, lambda: self.listener.accepted(offer.serial))

    def withdraw(self, serial: str) -> int:
        """Nothing to let go of."""
        return Status.TIMED_OUT


@implementer(IStreamClientEndpoint)
class IntoExchange:
    """Where the services connect to."""

    def __init__(self, exchange: MemoryExchange) -> None:
        self._exchange = exchange
        self.away = False
        self.links: list[LinkedPair] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """A link, unless the exchange is away."""
        if self.away:
            return fail(ConnectError())
        protocol = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        self.links.append(LinkedPair(protocol, self._exchange.ivr_links.buildProtocol(None)))
        self._exchange.pairs.append(self.links[-1])
        return succeed(protocol)

    def go_away(self) -> None:
        """The link is lost, and there is no other."""
        self.away = True
        self.links[-1].disconnect(clean=False)

    def come_back(self) -> None:
        """It can be reached again."""
        self.away = False


@implementer(IStreamServerEndpoint)
class AgiPort:
    """Where Asterisk connects to."""

    open = False

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Keep the factory for the test's calls."""
        self.factory, self.open = protocolFactory, True
        port: Any = self
        return succeed(port)

    def stopListening(self) -> None:
        """No more calls."""
        self.open = False


class VoiceTestCase(SynchronousTestCase):
    """Common to the tests."""

    sounds = Sounds()
    max_calls = 10

    def setUp(self) -> None:
        telephone = Telephone()
        names = tuple(BUILT_IN)
        self.exchange = MemoryExchange(
            identities=(agents(), services("ivr", *names)),
            services={name: make_service(name, signalling="telephone") for name in names},
            drivers={"telephone": telephone},
        )
        telephone.listener = self.exchange.processing.listener
        self.way = IntoExchange(self.exchange)
        self.port = AgiPort()
        account = ExchangeAccount(self.way, "ivr", "secret", jitter=lambda: 0.0, longest_retry=1.0)
        paths = {"password": "password-authentication", "bill": "bill-broadcast", "number": "number-broadcast"}
        self.voice = VoiceServices(
            self.exchange.clock,
            account,
            {path: BUILT_IN[name]() for path, name in paths.items()},
            VoiceSettings(sounds=self.sounds, max_calls=self.max_calls),
            random=Random(1),
        )
        self.successResultOf(ensureDeferred(self.voice.listen(self.port)))
        self.voice.startService()
        self.exchange.pump()
        self.agent: FakeAgent = self.exchange.agent("1001")
        self.addCleanup(self.stop)

    def stop(self) -> None:
        stopping = ensureDeferred(self.voice.stopService())
        self.exchange.advance(15)
        self.successResultOf(stopping)
        self.assertEqual((self.voice.calls, self.voice.automatic.calls), (0, 0))

    def hand_over(self, service: str = "password-authentication", fields: dict[str, Value] = PASSWORD) -> None:
        self.agent.connect("1001", service, SERIAL, NUMBER, Fields(fields))
        self.exchange.pump()

    def arrive(self, asterisk: AsteriskByHand, seconds: float = 0.0) -> AsteriskByHand:
        channel = self.port.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        assert channel is not None
        self.exchange.pairs.append(LinkedPair(channel, asterisk))
        self.exchange.pump()
        self.exchange.advance(seconds)
        return asterisk

    def call(self, seconds: float = 0.0, **how: Any) -> AsteriskByHand:
        return self.arrive(AsteriskByHand(**{"caller": CARRIED, **how}), seconds)

    @property
    def last(self) -> AgentEvent:
        return self.agent.events[-1]

    @property
    def ends(self) -> list[Condition]:
        """The final conditions that the agent has heard of."""
        return [event.condition for event in self.agent.events if event.condition.final]


class ServingTests(VoiceTestCase):
    """A customer is served, and their agent hears how it went."""

    def test_password_authentication(self) -> None:
        self.hand_over()
        asterisk = self.call(typed="246810#")
        self.assertEqual(asterisk.heard, ASKED)
        self.assertEqual(self.last.condition, Condition.COMPLETED)
        self.assertEqual(dict(self.last.fields), {"valid": True, "level": "common", "tries": 1})
        self.assertEqual((asterisk.commands[-1], asterisk.lost), (["HANGUP"], True))

    def test_number_broadcast(self) -> None:
        self.hand_over("number-broadcast", {"number": "+86114"})
        asterisk = self.call(path="number", typed="2")
        self.assertEqual(asterisk.heard[:4], ["telephone-number", "is", "letters/plus", "digits 86114"])
        self.assertEqual(self.last.fields["satisfaction"], "yes")

    def test_bill_broadcast(self) -> None:
        self.hand_over("bill-broadcast", {"account": "1001", "period": "2026-09", "level": "total"})
        asterisk = self.call(path="bill", typed="2")
        self.assertEqual(asterisk.heard[:4], ["alpha bill total", "number 27", "alpha EUR", "number 25"])
        self.assertEqual(self.last.fields["total"], "27.25")

    def test_the_serial_is_taken_from_whichever_carrier_arrives(self) -> None:
        by_information = UserToUserSerialCarrier().embed(NUMBER, SERIAL).headers["User-to-User"]
        by_header = SipHeaderSerialCarrier().embed(NUMBER, SERIAL).headers["X-CTIEX-Serial"]
        for variables in (
            {"CTIEX_UUI": by_information},
            {"CTIEX_HEADER": f"X-CTIEX-Serial:{by_header}"},
            {"CTIEX_HEADER": by_header},
            {"CTIEX_UUI": by_information, "CTIEX_HEADER": f"X-CTIEX-Serial: {by_header}"},
        ):
            self.setUp()
            self.hand_over()
            self.call(caller=NUMBER, variables=variables, typed="246810#")
            self.assertEqual(self.ends, [Condition.COMPLETED], variables)

    def test_carriers_that_disagree_carry_no_serial(self) -> None:
        self.hand_over()
        asterisk = self.call(variables={"CTIEX_HEADER": "X-CTIEX-Serial: 123"})
        self.assertEqual(asterisk.heard, UNKNOWN_CALL)
        self.assertEqual(self.ends, [])

    def test_the_password_is_in_no_log(self) -> None:
        with capturedLogs() as events:
            self.hand_over()
            self.call(typed="246810#")
        self.assertNotIn("246810", " ".join(str(formatEvent(event)) for event in events))

    def test_many_are_served_at_the_same_time(self) -> None:
        for serial in range(1, 11):
            self.agent.connect("1001", "password-authentication", str(serial), NUMBER, Fields(PASSWORD))
        self.exchange.pump()
        waiting = [self.call(caller=f"{NUMBER}**{serial}") for serial in range(1, 11)]
        for asterisk in waiting:
            self.assertTrue(asterisk.lost)
        self.assertEqual(self.ends, [Condition.COMPLETED] * 10)

    def test_an_exchange_that_sends_a_connection_is_refused(self) -> None:
        service = make_service("password-authentication")
        self.exchange = MemoryExchange(
            identities=(agents(), services("ivr", service.name)), services={service.name: service}
        )
        self.way._exchange = self.exchange
        self.way.go_away()
        self.way.come_back()
        self.voice.automatic.reactor.advance(2)
        self.exchange.pump()
        agent = self.exchange.agent("1001")
        agent.connect("1001", service.name, SERIAL, NUMBER, Fields(PASSWORD))
        self.exchange.pump()
        self.assertEqual(agent.events[-1].condition, Condition.UNREACHABLE)
        self.assertEqual(agent.events[-1].status, Status.SERVICE_REFUSED)
        self.exchange.clock = self.voice.automatic.reactor


class RestartTests(VoiceTestCase):
    """The services are stopped and started again."""

    def test_calls_are_taken_where_they_were_before(self) -> None:
        self.stop()
        self.assertFalse(self.port.open)
        self.voice.startService()
        self.exchange.pump()
        self.assertTrue(self.port.open)
        self.hand_over()
        self.assertEqual(self.call(typed="246810#").heard, ASKED)
        self.assertEqual(self.last.condition, Condition.COMPLETED)


class PromptTests(VoiceTestCase):
    """Prompt files are chosen by the fields."""

    sounds = Sounds.with_own({"enter-password.formal": ("custom/formal",)})

    def test_the_agents_tone_and_the_customers_language(self) -> None:
        self.hand_over(fields={**PASSWORD, "prompt_tone": "formal", "language": "fr"})
        asterisk = self.call(typed="246810#", sounds={*ALL_SOUNDS, "custom/formal"})
        self.assertEqual(asterisk.heard, ["custom/formal", *ASKED[1:]])
        self.assertEqual(asterisk.variables["CHANNEL(language)"], "fr")

    def test_a_tone_nobody_recorded_changes_nothing(self) -> None:
        self.hand_over(fields={**PASSWORD, "prompt_tone": "../../x", "language": "../fr"})
        asterisk = self.call(typed="246810#")
        self.assertEqual(asterisk.heard, ASKED)
        self.assertNotIn("CHANNEL(language)", asterisk.variables)


class TrustTests(VoiceTestCase):
    """Whoever calls hears something polite, and gets nothing that isn't theirs."""

    def test_an_unknown_serial(self) -> None:
        asterisk = self.call(caller="100**99999")
        self.assertEqual(asterisk.heard, UNKNOWN_CALL)
        self.assertEqual((asterisk.commands[-1], asterisk.lost), (["HANGUP"], True))
        self.assertEqual(self.exchange.counts.data_refused, 1)
        self.assertEqual(self.agent.events, [])

    def test_no_serial(self) -> None:
        for caller in ("100", "", "unknown", "100**", "100**1**2", "100**12a"):
            self.assertEqual(self.call(caller=caller).heard, UNKNOWN_CALL, caller)
        self.assertEqual(self.exchange.counts.data_refused, 0, "the exchange was asked")

    def test_a_stranger_who_leaves_while_it_is_said(self) -> None:
        for moment in range(7):
            asterisk = self.call(caller="100**99999", leaves_at=moment)
            self.assertTrue(asterisk.lost)
        self.assertEqual(self.agent.events, [])

    def test_a_second_call_under_the_same_serial(self) -> None:
        self.hand_over()
        first = AsteriskByHand(caller=CARRIED)
        first.mute = frozenset({"SAY"})
        first.sounds = frozenset(ALL_SOUNDS - {"agent-pass"})  # the question is being spelled
        self.arrive(first)
        self.assertFalse(first.lost)
        self.assertEqual(self.call().heard, UNKNOWN_CALL)
        first.typed = "246810#"
        first.tell("200 result=0")
        self.exchange.pump()
        self.assertEqual(self.ends, [Condition.COMPLETED])
        self.assertEqual(self.call().heard, UNKNOWN_CALL, "served again, once the call was over")
        self.assertEqual(self.ends, [Condition.COMPLETED])

    def test_a_path_without_a_service(self) -> None:
        self.hand_over()
        asterisk = self.call(path="lottery")
        self.assertEqual(asterisk.heard, NOT_NOW)
        self.assertEqual(self.ends, [])

    def test_any_path_can_have_a_service(self) -> None:
        voice = VoiceServices(
            self.exchange.clock,
            ExchangeAccount(self.way, "ivr", "secret"),
            {ANY_PATH: BUILT_IN["password-authentication"]()},
        )
        self.successResultOf(ensureDeferred(voice.listen(self.port)))
        voice.startService()
        self.hand_over()
        self.call(path="lottery", typed="246810#")
        self.assertEqual(self.ends, [Condition.COMPLETED])
        stopping = ensureDeferred(voice.stopService())
        self.exchange.advance(10)
        self.successResultOf(stopping)

    def test_nothing_can_be_said_at_all(self) -> None:
        asterisk = AsteriskByHand(caller=CARRIED, sounds=())
        asterisk.can_say = False
        self.hand_over()
        self.arrive(asterisk)
        self.assertTrue(asterisk.lost)
        self.assertEqual(self.ends, [Condition.FAILED])


class FewCallsTests(VoiceTestCase):
    """There are as many calls as may be."""

    max_calls = 1

    def test_one_more_is_left_to_the_dialplan(self) -> None:
        self.hand_over()
        asterisk = AsteriskByHand(caller=CARRIED)
        asterisk.mute = frozenset({"ANSWER"})
        self.arrive(asterisk)
        address = IPv4Address("TCP", "127.0.0.1", 1)
        self.assertIsInstance(self.port.factory.buildProtocol(address), TurnedAway)
        asterisk.hang_up()
        self.exchange.pump()
        self.assertNotIsInstance(self.port.factory.buildProtocol(address), TurnedAway)


class LeavingTests(VoiceTestCase):
    """The customer hangs up in each step."""

    def test_the_agent_hears_that_they_left(self) -> None:
        self.hand_over()
        whole = self.call(typed="246810#")
        steps = len(whole.commands)
        self.assertEqual(whole.commands[2], ["ANSWER"])
        for moment in range(2, steps - 1):
            self.setUp()
            self.hand_over()
            asterisk = self.call(typed="246810#", leaves_at=moment)
            self.assertEqual(self.ends, [Condition.ABANDONED], asterisk.commands[-1])
            self.assertTrue(asterisk.lost)

    def test_a_customer_who_leaves_while_the_data_is_fetched(self) -> None:
        self.hand_over()
        self.way.go_away()
        asterisk = self.call(seconds=1.0)
        asterisk.hang_up()
        self.exchange.pump()
        self.way.come_back()
        self.exchange.advance(5)
        self.assertEqual(self.ends, [Condition.ABANDONED])

    def test_a_connection_that_is_cut(self) -> None:
        self.hand_over()
        asterisk = AsteriskByHand(caller=CARRIED)
        asterisk.mute = frozenset({"ANSWER"})
        self.arrive(asterisk)
        self.exchange.pairs[-1].disconnect(clean=False)
        self.exchange.advance(1)
        self.assertEqual(self.ends, [Condition.FAILED])

    def test_an_asterisk_that_falls_silent(self) -> None:
        self.hand_over()
        asterisk = AsteriskByHand(caller=CARRIED)
        asterisk.mute = frozenset({"ANSWER"})
        self.arrive(asterisk, seconds=11)
        self.assertTrue(asterisk.lost)
        self.assertEqual(self.ends, [Condition.FAILED])


class ExchangeAwayTests(VoiceTestCase):
    """The exchange can't be reached."""

    def test_data_that_does_not_come_in_time(self) -> None:
        self.hand_over()
        self.way.go_away()
        asterisk = self.call()
        for second, heard in enumerate((0, 0, 1, 2, 2)):
            self.assertEqual(asterisk.heard, ["one-moment-please"] * heard, second)
            self.exchange.advance(1, step=0.5)
        self.assertEqual(asterisk.heard, [*["one-moment-please"] * 3, *NOT_NOW])
        self.exchange.advance(2)
        self.assertTrue(asterisk.lost, "the customer is kept waiting")
        self.way.come_back()
        self.exchange.advance(3)
        self.assertEqual(self.ends, [Condition.FAILED])
        self.assertEqual(self.last.fields["reason"], "the exchange could not be reached in time")

    def test_data_that_comes_late_but_in_time(self) -> None:
        self.hand_over()
        self.way.go_away()
        self.call(seconds=2.0, typed="246810#")
        self.way.come_back()
        self.exchange.advance(2)
        self.assertEqual(self.ends, [Condition.COMPLETED])

    def test_a_result_is_repeated_behind_the_customers_back(self) -> None:
        self.hand_over()
        asterisk = AsteriskByHand(caller=CARRIED, typed="246810#")

        def leave(words: list[str]) -> None:
            if words[:2] == ["GET", "DATA"]:
                self.way.go_away()

        asterisk.on_command = leave
        self.arrive(asterisk, seconds=3)  # two of them while the agent isn't told of progress
        self.assertEqual((asterisk.heard[-1], asterisk.lost), ("one-moment-please", False))
        self.exchange.advance(2)
        self.assertTrue(asterisk.lost)
        self.assertEqual((self.voice.calls, self.voice.automatic.calls), (0, 1))
        self.assertEqual(self.call().heard, UNKNOWN_CALL, "the serial was taken by another")
        self.way.come_back()
        self.exchange.advance(3)
        self.assertEqual(self.ends, [Condition.COMPLETED])
        self.assertEqual(self.last.fields["valid"], True)
        self.assertEqual(self.voice.automatic.calls, 0)

    def test_an_agent_who_cancels(self) -> None:
        self.hand_over()
        asterisk = AsteriskByHand(caller=CARRIED)
        asterisk.mute = frozenset({"SAY"})
        asterisk.sounds = frozenset()
        self.arrive(asterisk)
        self.agent.cancel(SERIAL)
        self.exchange.pump()
        self.assertEqual(self.last.condition, Condition.CANCELLED)
        self.assertTrue(asterisk.lost)
        self.assertEqual(self.voice.automatic.calls, 0)

    def test_a_service_that_stops(self) -> None:
        self.hand_over()
        asterisk = AsteriskByHand(caller=CARRIED)
        asterisk.mute = frozenset({"SAY"})
        asterisk.sounds = frozenset()
        self.arrive(asterisk)
        self.stop()
        self.assertTrue(asterisk.lost)
        self.assertEqual(self.ends, [Condition.FAILED])


class ArrivalTests(VoiceTestCase):
    """What comes with a call has no place in a log."""

    def test_the_number_is_not_logged(self) -> None:
        self.assertNotIn(NUMBER, repr(Signalled(NUMBER)))
        with capturedLogs() as events:
            self.call(caller=f"{NUMBER}**999")
            self.call(caller=NUMBER)
        self.assertNotIn(NUMBER, " ".join(str(formatEvent(event)) for event in events))
