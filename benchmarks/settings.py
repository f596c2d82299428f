"""What the parts are told: how much effort to make, and where."""

from __future__ import annotations

from pathlib import Path
from random import Random

from attrs import frozen

from benchmarks.shots import Effort


@frozen
class Settings:
    """One run of the benchmarks."""

    directory: Path
    """For the servers' files; on the disk that the durable store is measured on."""
    effort: Effort
    random: Random
    quick: bool
    """Everything small: the figures say that it works, and little more."""
    contenders: list[str]
    """Names of the servers to compare."""

    def pick(self, full: int, quick: int) -> int:
        """A number that depends on the effort."""
        return quick if self.quick else full
