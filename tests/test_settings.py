"""Settings that are declared once: tables of a file as instances of classes, or everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any, get_args, get_type_hints

import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiex.config.model import IdentitySettings
from ctiex.errors import ConfigurationError
from ctiex.interfaces import (
    ICheckerPlugin,
    IJournalPlugin,
    IMediaPlugin,
    IOrganizerPlugin,
    ISerialCarrierPlugin,
    ISignallingPlugin,
)
from ctiex.plugins import plugins
from ctiex.settings import Check, Count, FileName, NoSettings, Seconds, ShortText, Text, structure
from ctiex.settings.checks import check_of, hold
from ctiex.settings.structuring import structure_good_part
from ctiex.telephony.asterisk.settings import AsteriskSettings

from .effort import examples

INTERFACES = (
    IJournalPlugin, ICheckerPlugin, IMediaPlugin, IOrganizerPlugin, ISerialCarrierPlugin, ISignallingPlugin,
)  # fmt: skip


def _is_even(value: Any) -> bool:
    if value == 13:
        raise ConfigurationError("found 13, which brings bad luck")
    return isinstance(value, int) and value % 2 == 0


@frozen(kw_only=True)
class House:
    """A table with every kind of value."""

    name: ShortText
    doors: Count = 1
    rooms: tuple[Text, ...] = ()
    keys: Mapping[str, FileName] = field(factory=dict)
    rest: Seconds = 1.5
    even: Annotated[int, Check("an even number", _is_even)] = 0
    pin: Annotated[str, Check("four digits", lambda value: str(value).isdigit(), secret=True)] = "0000"
    listed: Annotated[tuple[int, ...], Check("a number", lambda value: True, convert=lambda value: (value,))] = ()

    def __attrs_post_init__(self) -> None:
        if self.doors > 1 and not self.rooms:
            raise ConfigurationError("doors: found several, expected rooms behind them")


def wrong(table: Mapping[str, Any], model: type[Any] = House) -> list[str]:
    """Each line that is said of a table, whatever ends a line."""
    with pytest.raises(ConfigurationError) as caught:
        structure(table, model)
    return str(caught.value).splitlines()


def test_a_table_becomes_an_instance_and_what_isn_t_given_has_its_default() -> None:
    made = structure({"name": "x", "rooms": ["hall"], "keys": {"front": "a.key"}, "listed": 7}, House)
    assert made == House(name="x", rooms=("hall",), keys={"front": "a.key"}, listed=(7,))


def test_everything_that_is_wrong_is_told_at_once_each_with_its_key() -> None:
    table = {"doors": True, "rooms": ["hall", 3], "keys": {"front door": ""}, "rest": "1", "even": 3, "colour": "red"}
    known = "doors, even, keys, listed, name, pin, rest, rooms"
    assert wrong(table) == [
        f"colour: found an unknown key, expected one of: {known}",
        "doors: found true, expected a whole number above 0",
        "even: found 3, expected an even number",
        'keys."front door": found "", expected the name of a file',
        "name: missing, expected text of 1 to 255 bytes",
        'rest: found "1", expected a number of seconds above 0',
        "rooms[1]: found 3, expected text",
    ]


def test_a_check_may_say_more_than_what_it_expects() -> None:
    assert wrong({"name": "x", "even": 13}) == ["even: found 13, which brings bad luck"]


def test_a_secret_is_not_shown() -> None:
    assert wrong({"name": "x", "pin": "my secret"}) == ["pin: found text (not shown), expected four digits"]


def test_what_doesn_t_fit_together_is_told_with_the_rest() -> None:
    assert wrong({"doors": 2, "even": 1}) == [
        "doors: found several, expected rooms behind them",
        "even: found 1, expected an even number",
        "name: missing, expected text of 1 to 255 bytes",
    ]


def test_what_only_follows_is_not_told() -> None:
    @frozen
    class Either:
        left: str = ""
        right: str = ""

        def __attrs_post_init__(self) -> None:
            if self.left == "lost":
                raise ConfigurationError("left: found it lost")
            if not self.left and not self.right:
                raise ConfigurationError("right: expected one of left and right")

    assert wrong({"left": "lost"}, Either) == ["left: found it lost"]


def test_without_settings_every_key_is_one_too_many() -> None:
    assert structure({}, NoSettings) == NoSettings()
    assert wrong({"a": 1}, NoSettings) == ["a: found an unknown key, expected none"]


def test_an_instance_made_by_hand_is_held_against_the_same_checks() -> None:
    hold(House(name="x"))
    with pytest.raises(ConfigurationError, match=r"^doors: found 0, expected a whole number above 0$"):
        hold(House(name="x", doors=0))


def test_a_reason_stays_on_one_line() -> None:
    for endpoint in ("\n", "\x85", "tcp:\u2028x"):
        for key in ("endpoint", "dial"):
            (line,) = (one for one in wrong({key: endpoint}, AsteriskSettings) if one.startswith(f"{key}: "))
            assert line.isprintable()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DECLARED = [
    (plugin.name, declared)
    for interface in INTERFACES
    for plugin in plugins(interface)
    for declared in (plugin.settings, getattr(plugin, "service_settings", NoSettings))
]


@pytest.mark.parametrize("model", {declared: name for name, declared in DECLARED})
@given(data=st.data())
def test_whatever_stands_in_a_table_a_plugin_gets_settings_or_the_file_gets_an_error(
    model: type[Any], data: st.DataObject
) -> None:
    known = st.sampled_from([one.name for one in model.__attrs_attrs__] or ["none"])
    table = data.draw(st.dictionaries(known | st.text(max_size=8), anything, max_size=4))
    try:
        made = structure(table, model)
    except ConfigurationError as error:
        assert all(": " in line for line in str(error).splitlines()), str(error)
    else:
        assert isinstance(made, model)


def holds_secrets(type_: Any) -> bool:
    """Whether a value of this type, or one inside it, isn't to be shown."""
    check = check_of(type_)
    return (check is not None and check.secret) or any(map(holds_secrets, get_args(type_)))


SECRET = [
    (declared, one.name)
    for declared in dict.fromkeys((*(declared for _, declared in DECLARED), IdentitySettings, House))
    for one in declared.__attrs_attrs__
    if holds_secrets(get_type_hints(declared, include_extras=True)[one.name])
]
hidden = st.sampled_from(("HUNTER2", 4711, 4711.5, date(4711, 5, 27), datetime(4711, 5, 27), time(4, 7, 11, 4711)))
written = st.recursive(
    hidden,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(("a", "HUNTER2")), inner, max_size=2),
    max_leaves=4,
)


def test_some_settings_are_secret() -> None:
    assert {name for _, name in SECRET} >= {"secret", "secret_hash", "map", "constants", "pin"}


@given(place=st.sampled_from(SECRET), value=written | st.dictionaries(st.just("a"), written, max_size=1))
@settings(max_examples=examples(300))
def test_what_may_be_secret_is_in_no_error_whatever_was_written_in_its_place(
    place: tuple[type[Any], str], value: Any
) -> None:
    model, name = place
    if isinstance(value, dict):
        value.pop("HUNTER2", None)  # the keys of these tables are the names of fields
    _, wrong = structure_good_part({name: value}, model)
    for line in wrong:
        assert "HUNTER2" not in line and "4711" not in line and "04:07" not in line, line
