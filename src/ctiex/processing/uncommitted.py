"""What has happened to calls and isn't committed yet: applied again until it is, since it can't be undone."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from ctiex.processing.commits import Commits
from ctiex.records import Call

Tell = Callable[[], None]

Act = Callable[[Call, Callable[[], None]], None]
"""Takes what happened to a call as it is now; the second argument is called when the store doesn't keep it."""


class SignallingEvent(Enum):
    """What may have happened to a call; the last one of a kind replaces those before."""

    SIGNALLED = auto()
    """It is to be signalled."""
    OFFERED = auto()
    """A driver has a session to offer it to."""
    REFUSED = auto()
    ACCEPTED = auto()
    FETCHED = auto()
    RETURNED = auto()
    ENDED = auto()
    MAY_BE_TOLD = auto()
    """A session is bound that may hear what its service is to be told of it."""
    TOLD = auto()
    """A session has answered what it was told of it, or its link has ended."""

    @property
    def wanted(self) -> bool:
        """Whether it was only about to happen: when the time for it is over, it doesn't."""
        return self in (SignallingEvent.SIGNALLED, SignallingEvent.OFFERED)

    @property
    def of_notices(self) -> bool:
        """Whether it is about what the service is told of the call, and not the call itself."""
        return self in (SignallingEvent.MAY_BE_TOLD, SignallingEvent.TOLD)


class Uncommitted:
    """Remembers by serial what is to be told again, in the order in which it happened."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._of: dict[str, dict[SignallingEvent, Tell]] = {}

    def __contains__(self, serial: str) -> bool:
        return serial in self._of

    def __len__(self) -> int:
        return len(self._of)

    def has(self, serial: str, what: SignallingEvent) -> bool:
        """Whether this is to be told again of a call."""
        return what in self._of.get(serial, ())

    def put(self, serial: str, what: SignallingEvent, tell: Tell) -> None:
        """Remember something until :meth:`take` or :meth:`pop`."""
        self._of.setdefault(serial, {})[what] = tell

    def put_until_well(self, serial: str, what: SignallingEvent, tell: Tell) -> None:
        """Remember something that the store didn't take, until it takes changes again."""
        self.put(serial, what, tell)
        self._commits.again(serial, lambda: self.take(serial))

    def take(self, serial: str) -> None:
        """Tell everything about a call again."""
        for tell in self.pop(serial):
            tell()

    def pop(self, serial: str) -> list[Tell]:
        """Forget what is to be told of a call; returns it."""
        return list(self._of.pop(serial, {}).values())

    def drop_wanted(self, serial: str) -> None:
        """Forget what was only about to happen to a call, unless more has come of it."""
        events = self._of.get(serial, {})
        if all(what.wanted or what.of_notices for what in events):
            for what in [what for what in events if what.wanted]:
                del events[what]
            if not events:
                self.pop(serial)
