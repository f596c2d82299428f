"""Channel associated data: typed, limited, and silent about its values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from enum import IntEnum
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import FieldError
from ctiex.field_values import (
    LEAST_TIME,
    MOST_TIME,
    decimal_of,
    decimal_text,
    milliseconds,
    time_of,
    time_of_text,
    time_text,
)
from ctiex.fields import EMPTY, MASK, MAX_COUNT, MAX_NAME, MAX_VALUE, Fields, Value
from ctiex.testing.strategies import decimals, field_names, fields, times, values

PROPERTY = settings(deadline=None)


class Level(IntEnum):
    GOLD = 3


class TestEquality(SynchronousTestCase):
    def test_values_of_different_types_are_different(self) -> None:
        noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
        for one, other in ((1, True), (0, False), ("x", b"x"), ("1", 1), (Decimal(1), 1), (Decimal(1), True),
                           (Decimal("1.5"), "1.5"), (noon, time_text(noon)), (noon, milliseconds(noon))):  # fmt: skip
            self.assertNotEqual(Fields({"a": one}), Fields({"a": other}))

    def test_decimals_that_are_written_otherwise_are_different(self) -> None:
        written = ["12.5", "12.50", "012.5", "012.50", "-0", "0", "0.0"]
        made = [Fields({"a": decimal_of(text)}) for text in written]
        self.assertEqual(len(set(made)), len(written))
        for text, one in zip(written, made, strict=True):
            self.assertEqual([one == other for other in made].count(True), 1)
            self.assertEqual(one, Fields({"a": decimal_of(text)}))
        self.assertEqual(Fields({"a": Decimal("12.50")}), Fields({"a": decimal_of("12.50")}))
        self.assertEqual(Fields({"a": Decimal("1E+2")}), Fields({"a": decimal_of("100")}))

    def test_a_time_is_the_same_in_any_zone_and_without_what_is_finer_than_a_millisecond(self) -> None:
        utc = datetime(2026, 11, 26, 12, 0, 0, 7_000, UTC)
        there = datetime(2026, 11, 26, 20, 0, 0, 7_999, timezone(timedelta(hours=8)))
        self.assertEqual(Fields({"a": utc}), Fields({"a": there}))
        self.assertEqual(hash(Fields({"a": utc})), hash(Fields({"a": there})))
        self.assertIs(type(Fields({"a": there})["a"]), datetime)
        self.assertEqual(Fields({"a": datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)})["a"], time_of(-1))

    @PROPERTY
    @given(fields())
    def test_the_order_does_not_matter(self, some: Fields) -> None:
        turned = Fields(reversed(list(some.items())))
        self.assertEqual(some, turned)
        self.assertEqual(hash(some), hash(turned))

    @PROPERTY
    @given(fields(), field_names(), values())
    def test_another_field_makes_it_different(self, some: Fields, name: str, value: Value) -> None:
        if name not in some:
            self.assertNotEqual(some, Fields({**some, name: value}))

    def test_a_dictionary_is_no_fields(self) -> None:
        self.assertNotEqual(Fields({"a": 1}), {"a": 1})


class TestSecrecy(SynchronousTestCase):
    @PROPERTY
    @given(st.dictionaries(st.sampled_from(["pin", "card"]), st.sampled_from(["s3cret", b"s3cret", 5_318_008])))
    def test_repr_shows_no_value(self, some: dict[str, Value]) -> None:
        for shown in (repr(Fields(some)), str(Fields(some)), f"{Fields(some)}"):
            self.assertNotIn("s3cret", shown)
            self.assertNotIn("5318008", shown)

    def test_repr_shows_names_types_and_sizes(self) -> None:
        some = Fields(
            {"a": "xyz", "b": b"1", "c": True, "d": 5, "e": Decimal("12.50"), "f": datetime(2026, 11, 26, tzinfo=UTC)}
        )
        self.assertEqual(repr(some), "Fields(a=text[3], b=bytes[1], c=boolean, d=integer, e=decimal, f=time)")

    def test_describe_masks_what_is_named_secret_and_shows_the_rest(self) -> None:
        some = Fields(
            {
                "pin": "1234", "vip": True, "level": 3, "key": b"\x01", "name": "Li", "odd": "a\nb", "none": "",
                "bill": decimal_of("012.50"), "due": datetime(2026, 11, 26, 18, tzinfo=UTC),
            }
        )  # fmt: skip
        shown = some.describe(secret={"pin"})
        self.assertEqual(
            shown,
            rf"pin={MASK}, vip=true, level=3, key=0x01, name=Li, odd='a\nb', none='', bill=012.50,"
            " due=2026-11-26T18:00:00.000Z",
        )

    @PROPERTY
    @given(st.sampled_from(["s3cret\ud800", "s3cret" * 11_000, b"s3cret" * 11_000, 2**200, Decimal(2**200)]))
    def test_errors_show_no_value(self, value: Value) -> None:
        error = self.assertRaises(FieldError, Fields, {"pin": value})
        self.assertNotIn("s3cret", str(error))
        self.assertNotIn(str(2**200), str(error))


class TestLimits(SynchronousTestCase):
    def test_the_longest_of_everything_is_allowed(self) -> None:
        for name, value in (
            ("x" * MAX_NAME, ""),
            ("é" * (MAX_NAME // 2), ""),
            ("a", "x" * MAX_VALUE),
            ("a", "漢" * (MAX_VALUE // 3)),
            ("a", b"x" * MAX_VALUE),
            ("a", 2**63 - 1),
            ("a", -(2**63)),
            ("a", Decimal("9" * 18 + "." + "9" * 9)),
            ("a", Decimal("-0.000000001")),
            ("a", datetime(1, 1, 1, tzinfo=UTC)),
            ("a", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
        ):
            self.assertEqual(Fields({name: value})[name], value)

    def test_one_more_is_refused(self) -> None:
        for name, value in (
            ("", ""),
            ("x" * (MAX_NAME + 1), ""),
            ("é" * (MAX_NAME // 2) + "x", ""),
            ("a", "x" * (MAX_VALUE + 1)),
            ("a", "漢" * (MAX_VALUE // 3 + 1)),
            ("a", b"x" * (MAX_VALUE + 1)),
            ("a", 2**63),
            ("a", -(2**63) - 1),
            ("\ud800", ""),
            ("a", Decimal(10**18)),
            ("a", Decimal("1E-10")),
            ("a", Decimal("0." + "0" * 10)),
            ("a", Decimal("NaN")),
            ("a", Decimal("Infinity")),
            ("a", datetime(2026, 11, 26)),
            ("a", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
            ("a", datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=1)))),
        ):
            self.assertRaises(FieldError, Fields, {name: value})

    def test_no_more_than_the_count_can_tell(self) -> None:
        self.assertRaises(FieldError, Fields, {str(number): 0 for number in range(MAX_COUNT + 1)})

    def test_other_types_are_refused(self) -> None:
        wrong: tuple[Any, ...] = 1.0, None, [], bytearray(b"x"), date(2026, 11, 26), timedelta(1)
        for value in wrong:
            self.assertRaises(FieldError, Fields, {"a": value})
        self.assertRaises(FieldError, Fields, {1: "a"})

    def test_a_name_that_comes_twice_is_refused(self) -> None:
        self.assertRaises(FieldError, Fields, [("a", 1), ("a", 1)])

    def test_an_enum_of_integers_is_an_integer_and_is_checked_at_once(self) -> None:
        self.assertEqual(Fields({"level": Level.GOLD})["level"], 3)


class TestDecimalsAndTimes(SynchronousTestCase):
    @PROPERTY
    @given(decimals())
    def test_a_decimal_is_written_as_it_came(self, value: Decimal) -> None:
        text = decimal_text(value)
        self.assertRegex(text, r"\A-?[0-9]{1,18}(\.[0-9]{1,9})?\Z")
        self.assertEqual(decimal_text(decimal_of(text)), text)
        self.assertEqual(Decimal(text), value)

    def test_what_is_computed_from_one_is_written_anew(self) -> None:
        self.assertEqual(decimal_text(decimal_of("007.50") + decimal_of("0001")), "8.50")
        with localcontext(prec=3):
            self.assertEqual(decimal_text(decimal_of("123456789.987654321")), "123456789.987654321")
            self.assertEqual(decimal_text(Decimal("123456789.987654321")), "123456789.987654321")

    def test_what_is_no_decimal(self) -> None:
        for text in (
            "",
            "-",
            ".5",
            "5.",
            "+5",
            "1e5",
            "1_000",
            "5\n",
            " 5",
            "٣",
            "NaN",
            "1" * 19,
            "0." + "1" * 10,
            "--5",
        ):
            self.assertRaises(ValueError, decimal_of, text)

    @PROPERTY
    @given(times())
    def test_a_time_comes_back_from_its_number_and_from_its_text(self, value: datetime) -> None:
        self.assertEqual(time_of(milliseconds(value)), value)
        self.assertEqual(time_of_text(time_text(value)), value)
        self.assertEqual(len(time_text(value)), len("2026-11-26T18:00:00.000Z"))

    def test_the_first_and_the_last_time(self) -> None:
        self.assertEqual(time_text(time_of(LEAST_TIME)), "0001-01-01T00:00:00.000Z")
        self.assertEqual(time_text(time_of(MOST_TIME)), "9999-12-31T23:59:59.999Z")
        for number in (LEAST_TIME - 1, MOST_TIME + 1, 2**63 - 1, -(2**63)):
            self.assertRaises(ValueError, time_of, number)


class TestMapping(SynchronousTestCase):
    @PROPERTY
    @given(st.dictionaries(field_names(), values(), max_size=5))
    def test_keeps_names_values_and_their_order(self, some: dict[str, Value]) -> None:
        made = Fields(some)
        self.assertEqual(list(made.items()), list(some.items()))
        self.assertEqual((len(made), "no such name at all" in made), (len(some), False))

    def test_takes_pairs_and_keeps_a_copy(self) -> None:
        source: dict[str, Value] = {"a": 1}
        made = Fields(source)
        source["a"] = 2
        self.assertEqual(made, Fields([("a", 1)]))

    def test_text_and_integer_give_the_default_for_another_type(self) -> None:
        some = Fields({"text": "x", "number": 5, "flag": True})
        self.assertEqual((some.text("text"), some.text("number", "-"), some.text("none")), ("x", "-", ""))
        self.assertEqual((some.integer("number"), some.integer("flag", 7), some.integer("none")), (5, 7, 0))

    def test_empty_has_none(self) -> None:
        self.assertEqual(list(EMPTY), [])
