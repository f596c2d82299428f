"""How much comes in: on one link held against a rate, in windows of a second, and what its party has left of its turn.

A few integers, changed directly by the code that handles frames, without a call for each.
"""

from __future__ import annotations

from math import inf
from sys import maxsize

from attrs import define, field

from ctiex.limits import SessionLimits

FRAME = 16
"""What handling a frame costs, in pieces of work; one that is answered on the fast path costs 1."""
BYTES_SHIFT = 7
"""What is read costs a piece of work for each 128 bytes (two to the power of this)."""
_WINDOW = 1.0
"""How long a window is, in seconds."""


@define(eq=False)
class Work:
    """What may be handled now, of one link or of many that have it together (:mod:`ctiex.links.turns`)."""

    left: int = field(default=maxsize, init=False)
    """Pieces of work that may still be done in this turn; none, or less, once it is used up."""


@define
class Traffic:
    """The frames and bytes of one window, which begins with the first bytes behind the one before.

    So no window has more than the limits, and no second, wherever it begins, more than twice as much.
    """

    limits: SessionLimits
    frames: int = 0
    """The frames handled in the window, counted by the code that handles them, without a call for each."""
    bytes: int = 0
    began: float = -inf
    ends: float = -inf
    """The window's, in clock seconds."""

    def took(self, size: int, now: float) -> None:
        """So many bytes have come at ``now`` (clock seconds)."""
        # Below as well: after a clock was put back the window must not last until it has caught up.
        if not self.began <= now < self.ends:
            self.began, self.ends, self.frames, self.bytes = now, now + _WINDOW, 0, 0
        self.bytes += size

    @property
    def flood(self) -> str | None:
        """Why the link is to be cut off, in words; None while it isn't."""
        if self.bytes > self.limits.bytes_per_second:
            return f"more than {self.limits.bytes_per_second} bytes in a second"
        if self.frames > 2 * self.limits.frames_per_second:
            return f"more than twice {self.limits.frames_per_second} frames in a second"
        return None
