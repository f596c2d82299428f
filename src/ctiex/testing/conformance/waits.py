"""How the kit waits for what a client does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import TimeoutError

from ctiex.links.waiters import Waiters

_Found = TypeVar("_Found")


@frozen
class Patience:
    """How long the kit waits, in seconds."""

    acts: float = 60.0
    """Until the client does what it is waited for."""
    settles: float = 2.0
    """Until it is believed that the client does nothing more."""


class Late(Exception):
    """It didn't come about in time."""


class PatientWaits:
    """Looks again at what is waited for, each time that something has happened."""

    def __init__(self, clock: Any, patience: Patience) -> None:
        self.clock = clock
        self.patience = patience
        self._changes: Waiters[None] = Waiters()

    def something_happened(self) -> None:
        """Look at everything that is waited for."""
        self._changes.fire(None)

    async def until(self, reached: Callable[[], _Found | None], seconds: float) -> _Found:
        """What is found, as soon as it is there.

        :raise Late: it isn't there in time.
        """
        deadline = self.clock.seconds() + seconds
        while not (found := reached()):
            left = deadline - self.clock.seconds()
            if left <= 0:
                raise Late
            try:
                await self._changes.add().addTimeout(left, self.clock)
            except TimeoutError:
                raise Late from None
        return found

    async def settle(self) -> None:
        """Wait until it is believed that the client does nothing more."""
        with suppress(Late):
            await self.until(lambda: None, self.patience.settles)

    async def might(self, reached: Callable[[], _Found | None]) -> _Found | None:
        """Something that a client may do or leave; None where it doesn't."""
        try:
            return await self.until(reached, self.patience.acts)
        except Late:
            return None
