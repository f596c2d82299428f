"""How tests wait: for what they are about, with a limit that only a fault meets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.task import deferLater

PATIENCE = 120.0
"""How long anything may take that only a fault keeps from coming, in seconds: no measure of speed."""
_LOOK = 0.02
"""Seconds between two looks at something that tells nobody when it changes: a port, a file, an output."""

_Found = TypeVar("_Found")


class Ending(Protocol):
    """A program, as far as a wait has to do with it."""

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""


def until(reached: Callable[[], _Found], told: Callable[[], object] = lambda: "", by: Ending | None = None) -> _Found:
    """Wait until something is so; gives what was found.

    :param told: what is said where it doesn't come about.
    :param by: the program that is to bring it about: where it has ended there is nothing more to wait for.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        code = by.poll() if by is not None else None
        if found := reached():
            return found
        assert code is None, f"it has ended with {code}:\n{told()}"
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s:\n{told()}"
        time.sleep(_LOOK)


async def eventually(reached: Callable[[], _Found], told: Callable[[], object] = lambda: "") -> _Found:
    """The same in the reactor's thread, which goes on with its work meanwhile."""
    from twisted.internet import reactor  # not before a test needs it

    deadline = time.monotonic() + PATIENCE
    while not (found := reached()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s:\n{told()}"
        await deferLater(reactor, _LOOK)
    return found
