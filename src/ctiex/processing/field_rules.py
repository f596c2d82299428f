"""Puts fields into the other side's vocabulary by the rules of the configuration [0051, 0053]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from attrs import field, frozen
from zope.interface import implementer

from ctiex.errors import ConfigurationError, FieldError
from ctiex.field_values import decimal_text, time_text
from ctiex.fields import MAX_COUNT, Fields, Value, check_field
from ctiex.interfaces import IOrganizer
from ctiex.settings import Check

EVERY_FIELD = "*"
"""Alone in ``keep``: everything passes, on purpose."""


def _is_name(name: object) -> bool:
    check_field(name, "")  # type: ignore[arg-type]
    return True


def _is_value(value: Value) -> bool:
    try:
        check_field("any", value)
    except FieldError as error:
        raise FieldError(str(error).removeprefix("field 'any': ")) from None
    return True


def _is_constant(value: Value) -> bool:
    return isinstance(value, (str, int)) and _is_value(value)


Name = Annotated[str, Check("the name of a field", _is_name)]
Text = Annotated[str, Check("text", lambda value: isinstance(value, str) and _is_value(value), secret=True)]
Form = Annotated[str, Check("a value in its text form", lambda value: isinstance(value, str), secret=True)]
Constant = Annotated[Value, Check("text, an integer or a boolean", _is_constant, secret=True)]


@frozen(kw_only=True)
class RuleSettings:
    """``[services.NAME.request]`` and ``.result``; with none of its keys, every field passes as it is."""

    keep: tuple[Name, ...] = (EVERY_FIELD,)
    """The source names that may pass."""
    map: Mapping[Name, Mapping[Form, Text]] = field(factory=dict, repr=False)
    """Source name to the new text for each value in its text form: ``3``, ``true``, ``false``, ``12.50``."""
    rename: Mapping[Name, Name] = field(factory=dict)
    """Source name to target name. A rename onto a field that would pass under that name replaces it."""
    constants: Mapping[Name, Constant] = field(factory=dict, repr=False)
    secret: tuple[Name, ...] = ()
    """Secret fields. Each name covers the field before and after a rename, whichever of the two is given."""

    def __attrs_post_init__(self) -> None:
        wrong = list(self._wrong_together())
        if wrong:
            raise ConfigurationError("\n".join(wrong))

    def _wrong_together(self) -> Iterator[str]:
        if EVERY_FIELD in self.keep and len(self.keep) > 1:
            yield f'keep: found "{EVERY_FIELD}" beside names of fields, expected it alone'
        taken: dict[str, str] = {}
        for old, new in self.rename.items():
            if new in taken:
                yield f"rename: {taken[new]!r} and {old!r} both become {new!r}, expected one"
            taken[new] = old


_EVERYTHING_PASSES = RuleSettings()


@implementer(IOrganizer)
class RuleOrganizer:
    """Keeps, maps, renames and adds fields, in this order; constants win."""

    def __init__(self, rules: RuleSettings = _EVERYTHING_PASSES) -> None:
        self._rules = rules
        self._kept = None if EVERY_FIELD in rules.keep else frozenset(rules.keep)
        """The source names that may pass; None lets all pass."""
        self._idle = self._kept is None and not (rules.map or rules.rename or rules.constants)
        self.secret = _before_and_after(frozenset(rules.secret), rules.rename)

    def organize(self, fields: Fields) -> Fields:
        """The fields by the rules; the very same object where no rule could change anything.

        :raise FieldError: there would be more fields than one message may have.
        """
        if self._idle:
            return fields
        kept, renamed = self._kept, self._rules.rename
        passed: dict[str, Value] = {}
        moved: dict[str, Value] = {}
        for name, value in fields.items():
            if kept is None or name in kept:
                target = renamed.get(name)
                (passed if target is None else moved)[target or name] = self._value(name, value)
        organized = {**passed, **moved, **self._rules.constants}
        if len(organized) > MAX_COUNT:
            raise FieldError(f"{len(organized)} fields after organizing: at most {MAX_COUNT} are allowed")
        return Fields.trusted(organized)

    def _value(self, name: str, value: Value) -> Value:
        table = self._rules.map.get(name)
        form = _text_form(value)
        return value if table is None or form is None else table.get(form, value)


def _text_form(value: Value) -> str | None:
    """How a ``map`` table names the value; None for bytes, which have no text form."""
    match value:
        case bytes():
            return None
        case bool():
            return "true" if value else "false"
        case Decimal():
            return decimal_text(value)
        case datetime():
            return time_text(value)
        case _:
            return str(value)


def _before_and_after(given: frozenset[str], renamed: Mapping[str, str]) -> frozenset[str]:
    return given.union(*(pair for pair in renamed.items() if given.intersection(pair)))
