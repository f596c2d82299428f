"""What a layout says, read off its construct objects, in a few plain records.

The derived codec, the JSON codec and the documentation all start from these. A
layout built from anything not known here is refused at import, so that no
declaration is ever half understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import construct
from attrs import evolve, frozen

from ctiex.codecs.layouts import Layout
from ctiex.codecs.wire_types import Between, Coded, Converted, Digits, FieldType, Listed, UniqueNames

BITS = {"B": 8, "H": 16, "L": 32, "Q": 64, "q": 64}
"""The width of each number that the wire format has, by its letter in ``struct``."""


@frozen
class Number:
    """A number of fixed width."""

    name: str
    code: str
    """Its letter in ``struct``."""
    members: Mapping[int, Any] | None = None
    """What it stands for; None where it is just a number."""


@frozen
class Text:
    """Text behind its length in bytes."""

    name: str
    code: str
    """The letter in ``struct`` of the length."""
    least: int
    greatest: int
    encoding: str
    digits: bool = False

    @property
    def bounded(self) -> bool:
        """Whether the length has bounds closer than those of its number."""
        return self.least > 0 or self.greatest < 2 ** BITS[self.code] - 1


@frozen
class FieldValue:
    """One type of value that a field may have."""

    inner: Number | Text | None
    """What stands behind its length; None: bytes as they are."""
    read: Callable[[Any], Any] | None = None
    """Makes the value of what stands there; None: it is the value."""
    write: Callable[[Any], Any] | None = None
    """The other way round."""


@frozen
class FieldList:
    """Channel associated data."""

    name: str
    count_code: str
    field_name: Text
    type_code: str
    size_code: str
    values: Mapping[FieldType, FieldValue]


@frozen
class RecordList:
    """Objects of one class behind their count."""

    name: str
    count_code: str
    record: type
    elements: tuple[Number | Text, ...]


Element = Number | Text | FieldList | RecordList


def shape_of(layout: Layout) -> tuple[Element, ...]:
    """The elements of a body, in order.

    :raise TypeError: the layout has something that isn't known here.
    """
    subcons: list[Any] = layout.subcons
    *named, last = subcons
    if last is not construct.Terminated:
        raise TypeError("a body has to end with Terminated")
    return tuple(_element(subcon.name, subcon.subcon) for subcon in named)


def number_codes(layout: Layout) -> str:
    """The format for ``struct`` of a layout that has nothing but numbers."""
    subcons: list[Any] = layout.subcons
    return ">" + "".join(_code(subcon.subcon) for subcon in subcons)


def _element(name: str, subcon: Any) -> Element:
    if isinstance(subcon, UniqueNames):
        return _field_list(name, subcon.subcon)
    if isinstance(subcon, construct.FocusedSeq):
        return _record_list(name, subcon)
    return _plain(name, subcon)


def _plain(name: str, subcon: Any) -> Number | Text:
    if isinstance(subcon, Digits):
        return evolve(_text(name, subcon.subcon), digits=True)
    if isinstance(subcon, construct.core.StringEncoded):
        return _text(name, subcon)
    return _number(name, subcon)


def _number(name: str, subcon: Any) -> Number:
    if isinstance(subcon, Coded):
        return Number(name, _code(subcon.subcon), subcon.members)
    return Number(name, _code(subcon))


def _code(subcon: Any) -> str:
    if not isinstance(subcon, construct.FormatField) or subcon.fmtstr[0] != ">" or subcon.fmtstr[1] not in BITS:
        raise TypeError(f"{subcon!r} isn't a supported big-endian number")
    return str(subcon.fmtstr[1])


def _text(name: str, subcon: Any) -> Text:
    prefixed = subcon.subcon
    if not isinstance(prefixed, construct.Prefixed) or prefixed.subcon is not construct.GreedyBytes:
        raise TypeError(f"{subcon!r} isn't a text after its length")
    length = prefixed.lengthfield
    if isinstance(length, Between):
        return Text(name, _code(length.subcon), length.least, length.greatest, subcon.encoding)
    code = _code(length)
    return Text(name, code, 0, 2 ** BITS[code] - 1, subcon.encoding)


def _record_list(name: str, array: Any) -> RecordList:
    count, items = array.subcons
    record = items.subcon.subcon
    if not isinstance(record, Listed):
        raise TypeError("a list of anything but fields is one of records")
    elements = tuple(_plain(subcon.name, subcon.subcon) for subcon in record.attributes)
    return RecordList(name, _code(count.subcon.subcon), record.record, elements)


def _utf8_text(name: str, subcon: Any) -> Text:
    """Text in fields: UTF-8 is what ``decode`` and ``encode`` do by default, and fastest."""
    text = _text(name, subcon)
    if text.encoding != "utf8":
        raise TypeError(f"text in fields is UTF-8, not {text.encoding}")
    return text


def _field_list(name: str, array: Any) -> FieldList:
    count, items = array.subcons
    named, kind, value = (subcon.subcon for subcon in items.subcon.subcon.subcons)
    cases = {FieldType(code): _value(case) for code, case in value.cases.items()}
    (size_code,) = {size for size, _ in cases.values()}
    if value.default is not construct.Error or set(kind.members) != set(cases):
        raise TypeError("each type of field needs its own case, and any other has to be an error")
    return FieldList(
        name,
        count_code=_code(count.subcon.subcon),
        field_name=_utf8_text("name", named),
        type_code=_code(kind.subcon),
        size_code=size_code,
        values={case: shape for case, (_, shape) in cases.items()},
    )


def _value(case: Any) -> tuple[str, FieldValue]:
    """The letter of the value's length, and what the value is made of."""
    if isinstance(case, Converted):
        size, plain = _value(case.subcon)
        return size, evolve(plain, read=case.read, write=case.write)
    if isinstance(case, construct.core.StringEncoded):
        text = _text("value", case)
        return text.code, FieldValue(text)
    size = _code(case.lengthfield)
    if case.subcon is construct.GreedyBytes:
        return size, FieldValue(None)
    inner, last = case.subcon.subcons
    if last is not construct.Terminated:
        raise TypeError("what stands inside a length prefix has to end with Terminated")
    whole = inner.subcon
    if isinstance(whole, Converted):
        return size, FieldValue(_number("value", whole.subcon), whole.read, whole.write)
    return size, FieldValue(_number("value", whole))
