"""Which events of an agent number have come, and which of them may be acknowledged. No I/O here."""

from __future__ import annotations

from enum import Enum


class _Open(Enum):
    UNDER_WAY = "under way"
    FAILED = "failed"


class TakenEvents:
    """The events of one numbering. An acknowledgement is cumulative, so it ends before the first that isn't taken."""

    def __init__(self, last: int) -> None:
        """:param last: the last event that was taken before these."""
        self.arrived = last
        """The last event that has come."""
        self._open: dict[int, _Open] = {}
        """Those that have come and aren't taken; a failed one is taken up when it comes again."""

    def __len__(self) -> int:
        """How many have come and aren't taken."""
        return len(self._open)

    @property
    def last(self) -> int:
        """The last event up to which all are taken."""
        return min(self._open) - 1 if self._open else self.arrived

    def has_failed(self, sequence: int) -> bool:
        """Whether the application has failed to take this one."""
        return self._open.get(sequence) is _Open.FAILED

    def arrives(self, sequence: int) -> bool:
        """An event comes; False when it is a repeat of one that is taken already, or under way."""
        if sequence <= self.arrived and not self.has_failed(sequence):
            return False
        self.arrived = max(self.arrived, sequence)
        self._open[sequence] = _Open.UNDER_WAY
        return True

    def take(self, sequence: int) -> None:
        """The application has taken it."""
        self._open.pop(sequence, None)

    def fail(self, sequence: int) -> None:
        """The application has not taken it, and won't before it comes again."""
        if sequence in self._open:
            self._open[sequence] = _Open.FAILED

    def skips_to(self, sequence: int) -> tuple[int, int] | None:
        """Nothing comes any more between the last that has come and this one.

        Gives the first and last sequence of what is lost by that; None when nothing is.
        """
        if sequence <= self.arrived + 1:
            return None
        lost = self.arrived + 1, sequence - 1
        self.arrived = sequence - 1
        return lost

    def give_up_failed(self, first: int) -> list[int]:
        """The failed ones before ``first`` come no more; which they are."""
        lost = [sequence for sequence, state in self._open.items() if state is _Open.FAILED and sequence < first]
        for sequence in lost:
            del self._open[sequence]
        return sorted(lost)
