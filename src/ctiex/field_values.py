"""Decimals and times as values of fields: how they are written, and how they are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
# Hours up to 23: later versions of Python take 24:00:00 for the next day.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
LEAST_TIME = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
MOST_TIME = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""The years 1 to 9999, in milliseconds since 1970-01-01 UTC."""


class WrittenDecimal(Decimal):
    """A decimal that came written in another way than Python writes it, such as ``007.50``."""

    __slots__ = ("written",)
    written: str


def decimal_of(text: str) -> Decimal:
    """The decimal of a text; :func:`decimal_text` gives that text again.

    :raise ValueError: it is none, or has more than 18 digits before the point, or more than 9 behind it.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError("a decimal has 1 to 18 digits, and maybe a point and 1 to 9 digits behind it")
    value = Decimal(text)
    if format(value, "f") == text:
        return value
    kept = WrittenDecimal(text)
    kept.written = text
    return kept


def decimal_text(value: Decimal) -> str:
    """A decimal as it travels, and as it was written if it came from there.

    :raise ValueError: it isn't finite, or has more digits than :func:`decimal_of` takes.
    """
    if isinstance(value, WrittenDecimal):
        return value.written
    text = format(value, "f")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("a decimal takes up to 18 digits before its point and 9 behind it")
    return text


def whole_milliseconds(value: datetime) -> datetime:
    """A time in UTC, without what is finer than a millisecond.

    :raise ValueError: it has no time zone, or lies outside the years 1 to 9999.
    """
    if value.tzinfo is None:
        raise ValueError("a time needs a time zone, such as datetime.UTC")
    return time_of(milliseconds(value))


def time_of(count: int) -> datetime:
    """The time so many milliseconds after 1970-01-01 UTC.

    :raise ValueError: it lies outside the years 1 to 9999.
    """
    if not LEAST_TIME <= count <= MOST_TIME:
        raise ValueError("a time lies in the years 1 to 9999")
    return _EPOCH + count * _MILLISECOND


def milliseconds(value: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC, of a time with a time zone."""
    return (value - _EPOCH) // _MILLISECOND


def time_text(value: datetime) -> str:
    """A time as JSON has it: ``2026-11-26T18:00:00.000Z``."""
    utc = value.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def time_of_text(text: str) -> datetime:
    """The time of such a text; the three digits behind the seconds may be missing.

    :raise ValueError: it is written otherwise, or no such time is there.
    """
    if not _TIME.fullmatch(text):
        raise ValueError("a time is written as 2026-11-26T18:00:00.000Z")
    return datetime.fromisoformat(text)
