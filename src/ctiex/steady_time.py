"""Time that doesn't step: what a process waits for comes when it should, whatever is done to the wall clock.

The rule: *waiting goes by the monotonic clock, what is stored goes by the wall clock.* A reactor whose time was made
steady gives both in one: its seconds are those of the wall clock when that was done, and run by the monotonic clock
from then on. A moment that is stored in them means the same to the process that reads it after a restart, as far as
the clock wasn't set meanwhile; a wait resumed from a store is never longer than it was when it began.
Times that people read, as in logs and the audit log, are the wall clock's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.python.runtime import seconds as steppable_seconds


def steady_seconds(
    wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], float]:
    """A clock of its own: seconds since the epoch by the wall clock as it is now, which never step."""
    offset = wall() - monotonic()
    return lambda: offset + monotonic()


def make_steady(reactor: Any) -> None:
    """Have a reactor wait by the monotonic clock; Twisted's own goes by the wall clock.

    Call it at the entry point of a process, before anything is to be waited for.
    """
    reactor.seconds = steady_seconds()


def may_step(reactor: Any) -> bool:
    """Whether the time of a reactor is the wall clock's."""
    return getattr(reactor, "seconds", None) is steppable_seconds
