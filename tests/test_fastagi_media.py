"""A customer at an Asterisk, as the services see them: prompts, numbers, keys, languages, and what is missing."""

from __future__ import annotations

from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock, LoopingCall
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import CallerHungUp, ConfigurationError
from ctiex.interfaces import IMedia
from ctiex.services import prompts as names
from ctiex.telephony.asterisk.agi import AgiError
from ctiex.telephony.asterisk.fastagi import AgiChannel, FastAgiServer
from ctiex.telephony.asterisk.media import AsteriskMedia
from ctiex.telephony.asterisk.sounds import DEFAULT_SOUNDS, SOUND_EXPECTED, Sounds, is_sound
from ctiex.testing.media import MediaContract
from ctiex.testing.pairs import LinkedPair

from .asterisk_by_hand import ALL_SOUNDS, AsteriskByHand

quick = settings(deadline=None)
T = TypeVar("T")
LISTEN = ["to-listen-to-it", "vm-press", "digits/1"]


def connected(asterisk: AsteriskByHand, sounds: Sounds | None = None) -> tuple[AsteriskMedia, LinkedPair]:
    """The medium at the other end, and the link between them."""

    async def wait(channel: AgiChannel) -> None:
        await asterisk.ending  # kept there, since a coroutine that nobody can wake is collected

    channel = FastAgiServer(Clock(), wait).buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
    assert channel is not None
    pair = LinkedPair(channel, asterisk)
    pair.pump()
    return AsteriskMedia(channel, sounds), pair


class AsteriskMediaContractTests(MediaContract, TestCase):
    """The contract of IMedia."""

    def make_media(self, typed: str) -> IMedia:
        """:class:`ctiex.telephony.asterisk.media.AsteriskMedia`."""
        return self._made(AsteriskByHand(typed=f"{typed}#", sounds={*ALL_SOUNDS, "welcome"}))

    def make_left_media(self) -> IMedia:
        """The same, once they have hung up."""
        asterisk = AsteriskByHand()
        asterisk.hung_up = True
        return self._made(asterisk)

    def _made(self, asterisk: AsteriskByHand) -> IMedia:
        media, pair = connected(asterisk)
        carrying = LoopingCall(pair.pump)
        carrying.start(0)
        self.addCleanup(carrying.stop)
        return media


class MediaTestCase(SynchronousTestCase):
    """Common to the tests: nothing waits."""

    def open(self, asterisk: AsteriskByHand, sounds: Sounds | None = None) -> AsteriskMedia:
        media, self.pair = connected(asterisk, sounds)
        return media

    def done(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        doing: Deferred[T] = ensureDeferred(work)
        self.pair.pump()
        return doing

    def result_of(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self.successResultOf(self.done(work))
        return result

    def failure_of(self, work: Coroutine[Any, Any, Any], kind: type[Exception]) -> None:
        self.failureResultOf(self.done(work), kind)

    def logged(self, work: Coroutine[Any, Any, Any]) -> str:
        with capturedLogs() as events:
            self.result_of(work)
        return "\n".join(str(formatEvent(event)) for event in events)


class PromptTests(MediaTestCase):
    """Sound files for prompts."""

    def test_every_prompt_of_the_services_is_heard_by_default(self) -> None:
        prompts = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
        for prompt in prompts:
            asterisk = AsteriskByHand()
            self.result_of(self.open(asterisk).play(prompt))
            self.assertEqual(asterisk.heard, list(DEFAULT_SOUNDS.get(prompt, [f"alpha {prompt.replace('-', ' ')}"])))
        self.assertEqual(prompts - set(DEFAULT_SOUNDS), {names.BILL_TOTAL}, "spelled, for want of a word")

    def test_the_agents_tone_and_the_customers_language_choose_among_the_names_of_the_table(self) -> None:
        own = {
            "enter-password.formal": ("custom/formal",),
            "number-is.vip": ("custom/vip",),
            "number-is.fr": ("custom/fr",),
            "number-is.vip.fr": ("custom/vip-fr",),
        }
        for prompt, heard in (
            ("enter-password.formal", ["custom/formal"]),
            ("enter-password.casual", ["agent-pass"]),
            ("enter-password.formal.de", ["custom/formal"]),
            ("number-is.vip.fr", ["custom/vip-fr"]),
            ("number-is.vip.de", ["custom/vip"]),
            ("number-is.plain.fr", ["custom/fr"]),
            ("number-is", ["telephone-number", "is"]),
        ):
            asterisk = AsteriskByHand(sounds={*ALL_SOUNDS, *(sound for sounds in own.values() for sound in sounds)})
            self.result_of(self.open(asterisk, Sounds.with_own(own)).play(prompt))
            self.assertEqual(asterisk.heard, heard)

    @given(st.text(max_size=30), st.lists(st.text(max_size=10), max_size=8))
    @quick
    def test_no_prompt_leads_to_a_file_that_is_not_in_the_table(self, name: str, variants: list[str]) -> None:
        known = set(DEFAULT_SOUNDS.values())
        for sounds in Sounds().candidates(".".join((name, *variants))):
            self.assertIn(sounds, known)

    def test_a_missing_file_is_told_and_something_less_special_is_heard(self) -> None:
        asterisk = AsteriskByHand()
        media = self.open(asterisk, Sounds.with_own({"enter-password.formal": ("custom/formal",)}))
        self.assertIn("custom/formal", self.logged(media.play("enter-password.formal")))
        self.assertEqual(asterisk.heard, ["agent-pass"])

    def test_where_there_is_no_file_at_all_the_name_is_spelled(self) -> None:
        asterisk = AsteriskByHand(sounds=())
        self.assertIn("spelled", self.logged(self.open(asterisk).play("enter-password.formal")))
        self.assertEqual(asterisk.heard, ["alpha enter password"])

    def test_where_nothing_can_be_said_the_service_fails(self) -> None:
        asterisk = AsteriskByHand(sounds=())
        media = self.open(asterisk)
        asterisk.can_say = False
        for action in (media.play("plus"), media.say_digits("1"), media.say_amount(Decimal(1), "EUR")):
            self.failure_of(action, AgiError)

    def test_a_name_that_leads_elsewhere_is_refused(self) -> None:
        for sound in ("../../etc/passwd", "/etc/passwd", "a&b", "a,b", "a b", "", "a/../b", "a|b", "${X}", "x" * 121):
            self.assertFalse(is_sound(sound), sound)
            error = self.assertRaises(ConfigurationError, Sounds.with_own, {"plus": (sound,)})
            self.assertIn(SOUND_EXPECTED, str(error))

    def test_the_language_is_set_and_what_is_none_is_let_be(self) -> None:
        asterisk = AsteriskByHand()
        media = self.open(asterisk)
        for language in ("fr", "pt_BR", "", "../fr", "FR)=x", "en,x"):
            self.result_of(media.speak(language))
        self.assertEqual([words[3] for words in asterisk.commands], ["fr", "pt_BR"])
        self.assertEqual(asterisk.variables, {"CHANNEL(language)": "pt_BR"})


class NumberTests(MediaTestCase):
    """Digits and amounts."""

    def heard(self, amount: str, currency: str, **own: tuple[str, ...]) -> list[str]:
        asterisk = AsteriskByHand(sounds={*ALL_SOUNDS, "custom/euro", "custom/cent"})
        media = self.open(
            asterisk, Sounds.with_own({name.replace("_", "-", 1): sounds for name, sounds in own.items()})
        )
        self.result_of(media.say_amount(Decimal(amount), currency))
        return asterisk.heard

    def test_amounts(self) -> None:
        for amount, currency, heard in (
            ("12.50", "EUR", ["number 12", "alpha EUR", "number 50"]),
            ("12.05", "USD", ["number 12", "digits/dollars", "number 5"]),
            ("12.5", "USD", ["number 12", "digits/dollars", "number 50"]),
            ("58", "CNY", ["number 58", "alpha CNY"]),
            ("58.00", "CNY", ["number 58", "alpha CNY"]),
            ("-0.10", "USD", ["digits/minus", "number 0", "digits/dollars", "number 10"]),
            ("0.125", "USD", ["number 0", "digits/dollars", "letters/dot", "digits 125"]),
            ("1E+3", "USD", ["number 1000", "digits/dollars"]),
            ("1234567890", "USD", ["digits 1234567890", "digits/dollars"]),
        ):
            self.assertEqual(self.heard(amount, currency), heard, amount)

    def test_own_words_for_a_currency(self) -> None:
        own = {"currency.EUR": ("custom/euro",), "currency-part.EUR": ("custom/cent",)}
        asterisk = AsteriskByHand(sounds={*ALL_SOUNDS, "custom/euro", "custom/cent"})
        self.result_of(self.open(asterisk, Sounds.with_own(own)).say_amount(Decimal("1.50"), "EUR"))
        self.assertEqual(asterisk.heard, ["number 1", "custom/euro", "number 50", "custom/cent"])

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=2), st.text(max_size=5))
    @quick
    def test_any_amount_and_currency_are_said(self, amount: Decimal, currency: str) -> None:
        asterisk = AsteriskByHand()
        self.result_of(self.open(asterisk).say_amount(amount, currency))
        self.assertTrue(asterisk.heard)

    @given(st.text("0123456789*#+ a", max_size=500))
    @quick
    def test_digits_are_read_out_whole(self, digits: str) -> None:
        asterisk = AsteriskByHand()
        self.result_of(self.open(asterisk).say_digits(digits))
        heard = "".join(line.removeprefix("digits ") for line in asterisk.heard)
        self.assertEqual(heard, "".join(key for key in digits if key in "0123456789*#"))

    def test_no_key_stops_digits(self) -> None:
        asterisk = AsteriskByHand()
        self.result_of(self.open(asterisk).say_digits("114"))
        self.assertEqual(asterisk.commands, [["SAY", "DIGITS", "114", ""]])


class KeyTests(MediaTestCase):
    """What the customer types."""

    def ask(self, asterisk: AsteriskByHand, prompt: str, count: int, *before: str) -> str:
        media = self.open(asterisk)
        for one in before:
            self.result_of(media.play(one))
        return self.result_of(media.collect_digits(prompt, count, 2.5))

    def test_a_question_is_one_command_where_its_prompt_is_one_sound(self) -> None:
        asterisk = AsteriskByHand(typed="2468#")
        self.assertEqual(self.ask(asterisk, "enter-password.formal", 20), "2468")
        self.assertEqual(asterisk.commands, [["GET", "DATA", "agent-pass", "2500", "20"]])

    def test_of_several_sounds_each_can_be_stopped(self) -> None:
        for number in range(5):
            asterisk = AsteriskByHand(barging=[""] * number + ["2"])
            self.assertEqual(self.ask(asterisk, "again-or-return", 1), "2")
            self.assertEqual(asterisk.heard, [*LISTEN, "transfer", "vm-press"][: number + 1])

    def test_keys_that_stop_a_prompt_belong_to_the_next_question(self) -> None:
        asterisk = AsteriskByHand(typed="468#", barging=["2"])
        self.assertEqual(self.ask(asterisk, "enter-password", 20, "number-is"), "2468")
        self.assertEqual(asterisk.heard, ["telephone-number"], "the prompt was played to the end")
        self.assertEqual(asterisk.commands[-1], ["GET", "DATA", "", "2500", "19"])

    def test_a_whole_answer_typed_ahead_is_not_asked_for(self) -> None:
        asterisk = AsteriskByHand(barging=["2"])
        self.assertEqual(self.ask(asterisk, "again-or-return", 1, "plus"), "2")
        self.assertEqual(asterisk.heard, ["letters/plus"])

    def test_more_than_a_whole_answer_is_kept_for_the_question_behind(self) -> None:
        asterisk = AsteriskByHand(barging=["1", "2"])
        media = self.open(asterisk)
        for prompt in ("plus", "bill-item"):
            self.result_of(media.play(prompt))
        answers = [self.result_of(media.collect_digits("again-or-return", 1, 1.0)) for _ in range(2)]
        self.assertEqual(answers, ["1", "2"])

    def test_a_hash_typed_ahead_ends_the_answer(self) -> None:
        asterisk = AsteriskByHand(typed="99", barging=["1", "#", "3"])
        media = self.open(asterisk)
        for _ in range(3):
            self.result_of(media.play("plus"))
        self.assertEqual(self.result_of(media.collect_digits("enter-password", 20, 1.0)), "1")
        self.assertEqual(self.result_of(media.collect_digits("enter-password", 3, 1.0)), "399")

    def test_a_hash_alone_stops_a_prompt_and_answers_nothing(self) -> None:
        asterisk = AsteriskByHand(typed="12#", barging=["#"])
        self.assertEqual(self.ask(asterisk, "enter-password", 20, "plus"), "12")
        asterisk = AsteriskByHand(typed="2", barging=["", "#"])
        self.assertEqual(self.ask(asterisk, "again-or-return", 1), "2")

    def test_nothing_typed_is_an_empty_answer(self) -> None:
        self.assertEqual(self.ask(AsteriskByHand(), "enter-password", 20), "")

    def test_a_question_whose_sound_is_missing_is_spelled_and_answered(self) -> None:
        for prompt, spelled in (("enter-password", "enter password"), ("again-or-return", "again or return")):
            asterisk = AsteriskByHand(typed="1#", sounds=())
            self.assertEqual(self.ask(asterisk, prompt, 2), "1")
            self.assertEqual(asterisk.heard, [f"alpha {spelled}"])

    @given(
        st.lists(st.sampled_from(["", *"0123456789*#"]), max_size=8),
        st.text("0123456789*#", max_size=12),
        st.integers(1, 6),
    )
    @quick
    def test_an_answer_is_never_longer_than_asked_for_and_has_no_hash(
        self, barging: list[str], typed: str, count: int
    ) -> None:
        asterisk = AsteriskByHand(typed=typed, barging=barging)
        media = self.open(asterisk)
        for _ in range(3):
            self.result_of(media.play("plus"))
            answer = self.result_of(media.collect_digits("again-or-return", count, 1.0))
            self.assertLessEqual(len(answer), count)
            self.assertNotIn("#", answer)


class VideoTests(MediaTestCase):
    """Files with a picture."""

    def test_it_is_played_by_playback_without_its_ending(self) -> None:
        asterisk = AsteriskByHand(sounds={"custom/welcome"})
        self.result_of(self.open(asterisk).play_video("custom/welcome.mp4"))
        self.assertEqual(asterisk.commands[0], ["EXEC", "Playback", "custom/welcome"])

    def test_one_that_is_missing_or_leads_elsewhere_is_told_and_its_name_spelled(self) -> None:
        for file in ("welcome.mp4", "../../etc/passwd", "a&b", "a,skip"):
            asterisk = AsteriskByHand()
            self.assertIn("spelled", self.logged(self.open(asterisk).play_video(file)))
            self.assertEqual([line.split()[0] for line in asterisk.heard], ["alpha"])
            self.assertTrue(is_sound(file.partition(".mp4")[0]) or asterisk.commands[0][0] == "SAY")


class LeavingTests(MediaTestCase):
    """A customer who hangs up while something is under way."""

    def test_every_action_tells_it(self) -> None:
        for name, arguments in (
            ("play", ("enter-password",)),
            ("say_digits", ("1",)),
            ("say_amount", (Decimal("1.5"), "USD")),
            ("collect_digits", ("enter-password", 4, 1.0)),
            ("collect_digits", ("again-or-return", 1, 1.0)),
            ("play_video", ("welcome.mp4",)),
        ):
            whole = AsteriskByHand(sounds={*ALL_SOUNDS, "welcome"})
            self.result_of(getattr(self.open(whole), name)(*arguments))
            for moment in range(len(whole.commands)):
                asterisk = AsteriskByHand(sounds={*ALL_SOUNDS, "welcome"}, leaves_at=moment)
                self.failure_of(getattr(self.open(asterisk), name)(*arguments), CallerHungUp)

    def test_a_missing_file_is_not_a_customer_who_left(self) -> None:
        asterisk = AsteriskByHand(sounds=())
        self.result_of(self.open(asterisk).play("plus"))
        self.assertIn(["CHANNEL", "STATUS"], asterisk.commands)

    def test_hanging_up_ends_the_call(self) -> None:
        asterisk = AsteriskByHand()
        media = self.open(asterisk)
        self.result_of(media.answer())
        self.result_of(media.hang_up())
        self.assertEqual(asterisk.commands, [["ANSWER"], ["HANGUP"]])
        self.result_of(media.hang_up())
        self.assertEqual(len(asterisk.commands), 2, "a call that has ended was hung up again")
