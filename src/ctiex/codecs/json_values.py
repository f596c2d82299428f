"""The values of attributes and fields in JSON: read, and written."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from operator import index
from typing import Any

from ctiex.codecs.json_lines import integer_of
from ctiex.codecs.shapes import Element, FieldList, Number, RecordList, Text
from ctiex.field_values import decimal_of, decimal_text, time_of_text, time_text
from ctiex.fields import Fields, Value

_MOST_NUMBER = 2**53 - 1
"""JavaScript rounds numbers that are greater: they are written as text."""

# ---------------------------------------------------------------- reading


def reader_of(element: Element) -> Callable[[Any], Any]:
    """Reads an attribute.

    The reader raises TypeError, ValueError or LookupError where the value isn't one.
    """
    match element:
        case Text():
            return read_text
        case Number(members=None):
            return integer_of
        case Number(members=members):
            assert members is not None, "a number that stands for nothing is the case before"
            return lambda value: members[integer_of(value)]
        case FieldList():
            return _read_fields
        case RecordList():
            return _record_reader(element)


def _record_reader(shape: RecordList) -> Callable[[Any], tuple[Any, ...]]:
    readers = {element.name: reader_of(element) for element in shape.elements}

    def read(value: Any) -> Any:
        if type(value) is not dict or value.keys() != readers.keys():
            raise TypeError
        return shape.record(**{name: reader(value[name]) for name, reader in readers.items()})

    def read_all(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise TypeError
        return tuple(map(read, value))

    return read_all


def read_text(value: Any) -> str:
    """Text.

    :raise TypeError: it is none.
    """
    if type(value) is not str:
        raise TypeError
    return value


def _read_fields(value: Any) -> Fields:
    if type(value) is not dict:
        raise TypeError
    return Fields.trusted({name: _read_value(item) for name, item in value.items()})


def _read_value(value: Any) -> Value:
    match value:
        case str() | bool() | int():
            return value
        case dict() if len(value) == 1:
            ((key, text),) = value.items()
            return _VALUES[key](read_text(text))
    raise TypeError


def bytes_of(text: str) -> bytes:
    """Bytes as base64 has them, in the one way of writing them: what Python would let pass beside it is refused.

    :raise ValueError: they are written otherwise.
    """
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text:
        raise ValueError("base64 with more padding, or other last bits, than its bytes need")
    return data


_VALUES: dict[str, Callable[[str], Value]] = {
    "int": integer_of,
    "bytes": bytes_of,
    "decimal": decimal_of,
    "time": time_of_text,
}
"""By the only key of its object: a value that JSON has no type for."""

# ---------------------------------------------------------------- writing


def to_json(element: Element, value: Any) -> Any:
    """An attribute as JSON has it."""
    match element:
        case Number():
            return _number(index(value))
        case FieldList():
            return {name: value_to_json(item) for name, item in value.items()}
        case RecordList():
            return [{one.name: to_json(one, getattr(record, one.name)) for one in element.elements} for record in value]
        case Text():
            return value


def _number(value: int) -> int | str:
    return value if -_MOST_NUMBER <= value <= _MOST_NUMBER else str(value)


def value_to_json(value: Value) -> Any:
    """A value of a field as JSON has it."""
    match value:
        case bool() | str():
            return value
        case int():
            number = _number(index(value))
            return number if isinstance(number, int) else {"int": number}
        case bytes():
            return {"bytes": b64encode(value).decode()}
        case Decimal():
            return {"decimal": decimal_text(value)}
        case datetime():
            return {"time": time_text(value)}
