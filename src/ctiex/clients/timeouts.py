"""Work that has to be done in time."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import TimeoutError, ensureDeferred

from ctiex.errors import RequestTimedOut


async def within(reactor: Any, seconds: float | None, work: Coroutine[Any, Any, Any]) -> Any:
    """What the work gives, if it gives it in time; it is cancelled otherwise.

    :param seconds: None waits as long as it takes.
    :raise RequestTimedOut: it took longer.
    """
    running = ensureDeferred(work)
    if seconds is None:
        return await running
    running.addTimeout(seconds, reactor)
    try:
        return await running
    except TimeoutError:
        raise RequestTimedOut(f"timed out after {seconds:g} s") from None
