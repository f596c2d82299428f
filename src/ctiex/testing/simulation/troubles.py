"""What may befall the changes of a store, as far as chance has it."""

from __future__ import annotations

from attrs import frozen


@frozen
class Troubles:
    """How likely what befalls each single change, from 0 to 1."""

    refused: float = 0.0
    """The store raises when it is asked to keep it."""
    failed: float = 0.0
    """Its group isn't written."""
    slow: float = 0.0
    """Its group takes seconds."""
    slowest: float = 12.0
    """How many at most: more than some who wait have patience for."""


WELL = Troubles()
