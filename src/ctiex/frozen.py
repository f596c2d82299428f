"""Immutable values: the type checker enforces that, at no cost at run time.

An attrs class that is frozen at run time takes two to three times as long to make, and a hand-off makes dozens of
messages and records. ``tests/typed_values.py`` holds that assigning to one is an error of the type checker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

if TYPE_CHECKING:
    from attrs import frozen as frozen
else:
    _Value = TypeVar("_Value")

    def frozen(cls: type[_Value]) -> type[_Value]:
        """Make an attrs class of values: slots, equality and a hash by their attributes."""
        return attrs.define(cls, unsafe_hash=True)
