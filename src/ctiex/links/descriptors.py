"""The file descriptors of this process: how many there may be, and how many are reserved.

Each connection takes one, and so does each file. A process without any left can't reopen its audit log or its store's
files, and no client can connect. So some are reserved for the process itself: a connection that would take one of
those is closed at once, at any port. And since one party could take all the others, each may have a part of them at
most.
"""

from __future__ import annotations

import os
import resource

from attrs import frozen
from twisted.logger import Logger

_log = Logger()

_KEPT_BACK = 256
"""How many are reserved for the process itself: its files, its own connections, connections being closed."""
_PART_KEPT_BACK = 4
"""Where there are few, no more than one of so many."""
_ENDLESS = 1 << 30
_PART_OF_ONE = 2
"""One identity, one source, and all links that aren't bound, take no more than one of so many of the others."""


@frozen
class Descriptors:
    """How many there may be."""

    most: int = _ENDLESS

    @classmethod
    def of_this_process(cls) -> Descriptors:
        """As the process is allowed now."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(_ENDLESS if soft == resource.RLIM_INFINITY else soft)

    @property
    def for_connections(self) -> int:
        """How many connections may take, with whatever else is open."""
        return self.most - min(_KEPT_BACK, self.most // _PART_KEPT_BACK)

    def of_one(self, configured: int) -> int:
        """How many one party may take where it is configured that it may take so many."""
        return min(configured, self.for_connections // _PART_OF_ONE)

    def short(self) -> bool:
        """Whether the reserved ones are in use, so that no more connections may be accepted.

        The lowest free number is given out, so it shows how many are open at least, wherever they were opened.
        """
        try:
            first, second = os.pipe()
        except OSError:
            return True
        os.close(first)
        os.close(second)
        return first >= self.for_connections


def allow_all() -> None:
    """Raise the soft limit of this process, which is one for programs that know no better, to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            _log.warn("the limit of {soft} open files can't be raised: {reason}", soft=soft, reason=str(error))
