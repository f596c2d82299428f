"""The seed's three services over a scripted customer, and the media themselves."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue, ensureDeferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ctiex.errors import CallerHungUp, ConfigurationError
from ctiex.fields import Fields, Value
from ctiex.interfaces import IMedia, IMediaPlugin
from ctiex.messages import Condition
from ctiex.plugins import build_plugin
from ctiex.services import BUILT_IN, Outcome, Service
from ctiex.services.bill_broadcast import Bill, BillBroadcast, DemoBills
from ctiex.services.media import TerminalMedia
from ctiex.services.number_broadcast import NumberBroadcast
from ctiex.services.password_authentication import PasswordAuthentication
from ctiex.services.passwords import Account, DemoPasswords, StoredPassword, hash_password
from ctiex.services.prompts import Prompts
from ctiex.testing.media import MediaContract, ScriptedMedia
from ctiex.testing.strategies import fields as any_fields

from .processes import finished, surroundings

quick = settings(deadline=None)
T = TypeVar("T")
keys = st.lists(st.text("0123456789*#", max_size=4), max_size=12)
Results = dict[str, Value]


class ServiceTestCase(SynchronousTestCase):
    """Runs a service to its end: nothing of it waits."""

    def result_of(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self.successResultOf(ensureDeferred(work))
        return result

    def serve(
        self, service: Service, fields: Results, typed: list[str], hang_up_after: int | None = None
    ) -> tuple[Outcome, ScriptedMedia, list[Results]]:
        """The outcome, the media with its transcript, and the progress that was reported."""
        media = ScriptedMedia(typed, hang_up_after)
        progress: list[Results] = []

        async def report(fields: Fields) -> None:
            progress.append(dict(fields))

        return self.result_of(service.serve(Fields(fields), media, report)), media, progress

    def assert_failed(self, service: Service, fields: Results, reason: str) -> None:
        outcome, media, progress = self.serve(service, fields, ["1", "2"])
        self.assertIs(outcome.condition, Condition.FAILED)
        self.assertEqual(list(outcome.fields), ["reason"])
        self.assertIn(reason, outcome.fields.text("reason"))
        self.assertEqual((media.transcript, progress), ([], []), "the customer heard something")

    def assert_abandoned_anywhere(self, service: Service, fields: Results, typed: list[str]) -> list[Results]:
        """Hang up after every number of actions but the last; gives the results in order."""
        _, whole, _ = self.serve(service, fields, typed)
        results = []
        for actions in range(len(whole.transcript)):
            outcome, media, _ = self.serve(service, fields, typed, actions)
            self.assertIs(outcome.condition, Condition.ABANDONED)
            self.assertEqual(media.transcript, [*whole.transcript[:actions], "hangs up"])
            results.append(dict(outcome.fields))
        return results


class BuiltInTests(ServiceTestCase):
    """The three services by name."""

    def test_they_are_the_three_of_the_seed(self) -> None:
        self.assertEqual(set(BUILT_IN), {"number-broadcast", "bill-broadcast", "password-authentication"})
        for name, make in BUILT_IN.items():
            self.assertEqual(make().name, name)

    @given(st.sampled_from(sorted(BUILT_IN)), any_fields(), keys, st.none() | st.integers(0, 12))
    @quick
    def test_any_fields_and_any_customer_lead_to_a_final_condition(
        self, name: str, fields: Fields, typed: list[str], hang_up_after: int | None
    ) -> None:
        demo: Results = {"number": "114", "account": "1001", "period": "2026-10", "password_level": "common"}
        for offered in (dict(fields), {**demo, **fields}, demo):
            outcome, _, _ = self.serve(BUILT_IN[name](), offered, typed, hang_up_after)
            self.assertTrue(outcome.condition.final)


class NumberBroadcastTests(ServiceTestCase):
    """Times broadcast, and whether the customer is satisfied."""

    service = NumberBroadcast()

    def test_a_satisfied_customer_hears_it_twice(self) -> None:
        outcome, media, progress = self.serve(self.service, {"number": "+86 (10) 114-7"}, ["1", "2"])
        self.assertIs(outcome.condition, Condition.COMPLETED)
        self.assertEqual(dict(outcome.fields), {"times_broadcast": 2, "satisfied": True, "satisfaction": "yes"})
        reading = ["play number-is", "play plus", "say 8 6 1 0 1 1 4 7", "ask again-or-satisfied: *"]
        self.assertEqual(media.transcript, [*reading, *reading, "play back-to-agent"])
        self.assertEqual(progress, [{"times_broadcast": 1}, {"times_broadcast": 2}])

    @given(st.integers(1, 10), st.integers(0, 12), st.sampled_from(["2", "3", ""]))
    @quick
    def test_it_is_read_out_again_as_often_as_asked_but_for_the_limit(self, most: int, again: int, last: str) -> None:
        fields: Results = {"number": "114", "repeats": most}
        outcome, _, _ = self.serve(self.service, fields, ["1"] * again + [last])
        self.assertEqual(outcome.fields["times_broadcast"], min(most, again + 1))
        answered = {"2": "yes", "3": "no", "": "unanswered"}[last]
        if again < most:
            self.assertEqual(outcome.fields["satisfaction"], answered)
        self.assertEqual(outcome.fields["satisfied"], outcome.fields["satisfaction"] == "yes")

    def test_a_wrong_key_is_asked_for_once_more(self) -> None:
        for typed, satisfaction in ((["7", "3"], "no"), (["7", "7", "2"], "unanswered"), (["7"], "unanswered")):
            outcome, media, _ = self.serve(self.service, {"number": "114"}, typed)
            self.assertEqual(outcome.fields["satisfaction"], satisfaction)
            self.assertIn("play not-understood", media.transcript)

    def test_several_numbers_are_read_one_after_the_other(self) -> None:
        _, media, _ = self.serve(self.service, {"number": "114, 118 114"}, ["2"])
        self.assertEqual(media.transcript[:4], ["play number-is", "say 1 1 4", "play next-number", "say 1 1 8 1 1 4"])

    def test_an_integer_is_a_number_as_well(self) -> None:
        _, media, _ = self.serve(self.service, {"number": 114}, ["2"])
        self.assertIn("say 1 1 4", media.transcript)

    def test_customer_type_and_language_pick_the_prompts(self) -> None:
        fields: Results = {"number": "114", "language": "fr", "customer_type": "vip"}
        _, media, _ = self.serve(self.service, fields, ["2"])
        self.assertEqual(media.transcript[0], "play number-is.vip.fr")
        self.assertEqual(media.transcript[-1], "play back-to-agent.vip.fr")

    def test_without_a_good_number_it_fails(self) -> None:
        for number in ("", "x", "12a", "114,", ",", "1" * 21, "++1", "\u0661", True, b"114", -5, ",".join(["1"] * 11)):
            self.assert_failed(self.service, {"number": number}, "field 'number': expected 1 to 10 telephone numbers")
        self.assert_failed(self.service, {}, "field 'number'")

    def test_repeats_are_within_bounds(self) -> None:
        for repeats in (0, 11, "3", True):
            fields: Results = {"number": "114", "repeats": repeats}
            self.assert_failed(self.service, fields, "field 'repeats': expected an integer from 1 to 10")

    def test_a_customer_who_hangs_up_leaves_what_was_done(self) -> None:
        results = self.assert_abandoned_anywhere(self.service, {"number": "114"}, ["1", "3"])
        self.assertEqual([result["times_broadcast"] for result in results], [0, 0, 1, 1, 1, 2, 2])
        self.assertEqual(results[-1]["satisfaction"], "no")
        self.assertEqual(results[0], {"times_broadcast": 0, "satisfied": False, "satisfaction": "unanswered"})


amounts = st.decimals(Decimal("-9999.99"), Decimal("99999.99"), places=2)
bills = st.builds(
    Bill,
    account=st.just("7"),
    period=st.just("2026-10"),
    currency=st.sampled_from(["EUR", "CNY"]),
    items=st.lists(st.tuples(st.text(max_size=80), amounts), max_size=14).map(tuple),
)


class OneBill:
    """A billing system with one bill."""

    def __init__(self, bill: Bill) -> None:
        self.bill = bill

    async def find(self, account: str, period: str) -> Bill | None:
        return self.bill if (account, period) == (self.bill.account, self.bill.period) else None


class BillBroadcastTests(ServiceTestCase):
    """The bill for the customer, its summary for the agent."""

    demo: Results = {"account": "1001", "period": "2026-10"}

    def test_the_agent_gets_the_summary(self) -> None:
        outcome, media, progress = self.serve(BillBroadcast(), self.demo, ["2"])
        self.assertIs(outcome.condition, Condition.COMPLETED)
        summary = "2026-10: 3 items, 58.40 EUR: basic fee 19.90, calls abroad 12.50, data 10 GB 26.00"
        self.assertEqual(
            dict(outcome.fields),
            {"summary": summary, "total": "58.40", "currency": "EUR", "items": 3, "times_broadcast": 1},
        )
        items = [line for amount in ("19.90", "12.50", "26.00") for line in ("play bill-item", f"say {amount} EUR")]
        self.assertEqual(
            media.transcript,
            ["play bill-total", "say 58.40 EUR", *items, "ask again-or-return: *", "play back-to-agent"],
        )
        self.assertEqual(progress, [{"times_broadcast": 1}])

    def test_the_total_alone_is_read_out_on_demand(self) -> None:
        _, media, _ = self.serve(BillBroadcast(), {**self.demo, "level": "total", "language": "fr"}, [""])
        self.assertEqual(
            media.transcript,
            ["play bill-total.fr", "say 58.40 EUR", "ask again-or-return.fr: nothing", "play back-to-agent.fr"],
        )

    @given(bills)
    @quick
    def test_the_items_add_up_in_whatever_bill(self, bill: Bill) -> None:
        fields: Results = {"account": "7", "period": "2026-10"}
        outcome, media, _ = self.serve(BillBroadcast(OneBill(bill)), fields, ["2"])
        said = [Decimal(line.split()[1]) for line in media.transcript if line.startswith("say ")]
        self.assertEqual(said, [sum(said[1:]), *(amount for _, amount in bill.items)])
        self.assertEqual(Decimal(outcome.fields.text("total")), said[0])
        self.assertEqual(outcome.fields["items"], len(bill.items))
        self.assertTrue(outcome.fields.text("summary").startswith(f"2026-10: {len(bill.items)} item"))
        self.assertLess(len(outcome.fields.text("summary")), 900)

    @given(st.integers(1, 10), st.integers(0, 12))
    @quick
    def test_it_is_read_out_again_as_often_as_asked_but_for_the_limit(self, most: int, again: int) -> None:
        outcome, _, _ = self.serve(BillBroadcast(), {**self.demo, "repeats": most}, ["1"] * again + ["2"])
        self.assertEqual(outcome.fields["times_broadcast"], min(most, again + 1))

    def test_a_long_bill_is_cut_short_in_the_summary(self) -> None:
        bill = Bill("7", "2026-10", "EUR", tuple((f"item {n}", Decimal(1)) for n in range(12)))
        self.assertTrue(bill.summary.endswith("item 9 1, and 2 more"))
        self.assertEqual(Bill("7", "2026-10", "EUR", ()).summary, "2026-10: 0 items, 0 EUR")

    def test_without_a_bill_it_fails(self) -> None:
        service = BillBroadcast()
        self.assert_failed(service, {"period": "2026-10"}, "field 'account': expected text")
        self.assert_failed(service, {"account": "1001", "period": 202610}, "field 'period': expected text")
        self.assert_failed(service, {**self.demo, "account": "1003"}, "there is no bill for this account and period")
        self.assert_failed(service, {**self.demo, "level": "some"}, "field 'level': expected items or total")
        self.assert_failed(service, {**self.demo, "repeats": 0}, "field 'repeats'")

    def test_a_customer_who_hangs_up_leaves_what_was_done(self) -> None:
        results = self.assert_abandoned_anywhere(BillBroadcast(), {**self.demo, "level": "total"}, ["1", "2"])
        self.assertEqual([result["times_broadcast"] for result in results], [0, 0, 1, 1, 1, 2, 2])
        self.assertEqual({result["total"] for result in results}, {"58.40"})

    def test_an_amount_is_a_number(self) -> None:
        for amount in ("NaN", "Infinity"):
            self.assertRaises(ValueError, Bill, "7", "2026-10", "EUR", (("x", Decimal(amount)),))

    def test_the_made_up_bills_are_the_documented_ones(self) -> None:
        for account, period, found in (
            ("1001", "2026-09", True),
            ("1002", "2026-10", True),
            ("1002", "2026-09", False),
        ):
            bill = self.result_of(DemoBills().find(account, period))
            self.assertEqual(bill is not None, found)


class Verifier:
    """Knows one password for each level; notes what it was asked."""

    def __init__(self, common: str = "1111", advanced: str = "99999999") -> None:
        self.levels = {common: "common", advanced: "advanced"}
        self.asked: list[tuple[str, str]] = []

    async def verify(self, account: str, area: str, password: str) -> str | None:
        self.asked.append((account, area))
        return self.levels.get(password)


class BrokenVerifier:
    """Quotes the password in its error."""

    async def verify(self, account: str, area: str, password: str) -> str | None:
        raise RuntimeError(f"no connection for {password}")


class SlowVerifier:
    """Never comes to an end."""

    async def verify(self, account: str, area: str, password: str) -> str | None:
        answer: Deferred[None] = Deferred()
        await answer
        return None


class PasswordAuthenticationTests(ServiceTestCase):
    """Valid or not, advanced or common, and how many tries it took."""

    request: Results = {"account": "7", "area": "010", "password_level": "common"}

    def outcome(self, typed: list[str], **fields: Value) -> tuple[Results, ScriptedMedia]:
        outcome, media, _ = self.serve(PasswordAuthentication(Verifier()), {**self.request, **fields}, typed)
        self.assertIs(outcome.condition, Condition.COMPLETED)
        return dict(outcome.fields), media

    def test_the_right_password_at_the_second_try(self) -> None:
        verifier = Verifier()
        fields: Results = {**self.request, "prompt_tone": "calm", "agent_number": "1001", "vip_level": 0}
        outcome, media, progress = self.serve(PasswordAuthentication(verifier), fields, ["12", "1111#"])
        self.assertEqual(dict(outcome.fields), {"valid": True, "level": "common", "tries": 2})
        self.assertEqual(
            media.transcript,
            [
                "ask enter-password.calm: **",
                "play password-wrong",
                "ask enter-password.calm: ****",
                "play password-accepted",
                "play back-to-agent",
            ],
        )
        self.assertEqual(progress, [{"tries": 1}, {"tries": 2}])
        self.assertEqual(verifier.asked, [("7", "010")] * 2)

    def test_an_advanced_password_will_do_where_a_common_one_is_asked_for(self) -> None:
        fields, _ = self.outcome(["99999999"])
        self.assertEqual(fields, {"valid": True, "level": "advanced", "tries": 1})

    def test_a_common_password_does_not_do_for_advanced(self) -> None:
        fields, _ = self.outcome(["1111"], password_level="advanced", tries=1)
        self.assertEqual(fields, {"valid": False, "level": "common", "tries": 1})
        fields, _ = self.outcome(["1111", "99999999"], password_level="advanced")
        self.assertEqual(fields, {"valid": True, "level": "advanced", "tries": 2})

    @given(st.integers(1, 10), st.lists(st.text("023456789", max_size=6), max_size=12))
    @example(3, ["", "", ""])
    @quick
    def test_wrong_passwords_are_tried_as_often_as_allowed(self, tries: int, typed: list[str]) -> None:
        fields, _ = self.outcome(typed, tries=tries)
        self.assertEqual(fields, {"valid": False, "level": "", "tries": tries})

    def test_silence_is_a_try_that_nobody_verifies(self) -> None:
        verifier = Verifier()
        outcome, _, _ = self.serve(PasswordAuthentication(verifier), self.request, ["", "1111"])
        self.assertEqual(dict(outcome.fields), {"valid": True, "level": "common", "tries": 2})
        self.assertEqual(len(verifier.asked), 1)

    def test_a_vip_has_one_more_try_and_other_prompts(self) -> None:
        vips: tuple[tuple[Value, int], ...] = ((0, 3), (1, 4), (5, 4), ("0", 3), ("2", 4), ("", 3))
        for vip, tries in vips:
            fields, media = self.outcome([], vip_level=vip)
            self.assertEqual(fields["tries"], tries)
            self.assertEqual(media.transcript[-1], "play back-to-agent.vip" if tries == 4 else "play back-to-agent")
        fields, media = self.outcome([], vip_level=1, tries=2)
        self.assertEqual(fields["tries"], 2)
        self.assertEqual(media.transcript[0], "ask enter-password.vip: nothing")

    def test_a_request_that_lacks_something_fails(self) -> None:
        service = PasswordAuthentication(Verifier())
        self.assert_failed(service, {"password_level": "common"}, "field 'account': expected text")
        self.assert_failed(service, {"account": "7"}, "field 'password_level': expected common or advanced")
        for tries in (0, 11, "3", True):
            self.assert_failed(service, {**self.request, "tries": tries}, "expected an integer from 1 to 10")
        for vip in (-1, True, "gold", b"1"):
            self.assert_failed(service, {**self.request, "vip_level": vip}, "field 'vip_level'")

    def test_a_customer_who_hangs_up_leaves_what_was_done(self) -> None:
        service = PasswordAuthentication(Verifier())
        results = self.assert_abandoned_anywhere(service, self.request, ["12", "1111"])
        self.assertEqual([result["tries"] for result in results], [0, 1, 1, 2, 2])
        self.assertEqual([result["valid"] for result in results], [False, False, False, True, True])

    @given(st.from_regex("8317[0-9]{8,16}", fullmatch=True), st.integers(0, 9))
    @quick
    def test_the_password_never_leaves_the_service(self, password: str, hang_up_after: int) -> None:
        entry = Account("010", (StoredPassword.of("common", password, b"\x07" * 16),))
        everything: list[str] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            everything.append(repr(event))

        globalLogPublisher.addObserver(observer)
        try:
            for verifier in (DemoPasswords({"7": entry}), BrokenVerifier()):
                service = PasswordAuthentication(verifier)
                for actions in (None, hang_up_after):
                    fields: Results = {**self.request, "password_level": "advanced"}
                    outcome, media, progress = self.serve(service, fields, [password] * 3, actions)
                    everything += [repr(service), repr(verifier), repr(outcome), repr(media), repr(entry)]
                    everything += [outcome.fields.describe(), *media.transcript, repr(progress)]
        finally:
            globalLogPublisher.removeObserver(observer)
        self.assertNotIn(password, "\n".join(everything))
        self.flushLoggedErrors()

    def test_a_verifier_that_breaks_is_a_failure_without_its_words(self) -> None:
        outcome, _, _ = self.serve(PasswordAuthentication(BrokenVerifier()), self.request, ["4711"])
        self.assertIs(outcome.condition, Condition.FAILED)
        self.assertEqual(dict(outcome.fields), {"reason": "the password can't be verified now"})

    def test_a_level_that_nobody_knows_is_a_failure(self) -> None:
        verifier = Verifier()
        verifier.levels["1111"] = "golden"
        outcome, _, _ = self.serve(PasswordAuthentication(verifier), self.request, ["1111"])
        self.assertIs(outcome.condition, Condition.FAILED)

    def test_a_cancelled_service_stops(self) -> None:
        waiting: Deferred[str] = Deferred()
        media = TerminalMedia(lambda: waiting, lambda _: None, Clock())
        running = ensureDeferred(PasswordAuthentication(Verifier()).serve(Fields(self.request), media))
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)

    def test_a_service_can_be_cancelled_while_the_password_is_verified(self) -> None:
        service = PasswordAuthentication(SlowVerifier())
        running = ensureDeferred(service.serve(Fields(self.request), ScriptedMedia(["1111"])))
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)


class DemoPasswordsTests(ServiceTestCase):
    """The made-up accounts."""

    def level(self, account: str, area: str, password: str) -> str | None:
        return self.result_of(DemoPasswords().verify(account, area, password))

    def test_they_are_the_documented_ones(self) -> None:
        self.assertEqual(self.level("1001", "010", "246810"), "common")
        self.assertEqual(self.level("1001", "", "97531864"), "advanced")
        self.assertEqual(self.level("1002", "021", "135790"), "common")

    def test_everything_else_is_wrong(self) -> None:
        for account, area, password in (
            ("1001", "021", "246810"), ("1001", "010", "135790"), ("1001", "010", "24681"),
            ("1001", "010", ""), ("1003", "", "246810"), ("", "", ""),
        ):  # fmt: skip
            self.assertIsNone(self.level(account, area, password))

    @given(st.text("0123456789", max_size=20), st.text("0123456789", max_size=20), st.binary(min_size=16, max_size=16))
    @quick
    def test_only_the_same_password_under_the_same_salt_has_the_same_hash(
        self, one: str, two: str, salt: bytes
    ) -> None:
        self.assertEqual(hash_password(one, salt) == hash_password(two, salt), one == two)
        self.assertNotEqual(hash_password(one, salt), hash_password(one, salt + b"x"))


class PromptTests(SynchronousTestCase):
    """Prompt names from fields."""

    @given(st.text(max_size=40))
    @example("../../etc/passwd")
    @example("a/b")
    @example("fr\n")
    @quick
    def test_a_field_can_name_a_variant_and_nothing_else(self, text: str) -> None:
        name = Prompts.of(Fields({"language": text}), "language").name("number-is")
        self.assertRegex(name, r"\Anumber-is(\.[A-Za-z0-9][A-Za-z0-9_-]*)?\Z")


class ScriptedMediaTests(MediaContract, TestCase):
    """A customer out of a script."""

    def make_media(self, typed: str) -> IMedia:
        return ScriptedMedia([typed + "#"])

    def make_left_media(self) -> IMedia:
        return ScriptedMedia(hang_up_after=0)


class TerminalMediaContractTests(MediaContract, TestCase):
    """A customer at the terminal."""

    def make_media(self, typed: str) -> IMedia:
        return TerminalMedia(lambda: succeed(typed + "#"), lambda _: None, Clock())

    def make_left_media(self) -> IMedia:
        media = TerminalMedia(lambda: fail(CallerHungUp("gone")), lambda _: None, Clock())
        self.failureResultOf(ensureDeferred(media.collect_digits("again-or-satisfied", 1, 1)), CallerHungUp)
        return media


class TerminalMediaTests(SynchronousTestCase):
    """What the person at the terminal sees, and how long they have."""

    def setUp(self) -> None:
        self.lines: DeferredQueue[str] = DeferredQueue()
        self.written: list[str] = []
        self.clock = Clock()
        self.media = TerminalMedia(self.lines.get, self.written.append, self.clock)

    def test_it_writes_what_a_customer_would_hear(self) -> None:
        actions: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: self.media.play("number-is"),
            lambda: self.media.say_digits("114"),
            lambda: self.media.say_amount(Decimal("1E+2"), "EUR"),
            lambda: self.media.play_video("welcome.mp4"),
        )
        for action in actions:
            self.successResultOf(ensureDeferred(action()))  # type: ignore[arg-type]
        self.assertEqual(self.written, ["[prompt: number-is]\n", '"1 1 4"\n', '"100 EUR"\n', "[video: welcome.mp4]\n"])

    @given(st.text(max_size=12), st.integers(1, 8))
    @quick
    def test_a_line_gives_its_keys_up_to_the_hash(self, line: str, count: int) -> None:
        answer = ensureDeferred(self.media.collect_digits("enter-password", count, 5.0))
        self.lines.put(line)
        keys = "".join(key for key in line.split("#")[0] if key in "0123456789*")
        self.assertEqual(self.successResultOf(answer), keys[:count])

    def test_no_line_in_time_is_nothing_typed(self) -> None:
        answer = ensureDeferred(self.media.collect_digits("again-or-satisfied", 2, 5.0))
        self.clock.advance(9.9)
        self.assertNoResult(answer)
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(answer), "")
        self.lines.put("2")
        again = ensureDeferred(self.media.collect_digits("again-or-satisfied", 2, 5.0))
        self.assertEqual(self.successResultOf(again), "2", "a time-out must not swallow the next line")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class MediaPluginTests(SynchronousTestCase):
    """Media by name."""

    def test_a_script_can_be_configured(self) -> None:
        media = build_plugin(IMediaPlugin, "scripted", {"typed": ["42#"], "hang_up_after": 1}, Clock())
        self.assertEqual(self.successResultOf(ensureDeferred(media.collect_digits("x", 5, 1.0))), "42")
        self.failureResultOf(ensureDeferred(media.play("x")), CallerHungUp)

    def test_bad_settings_are_refused(self) -> None:
        bad: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("scripted", {"typed": "12"}, 'typed: found "12", expected a list'),
            ("scripted", {"typed": [1]}, "typed[0]: found 1, expected text"),
            ("scripted", {"hang_up_after": -1}, "expected a number of actions, from 0"),
            ("scripted", {"hang_up_after": True}, "expected a number of actions, from 0"),
            ("scripted", {"type": []}, "type: found an unknown key, expected one of: hang_up_after, typed"),
            ("terminal", {"echo": True}, "echo: found an unknown key, expected none"),
        )
        for name, configured, expected in bad:
            error = self.assertRaises(ConfigurationError, build_plugin, IMediaPlugin, name, configured, Clock())
            self.assertIn(expected, str(error))


AT_THE_TERMINAL = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from ctiex.fields import Fields
from ctiex.plugins.built_in import terminal
from ctiex.services import BUILT_IN
from ctiex.settings import NoSettings

async def two_customers():
    for _ in range(2):
        media = terminal.build(NoSettings(), reactor)
        outcome = await BUILT_IN["number-broadcast"]().serve(Fields({"number": "114"}), media)
        print(outcome.condition.name, outcome.fields.describe(), file=sys.stderr)

ensureDeferred(two_customers()).addBoth(lambda _: reactor.stop())
reactor.run()
"""


class TerminalPluginTests(SynchronousTestCase):
    """A process whose standard input plays one customer after the other."""

    def test_the_lines_of_standard_input_are_what_customers_type(self) -> None:
        done = finished([sys.executable, "-c", AT_THE_TERMINAL], input="1\n2\n1\n", text=True, env=surroundings())
        self.assertEqual(
            done.stderr.splitlines(),
            [
                "COMPLETED times_broadcast=2, satisfied=true, satisfaction=yes",
                "ABANDONED times_broadcast=2, satisfied=false, satisfaction=unanswered",
            ],
        )
        self.assertEqual(done.stdout.count('"1 1 4"'), 4)
