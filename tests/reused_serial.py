"""A serial that is used a second time, and the results of its two calls."""

from __future__ import annotations

from ctiex.fields import Fields

SERIAL = "4711"
OLD, NEW = Fields({"valid": True}), Fields({"valid": False})
