"""What a configured value has to be, in words and as a test; the types that carry it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from attrs import frozen


@frozen
class Check:
    """What a value has to be, in words and as a test."""

    expected: str
    accepts: Callable[[Any], bool]
    secret: bool = False
    """The value is not to be shown in an error."""
    stand_in: str | None = None
    """Replaces a missing value while the rest of the file is checked."""


def is_whole(value: object) -> bool:
    """Whether it is a whole number; a boolean isn't one."""
    return type(value) is int


def is_time(value: object) -> bool:
    """Whether it is a number of seconds that one can wait for."""
    return type(value) in (int, float) and math.isfinite(value) and value > 0  # type: ignore[arg-type,operator]


Seconds = Annotated[float, Check("a number of seconds above 0", is_time)]
Count = Annotated[int, Check("a whole number above 0", lambda value: is_whole(value) and value > 0)]
LEAST_END = 1_024
"""Any end that the exchange tells of by itself takes less, in bytes."""
EndLength = Annotated[
    int, Check(f"a whole number from {LEAST_END}", lambda value: is_whole(value) and value >= LEAST_END)
]
