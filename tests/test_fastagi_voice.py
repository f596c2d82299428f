"""Voice services from the AGI call to the agent's event: an exchange in memory, an Asterisk by hand, one clock."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs, formatEvent

from ctiex.carriers.sip_header import SipHeaderSerialCarrier
from ctiex.carriers.user_to_user import UserToUserSerialCarrier
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.interfaces import Signalled
from ctiex.links.ports import TurnedAway
from ctiex.messages import Condition
from ctiex.telephony.asterisk.sounds import Sounds
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

from .asterisk_by_hand import ALL_SOUNDS, AsteriskByHand
from .voice_world import ASKED, CARRIED, NUMBER, PASSWORD, SERIAL, UNKNOWN_CALL, VoiceTestCase


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
        self.exchange.advance(service.timeouts.rebind_grace - 0.1)
        self.assertEqual(agent.events[-1].condition, Condition.CONNECTING, "another session may still bind")
        self.exchange.advance(0.2)
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


class ArrivalTests(VoiceTestCase):
    """What comes with a call has no place in a log."""

    def test_the_number_is_not_logged(self) -> None:
        self.assertNotIn(NUMBER, repr(Signalled(NUMBER)))
        with capturedLogs() as events:
            self.call(caller=f"{NUMBER}**999")
            self.call(caller=NUMBER)
        self.assertNotIn(NUMBER, " ".join(str(formatEvent(event)) for event in events))
