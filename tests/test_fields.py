"""Channel associated data: typed, limited, and silent about its values."""

from __future__ import annotations

from enum import IntEnum

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import FieldError
from ctiex.fields import EMPTY, MASK, MAX_COUNT, MAX_NAME, MAX_VALUE, Fields, Value
from ctiex.testing.strategies import field_names, fields, values

PROPERTY = settings(deadline=None)


class Level(IntEnum):
    GOLD = 3


class TestEquality(SynchronousTestCase):
    def test_values_of_different_types_are_different(self) -> None:
        for one, other in ((1, True), (0, False), ("x", b"x"), ("1", 1)):
            self.assertNotEqual(Fields({"a": one}), Fields({"a": other}))

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
        some = Fields({"a": "xyz", "b": b"1", "c": True, "d": 5})
        self.assertEqual(repr(some), "Fields(a=text[3], b=bytes[1], c=boolean, d=integer)")

    def test_describe_masks_what_is_named_secret_and_shows_the_rest(self) -> None:
        some = Fields({"pin": "1234", "vip": True, "level": 3, "key": b"\x01", "name": "Li", "odd": "a\nb", "none": ""})
        shown = some.describe(secret={"pin"})
        self.assertEqual(shown, rf"pin={MASK}, vip=true, level=3, key=0x01, name=Li, odd='a\nb', none=''")

    @PROPERTY
    @given(st.sampled_from(["s3cret\ud800", "s3cret" * 11_000, b"s3cret" * 11_000]))
    def test_errors_show_no_value(self, value: Value) -> None:
        error = self.assertRaises(FieldError, Fields, {"pin": value})
        self.assertNotIn("s3cret", str(error))


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
        ):
            self.assertRaises(FieldError, Fields, {name: value})

    def test_no_more_than_the_count_can_tell(self) -> None:
        self.assertRaises(FieldError, Fields, {str(number): 0 for number in range(MAX_COUNT + 1)})

    def test_other_types_are_refused(self) -> None:
        for value in (1.0, None, [], bytearray(b"x")):
            self.assertRaises(FieldError, Fields, {"a": value})
        self.assertRaises(FieldError, Fields, {1: "a"})

    def test_a_name_that_comes_twice_is_refused(self) -> None:
        self.assertRaises(FieldError, Fields, [("a", 1), ("a", 1)])

    def test_an_enum_of_integers_is_an_integer_and_is_checked_at_once(self) -> None:
        self.assertEqual(Fields({"level": Level.GOLD})["level"], 3)


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
