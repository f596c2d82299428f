"""Voice services in trouble: strangers, customers who hang up, and an exchange that is away."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred

from ctiex.clients import ExchangeAccount
from ctiex.clients.voice import ANY_PATH, VoiceServices
from ctiex.messages import Condition
from ctiex.services import BUILT_IN

from .asterisk_by_hand import ALL_SOUNDS, AsteriskByHand
from .voice_world import CARRIED, NOT_NOW, SERIAL, UNKNOWN_CALL, VoiceTestCase


class TrustTests(VoiceTestCase):
    """Whoever calls hears something polite, and gets nothing that isn't theirs."""

    def test_an_unknown_serial(self) -> None:
        asterisk = self.call(caller="100**99999")
        self.assertEqual(asterisk.heard, UNKNOWN_CALL)
        self.assertEqual((asterisk.commands[-1], asterisk.lost), (["HANGUP"], True))
        self.assertEqual(self.exchange.counters.data_refused, 1)
        self.assertEqual(self.agent.events, [])

    def test_no_serial(self) -> None:
        for caller in ("100", "", "unknown", "100**", "100**1**2", "100**12a"):
            self.assertEqual(self.call(caller=caller).heard, UNKNOWN_CALL, caller)
        self.assertEqual(self.exchange.counters.data_refused, 0, "the exchange was asked")

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
