"""The seed's services over a scripted customer: by name, and what the two that broadcast say."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.fields import Fields
from ctiex.messages import Condition
from ctiex.services import BUILT_IN
from ctiex.services.bill_broadcast import Bill, BillBroadcast, DemoBills
from ctiex.services.number_broadcast import NumberBroadcast
from ctiex.services.prompts import Prompts
from ctiex.testing.strategies import fields as any_fields

from .service_case import Results, ServiceTestCase, keys, quick


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
