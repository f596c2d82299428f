"""Organizing by rules: keep, map, rename, constants, secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

import ctiex.plugins
from ctiex.errors import ConfigurationError, FieldError
from ctiex.field_values import decimal_of
from ctiex.fields import MAX_COUNT, Fields, Value
from ctiex.interfaces import IOrganizer, IOrganizerPlugin
from ctiex.processing.field_rules import RuleOrganizer, RuleSettings
from ctiex.settings import structure
from ctiex.testing.organizer_contract import OrganizerContract
from ctiex.testing.strategies import decimals, times

quick = settings(deadline=None)
names = st.sampled_from(["a", "b", "c", "d"])
texts = st.text(max_size=5)
values: st.SearchStrategy[Value] = st.one_of(
    texts, st.booleans(), st.integers(-9, 9), st.binary(max_size=5), decimals(), times()
)
fields_of_four = st.dictionaries(names, values).map(Fields)
renames = st.permutations(["a", "b", "c", "d", "e"]).flatmap(
    lambda targets: st.sets(names).map(lambda olds: dict(zip(sorted(olds), targets, strict=False)))
)


def organizer_of(settings: Mapping[str, Any]) -> RuleOrganizer:
    """An organizer by the rules of a table of the file."""
    return RuleOrganizer(structure(settings, RuleSettings))


def organized(fields: dict[str, Value], **settings: Any) -> dict[str, Value]:
    return dict(organizer_of(settings).organize(Fields(fields)))


class NoRulesTests(OrganizerContract, SynchronousTestCase):
    """Without rules."""

    def make_organizer(self) -> IOrganizer:
        return organizer_of({})

    @given(fields_of_four)
    @quick
    def test_the_very_same_fields_come_back(self, fields: Fields) -> None:
        self.assertIs(self.make_organizer().organize(fields), fields)
        self.assertIs(organizer_of({"secret": ["a"]}).organize(fields), fields)


class AllRulesTests(OrganizerContract, SynchronousTestCase):
    """With every kind of rule."""

    names = ("number", "account", "language", "level", "to_read")

    def make_organizer(self) -> IOrganizer:
        return organizer_of(
            {
                "keep": ["number", "level", "language", "to_read"],
                "map": {"level": {"3": "gold", "true": "yes"}, "language": {"": "en"}},
                "rename": {"number": "to_read", "level": "tier"},
                "constants": {"origin": "platform 1", "version": 1, "test": False},
                "secret": ["number"],
            }
        )


class RuleTests(SynchronousTestCase):
    """What each rule does, and in which order."""

    @given(fields_of_four, st.sets(names))
    @quick
    def test_keep_lets_only_these_pass(self, fields: Fields, keep: set[str]) -> None:
        expected = {name: value for name, value in fields.items() if name in keep}
        self.assertEqual(organized(dict(fields), keep=sorted(keep)), expected)

    @given(fields_of_four)
    @quick
    def test_a_star_alone_lets_everything_pass(self, fields: Fields) -> None:
        self.assertIs(organizer_of({"keep": ["*"]}).organize(fields), fields)

    @given(fields_of_four, renames)
    @quick
    def test_a_renamed_field_replaces_the_one_that_had_its_name(self, fields: Fields, rename: dict[str, str]) -> None:
        expected = {name: value for name, value in fields.items() if name not in rename}
        expected.update((rename[name], value) for name, value in fields.items() if name in rename)
        self.assertEqual(organized(dict(fields), rename=rename), expected)

    @given(fields_of_four, st.dictionaries(names, st.one_of(texts, st.booleans(), st.integers(-9, 9))))
    @quick
    def test_constants_win(self, fields: Fields, constants: dict[str, Value]) -> None:
        self.assertEqual(Fields(organized(dict(fields), constants=constants)), Fields({**fields, **constants}))

    def test_two_fields_change_names(self) -> None:
        self.assertEqual(organized({"a": 1, "b": 2}, rename={"a": "b", "b": "a"}), {"b": 1, "a": 2})

    def test_a_rename_of_what_is_missing_leaves_the_target_alone(self) -> None:
        self.assertEqual(organized({"b": 2}, rename={"a": "b"}), {"b": 2})

    def test_map_finds_values_by_their_text_form(self) -> None:
        noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
        table = {
            "3": "three", "true": "on", "false": "off", "x": "y", "-1": "", "012.50": "bill",
            "2026-11-26T12:00:00.000Z": "noon",
        }  # fmt: skip
        matched: tuple[tuple[Value, str], ...] = (
            (3, "three"), (True, "on"), (False, "off"), ("x", "y"), ("3", "three"), (-1, ""),
            (decimal_of("012.50"), "bill"), (noon, "noon"),
        )  # fmt: skip
        for value, expected in matched:
            self.assertEqual(organized({"a": value}, map={"a": table}), {"a": expected})
        unmatched: tuple[Value, ...] = 4, "True", "X", b"x", 1, 0, Decimal("12.50"), noon + timedelta(milliseconds=1)
        for value in unmatched:
            self.assertEqual(Fields(organized({"a": value}, map={"a": table})), Fields({"a": value}))
        self.assertEqual(organized({"b": "x"}, map={"a": table}), {"b": "x"})

    def test_keep_and_map_speak_of_the_names_before_renaming(self) -> None:
        rules = {"keep": ["a"], "map": {"a": {"1": "one"}}, "rename": {"a": "b"}, "constants": {"c": True}}
        self.assertEqual(organized({"a": 1, "b": 2, "c": 3}, **rules), {"b": "one", "c": True})

    def test_more_fields_than_a_message_takes_are_an_error(self) -> None:
        full = Fields({str(number): True for number in range(MAX_COUNT)})
        organizer = organizer_of({"constants": {"one more": 1}})
        self.assertRaises(FieldError, organizer.organize, full)

    def test_secret_holds_the_names_before_and_after(self) -> None:
        rename = {"pin": "password", "number": "to_read"}
        for given_names, expected in (
            (["pin"], {"pin", "password"}),
            (["password"], {"pin", "password"}),
            (["other", "to_read"], {"other", "number", "to_read"}),
            ([], set()),
        ):
            self.assertEqual(organizer_of({"rename": rename, "secret": given_names}).secret, expected)

    @given(fields_of_four, renames, st.sets(names))
    @quick
    def test_masking_by_secret_leaves_no_secret_value_on_either_side(
        self, fields: Fields, rename: dict[str, str], secret: set[str]
    ) -> None:
        organizer = organizer_of({"rename": rename, "secret": sorted(secret)})
        marked = Fields({name: f"marker of {name}" for name in fields})
        hidden = {f"marker of {name}" for name in fields if name in secret}
        for side in (marked, organizer.organize(marked)):
            shown = {value for name, value in side.items() if name not in organizer.secret}
            self.assertFalse(hidden & shown)

    def test_the_repr_shows_no_values(self) -> None:
        rules = {"constants": {"token": "MARKER"}, "map": {"pin": {"MARKER": "MARKER"}}}
        self.assertNotIn("MARKER", repr(organizer_of(rules)))


class ConfigurationTests(SynchronousTestCase):
    """What the configuration may say."""

    def refused(self, expected: str, **settings: Any) -> None:
        error = self.assertRaises(ConfigurationError, structure, settings, RuleSettings)
        self.assertIn(expected, str(error))

    def test_unknown_keys(self) -> None:
        self.refused("renames: found an unknown key, expected one of: constants, keep, map, rename, secret", renames={})

    def test_values_of_wrong_types(self) -> None:
        self.refused("rename: found a list, expected a table", rename=["a"])
        self.refused("rename.a: a field name is a str, not int", rename={"a": 1})
        self.refused("map: found text (not shown), expected a table", map="a")
        self.refused("map.a: found text (not shown), expected a table", map={"a": "b"})
        self.refused("map.a: found a number, expected text", map={"a": {"1": 1}})
        self.refused('keep: found "number", expected a list', keep="number")
        self.refused("keep[0]: a field name is a str", keep=[1])
        self.refused('keep: found "*" beside names of fields, expected it alone', keep=["a", "*"])
        self.refused("secret: found a table, expected a list", secret={"a": "b"})
        self.refused("secret[0]: a field name is a str", secret=[["a"]])
        self.refused("constants: found a list, expected a table", constants=[])
        for constant in (1.5, ["x"], {"x": 1}, None, datetime(2026, 11, 26, tzinfo=UTC)):
            self.refused("expected text, an integer or a boolean", constants={"a": constant})

    def test_two_renames_to_one_target(self) -> None:
        self.refused("'a' and 'b' both become 'c'", rename={"a": "c", "b": "c"})

    def test_values_that_may_be_secret_are_not_shown_and_everything_is_told_at_once(self) -> None:
        wrong = {
            "constants": {"pin": 1.5, "big": 2**70}, "map": {"pin": {"1234": 5}}, "keep": ["a", "*"],
            "rename": {"a": "b", "c": "b"},
        }  # fmt: skip
        error = self.assertRaises(ConfigurationError, structure, wrong, RuleSettings)
        self.assertEqual(
            str(error).splitlines(),
            [
                "constants.big: the integer doesn't fit in 64 bits, signed",
                "constants.pin: found a number, expected text, an integer or a boolean",
                'keep: found "*" beside names of fields, expected it alone',
                "map.pin: found a number, expected text",
                "rename: 'a' and 'c' both become 'b', expected one",
            ],
        )

    def test_names_and_values_beyond_the_limits(self) -> None:
        for name in ("", "x" * 65, "\u00e9" * 33):
            self.refused("1 to 64 are allowed", rename={"a": name})
            self.refused("1 to 64 are allowed", rename={name: "a"})
            self.refused("1 to 64 are allowed", map={name: {}})
            self.refused("1 to 64 are allowed", keep=[name])
            self.refused("1 to 64 are allowed", constants={name: 1})
            self.refused("1 to 64 are allowed", secret=[name])
        self.refused("65536 bytes", map={"a": {"1": "x" * 65536}})
        self.refused("65536 bytes", constants={"a": "x" * 65536})
        self.refused("64 bits", constants={"a": 2**63})

    def test_the_plugin_is_found_by_its_name(self) -> None:
        (plugin,) = (p for p in getPlugins(IOrganizerPlugin, ctiex.plugins) if p.name == "rules")
        made = plugin.build(structure({"rename": {"a": "b"}}, plugin.settings))
        self.assertEqual(dict(made.organize(Fields({"a": 1}))), {"b": 1})
