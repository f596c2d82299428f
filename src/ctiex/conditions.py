"""How a call fares, as events and reports say it: the conditions of the wire."""

from __future__ import annotations

from enum import IntEnum


class Condition(IntEnum):
    """How a call fares: 0 to 3 come from the service, the others from the exchange.

    Any other number of one byte is one too, for a reader: progress below 0x80, and final from there on.
    """

    PROGRESS = 0
    COMPLETED = 1
    FAILED = 2
    ABANDONED = 3
    CONNECTING = 10
    CONNECTED = 11
    DATA_FETCHED = 12
    RETURNED = 13
    UNREACHABLE = 14
    TIMED_OUT = 15
    CANCELLED = 16

    @classmethod
    def _missing_(cls, value: object) -> Condition | None:
        if type(value) is not int or not 0 <= value <= 0xFF:
            return None
        if value not in _UNKNOWN_CONDITIONS:  # one of each number, as of those that are known
            unknown = _UNKNOWN_CONDITIONS[value] = int.__new__(cls, value)
            unknown._name_, unknown._value_ = f"CONDITION_{value}", value
        return _UNKNOWN_CONDITIONS[value]

    @property
    def final(self) -> bool:
        """Whether the service's part of the call ends with it."""
        return self in FINAL_CONDITIONS or self >= _FINAL_FROM

    @property
    def text(self) -> str:
        """The condition in words, for people."""
        return self.name.lower().replace("_", " ")


_UNKNOWN_CONDITIONS: dict[int, Condition] = {}
_FINAL_FROM = 0x80
"""Conditions that a reader doesn't know are final from this one on."""
SERVICE_CONDITIONS = frozenset({Condition.PROGRESS, Condition.COMPLETED, Condition.FAILED, Condition.ABANDONED})
FINAL_CONDITIONS = frozenset(
    {
        Condition.COMPLETED,
        Condition.FAILED,
        Condition.ABANDONED,
        Condition.UNREACHABLE,
        Condition.TIMED_OUT,
        Condition.CANCELLED,
    }
)
