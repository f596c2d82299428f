"""What a configured value has to be, in words and as a test; the types that carry it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from attrs import fields, frozen

from ctiex.errors import ConfigurationError, CtiexError
from ctiex.visible import visible

_MAX_SHOWN = 60
MAX_SHORT_TEXT = 255
"""The longest ``text8`` of the wire format, in bytes of UTF-8."""
REST = {"rest": True}
"""Marks the attribute that takes every other key of its table, for a plugin."""


@frozen
class Check:
    """What a value has to be, in words and as a test. It stands in a type: ``Annotated[int, Check(...)]``."""

    expected: str
    accepts: Callable[[Any], bool]
    """It may raise a `ctiex.errors.CtiexError` that says more than ``expected`` does, and not what a secret is."""
    secret: bool = False
    """The value is not to be shown in an error."""
    stand_in: str | None = None
    """Replaces a missing value while the rest of the file is checked."""
    convert: Callable[[Any], Any] | None = None
    """What becomes of the value once it is accepted; None: it stays as it is."""

    def complaint(self, value: Any) -> str:
        """What is wrong with a value; empty if nothing is."""
        try:
            if self.accepts(value):
                return ""
        except CtiexError as error:
            return visible(str(error))
        return f"found {kind_of(value) if self.secret else shown(value)}, expected {self.expected}"


def shown(value: object) -> str:
    """A value of a TOML file for an error, not too long."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = visible(json.dumps(value, ensure_ascii=False)) if isinstance(value, (str, bool)) else str(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def kind_of(value: object) -> str:
    """What a value of a TOML file is, without showing it."""
    if isinstance(value, (Mapping, list, tuple)):
        return shown(value)
    words = {str: "text (not shown)", bool: "a boolean", int: "a number", float: "a number"}
    return words.get(type(value), f"a {type(value).__name__} (not shown)")


@frozen
class NoSettings:
    """The settings of a plugin that has none."""


def check_of(type_: Any) -> Check | None:
    """The check that a type carries."""
    if get_origin(type_) is not Annotated:
        return None
    return next((note for note in get_args(type_)[1:] if isinstance(note, Check)), None)


def hold(settings: Any) -> None:
    """Hold an instance against the checks of its attributes: for one that was made by hand, from no file.

    :raise ConfigurationError: with a line for each attribute that is wrong.
    """
    types = get_type_hints(type(settings), include_extras=True)
    wrong = []
    for attribute in fields(type(settings)):
        check = check_of(types[attribute.name])
        if check is not None and (complaint := check.complaint(getattr(settings, attribute.name))):
            wrong.append(f"{attribute.name}: {complaint}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def is_whole(value: object) -> bool:
    """Whether it is a whole number; a boolean isn't one."""
    return type(value) is int


def is_time(value: object) -> bool:
    """Whether it is a number of seconds that one can wait for."""
    return type(value) in (int, float) and math.isfinite(value) and value > 0  # type: ignore[arg-type,operator]


def is_short_text(value: object) -> bool:
    """Whether it is text of 1 to 255 bytes, as ``text8`` takes it."""
    return isinstance(value, str) and 1 <= len(value.encode(errors="replace")) <= MAX_SHORT_TEXT


def is_file_name(value: object) -> bool:
    """Whether a file may be called so."""
    return isinstance(value, str) and bool(value) and "\0" not in value


Seconds = Annotated[float, Check("a number of seconds above 0", is_time)]
Count = Annotated[int, Check("a whole number above 0", lambda value: is_whole(value) and value > 0)]
Text = Annotated[str, Check("text", lambda value: isinstance(value, str) and bool(value))]
ShortText = Annotated[str, Check("text of 1 to 255 bytes", is_short_text, stand_in="-")]
FileName = Annotated[str, Check("the name of a file", is_file_name)]
LEAST_END = 1_024
"""Any end that the exchange tells of by itself takes less, in bytes."""
EndLength = Annotated[
    int, Check(f"a whole number from {LEAST_END}", lambda value: is_whole(value) and value >= LEAST_END)
]
