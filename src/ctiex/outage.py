"""Tells of what stops working once, and once more when it works again, however often it is asked for meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field


@define
class Outage:
    """Whether something works, as far as was seen last; who made it hears of each change and of nothing else."""

    began: Callable[[str], None]
    """Hears why it stopped working."""
    ended: Callable[[int], None]
    """Hears, once it works again, how often it failed."""
    failures: int = field(default=0, init=False)
    """How often it failed since it worked; 0 while it works."""

    @property
    def lasts(self) -> bool:
        """Whether it doesn't work."""
        return self.failures > 0

    def failed(self, reason: str) -> None:
        """It didn't work."""
        self.failures += 1
        if self.failures == 1:
            self.began(reason)

    def worked(self) -> None:
        """It worked."""
        failures, self.failures = self.failures, 0
        if failures:
            self.ended(failures)
