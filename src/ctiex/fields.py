"""Channel associated data: typed, named fields, and what keeps them secret.

A :class:`Fields` is an ordered, immutable mapping. The Python type of a value is
its type on the wire: ``str`` text, ``bool`` boolean, ``int`` integer (64 bits,
signed), ``bytes`` bytes, ``Decimal`` decimal, ``datetime`` time (to the millisecond).
Its ``repr`` never shows a value.
"""

from __future__ import annotations

from collections.abc import Collection, ItemsView, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, final

from ctiex.errors import FieldError
from ctiex.field_values import decimal_text, time_text, whole_milliseconds
from ctiex.visible import visible

Value = str | int | bool | bytes | Decimal | datetime

MAX_NAME = 64
"""The longest name, in bytes of UTF-8."""
MAX_VALUE = 0xFFFF
"""The longest text or bytes value, in bytes."""
MAX_COUNT = 0xFFFF
"""The most fields of one message."""
INTEGER_RANGE = range(-(2**63), 2**63)

MASK = "***"
"""What stands in place of a secret value."""


@final
class Fields(Mapping[str, Value]):
    """Named, typed values that travel beside a call (the seed's channel associated data).

    :raise FieldError: a name or a value breaks a limit, or a name comes twice.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        given = list(values.items() if isinstance(values, Mapping) else values)
        pairs = [(name, check_field(name, value)) for name, value in given]
        self._values: dict[str, Value] = dict(pairs)
        if len(self._values) != len(pairs):
            raise FieldError("a duplicate field name")
        if len(pairs) > MAX_COUNT:
            raise FieldError(f"{len(pairs)} fields: at most {MAX_COUNT} are allowed")

    @classmethod
    def trusted(cls, values: dict[str, Value]) -> Fields:
        """Wrap a dictionary whose names and values have been checked already."""
        made = object.__new__(cls)
        made._values = values
        return made

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[str, Value]:
        """Names and values, in order."""
        return self._values.items()

    def _typed(self) -> frozenset[tuple[str, type, Value]]:
        return frozenset((name, *_typed(value)) for name, value in self._values.items())

    def __eq__(self, other: object) -> bool:
        """Same names with values of the same type, decimals as they are written; the order doesn't matter."""
        if not isinstance(other, Fields):
            return NotImplemented
        return self._values == other._values and self._typed() == other._typed()

    def __hash__(self) -> int:
        return hash(self._typed())

    def __repr__(self) -> str:
        """Names, types and sizes only: a repr may end in any log."""
        shown = ", ".join(f"{name}={_shape(value)}" for name, value in self._values.items())
        return f"Fields({shown})"

    def describe(self, secret: Collection[str] = ()) -> str:
        """``name=value`` for people, in one line; the fields named in ``secret`` masked."""
        return ", ".join(
            f"{visible(name)}={MASK if name in secret else _shown(value)}" for name, value in self._values.items()
        )

    def text(self, name: str, default: str = "") -> str:
        """The text of a field; ``default`` where it is missing or is no text."""
        value = self._values.get(name, default)
        return value if isinstance(value, str) else default

    def integer(self, name: str, default: int = 0) -> int:
        """The integer of a field; ``default`` where it is missing or is no integer."""
        value = self._values.get(name, default)
        return value if type(value) is int else default


def check_field(name: str, value: Any) -> Value:
    """The value of one field as it travels: a time without what is finer than a millisecond.

    :raise FieldError: the name or the value breaks a limit of the wire format.
    """
    if not isinstance(name, str):
        raise FieldError(f"a field name is a str, not {type(name).__name__}")
    if not 1 <= utf8_length(name) <= MAX_NAME:
        raise FieldError(f"field name of {utf8_length(name)} bytes: 1 to {MAX_NAME} are allowed")
    match value:
        case int():
            if not INTEGER_RANGE.start <= value < INTEGER_RANGE.stop:  # "in" would count through it for an IntEnum
                raise FieldError(f"field {name!r}: the integer doesn't fit in 64 bits, signed")
        case str() | bytes():
            size = utf8_length(value) if isinstance(value, str) else len(value)
            if size > MAX_VALUE:
                raise FieldError(f"field {name!r}: {size} bytes, at most {MAX_VALUE} are allowed")
        case Decimal() | datetime():
            return _checked_by_its_text(name, value)
        case _:
            kinds = "text, an integer, a boolean, bytes, a decimal or a time"
            raise FieldError(f"field {name!r}: a {type(value).__name__} isn't {kinds}")
    kept: Value = value
    return kept


def _checked_by_its_text(name: str, value: Decimal | datetime) -> Value:
    try:
        if isinstance(value, datetime):
            return whole_milliseconds(value)
        decimal_text(value)
    except ValueError as error:
        raise FieldError(f"field {name!r}: {error}") from None
    return value


def _typed(value: Value) -> tuple[type, Value]:
    return (Decimal, decimal_text(value)) if isinstance(value, Decimal) else (type(value), value)


def utf8_length(text: str) -> int:
    """How many bytes the text takes in UTF-8.

    :raise FieldError: the text can't be encoded in UTF-8 (a lone surrogate).
    """
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise FieldError("text that can't be encoded in UTF-8") from None


def _shape(value: Value) -> str:
    match value:
        case str():
            return f"text[{len(value)}]"
        case bytes():
            return f"bytes[{len(value)}]"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal():
            return "decimal"
        case _:
            return "time"


def _shown(value: Value) -> str:
    match value:
        case bytes():
            return "0x" + value.hex()
        case bool():
            return "true" if value else "false"
        case Decimal():
            return decimal_text(value)
        case datetime():
            return time_text(value)
        case _:
            return value if isinstance(value, str) and value.isprintable() and value else repr(value)


EMPTY = Fields()
"""No fields at all."""
