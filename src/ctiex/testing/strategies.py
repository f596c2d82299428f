"""Hypothesis strategies for everything that travels: serials, texts, fields, messages, splits.

Each reaches the edges of its limits: the empty and the longest text, characters of one to four bytes,
the bounds of 64 bits, decimals in every way of writing them, the first and the last time, every role, known and
unknown conditions and statuses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ctiex import messages as m
from ctiex.codecs.layouts import LAYOUTS
from ctiex.codecs.shapes import BITS, Element, FieldList, Number, RecordList, Text, shape_of
from ctiex.errors import Status
from ctiex.field_values import LEAST_TIME, MOST_TIME, decimal_of, time_of
from ctiex.fields import MAX_NAME, Fields, Value, utf8_length
from ctiex.interfaces import Extensions
from ctiex.serials import MAX_DIGITS

AnyMessage = TypeVar("AnyMessage", bound=m.Message)

QUICK = settings(
    deadline=None,
    # The same property is meant to be run by several classes, one for each that keeps to a contract.
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
"""For the properties of a contract."""


def serials() -> SearchStrategy[str]:
    """1 to 20 digits, with leading zeros and without."""
    return st.text("0123456789", min_size=1, max_size=MAX_DIGITS) | st.sampled_from(
        ["0", "007", "7", "0" * MAX_DIGITS, "9" * MAX_DIGITS]
    )


def texts(most: int, least: int = 0) -> SearchStrategy[str]:
    """Text of so many bytes in UTF-8, short as a rule."""
    drawn = st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=min(most, 40))
    edges = [text for text in ("", "**", "\0", "\r\n", "é", "漢字", "\U0001f4de") if least <= utf8_length(text) <= most]
    return drawn.filter(lambda text: utf8_length(text) <= most) | st.sampled_from(edges)


def _longest(most: int) -> SearchStrategy[str]:
    """Texts that just fit, of characters of one and of several bytes."""
    return st.sampled_from(["x" * most, "é" * (most // 2) + "x" * (most % 2), "\U0001f4de" * (most // 4)])


def text8() -> SearchStrategy[str]:
    """Text of up to 255 bytes."""
    return texts(0xFF) | _longest(0xFF)


def text16() -> SearchStrategy[str]:
    """Text of up to 65,535 bytes; mostly short, as the longest alone fills the default frame."""
    return texts(0xFFFF) | _longest(1_000)


def unsigned(bits: int) -> SearchStrategy[int]:
    """Integers of so many bits, both bounds among them."""
    return st.integers(0, 2**bits - 1) | st.sampled_from([0, 1, 2**bits - 1])


def field_names() -> SearchStrategy[str]:
    """Names of 1 to 64 bytes."""
    return texts(MAX_NAME, least=1) | _longest(MAX_NAME)


def values() -> SearchStrategy[Value]:
    """A value of any type that a field may have."""
    integers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**63 - 1, -1, 0, 1])
    data = st.binary(max_size=40) | st.sampled_from([b"", b"\0", b"\xff" * 1_000])
    return st.one_of(text16(), integers, st.booleans(), data, decimals(), times())


def decimals() -> SearchStrategy[Decimal]:
    """Decimals as they may be written, also with zeros that Python would leave out."""
    written = st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", fullmatch=True)
    edges = ["0", "-0", "007.50", "12.500", "-0.000000000", "9" * 18 + "." + "9" * 9, "0.000000001"]
    return (written | st.sampled_from(edges)).map(decimal_of)


def times() -> SearchStrategy[datetime]:
    """Times of the years 1 to 9999, to the millisecond."""
    edges = st.sampled_from([LEAST_TIME, LEAST_TIME + 1, -1, 0, 1, MOST_TIME - 1, MOST_TIME])
    return (st.integers(LEAST_TIME, MOST_TIME) | edges).map(time_of)


def extensions() -> SearchStrategy[Extensions]:
    """What may stand behind any body: types for private use and others, the same one several times, long values."""
    values = st.binary(max_size=20) | st.sampled_from([b"", b"\xff" * 1_000])
    return st.lists(st.tuples(unsigned(16) | st.sampled_from([0x8000, 0x8001]), values), max_size=4)


def fields() -> SearchStrategy[Fields]:
    """Channel associated data of up to a few fields."""
    return st.dictionaries(field_names(), values(), max_size=5).map(Fields)


def invoke_ids() -> SearchStrategy[int]:
    """Every invoke id, 0 among them."""
    return unsigned(32)


def statuses() -> SearchStrategy[int]:
    """Statuses that there are, and others that a later version might bring."""
    return st.sampled_from(list(Status)) | unsigned(16)


def messages_of(message: type[AnyMessage]) -> SearchStrategy[AnyMessage]:
    """Any message of this class that the wire can carry."""
    strategy: SearchStrategy[AnyMessage] = _messages_of(m.KIND_OF[cast(type[m.Message], message)])
    return strategy


@cache  # A strategy is prepared when it is first drawn from, and that takes longer than many a draw.
def _messages_of(kind: int) -> SearchStrategy[Any]:
    message = m.KINDS[kind]
    return st.builds(message, **{element.name: _part(element) for element in shape_of(LAYOUTS[message])})


def messages() -> SearchStrategy[m.Message]:
    """Any message of any class."""
    return st.sampled_from(list(m.KIND_OF)).flatmap(messages_of)


def _part(element: Element) -> SearchStrategy[Any]:
    match element:
        case Number():
            return _numbers(element)
        case Text():
            return _text_of(element)
        case FieldList():
            return fields()
        case RecordList():
            return _records(element)


def _records(element: RecordList) -> SearchStrategy[tuple[Any, ...]]:
    parts = {inner.name: _part(inner) for inner in element.elements}
    return st.lists(st.builds(element.record, **parts), max_size=3).map(tuple)


def _numbers(element: Number) -> SearchStrategy[Any]:
    if element.members is not None:
        return st.sampled_from(list(element.members.values()))
    return statuses() if element.name == "status" else unsigned(BITS[element.code])


def _text_of(element: Text) -> SearchStrategy[str]:
    if element.digits:
        return serials() if element.least else serials() | st.just("")
    if element.bounded:
        return texts(element.greatest, element.least) | _longest(element.greatest)
    return text8() if element.greatest == 0xFF else text16()


@st.composite
def splits(draw: Callable[[SearchStrategy[Any]], Any], data: bytes) -> list[bytes]:
    """The same bytes in chunks: all at once, one by one, or cut anywhere; empty chunks too."""
    how = draw(st.sampled_from(["whole", "single", "cut"]))
    if how == "whole" or not data:
        return [data]
    if how == "single":
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
