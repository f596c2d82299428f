"""Journals that keep what they are given in a list, which outlives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ctiex.errors import StoreUnavailable
from ctiex.interfaces import IJournal
from ctiex.records import Call, Change, StoreSnapshot
from ctiex.stores.index import CallIndex

Kept = list[Change]


def snapshot_of(changes: Sequence[Change]) -> StoreSnapshot:
    """What these changes come to."""
    index = CallIndex()
    for change in changes:
        index.apply(change)
    names = {name for change in changes for name, _ in change.metadata}
    return StoreSnapshot(
        tuple(index.calls()),
        {agent: index.last_sequence(agent) for agent in index.agents()},
        tuple(event for agent in index.agents() for event in index.events(agent)),
        {name: value for name in names if (value := index.metadata(name)) is not None},
    )


@implementer(IJournal)
class ListJournal:
    """Keeps each change at once."""

    in_groups = False

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept: Kept = [] if kept is None else kept
        self.full = False
        self.closed = 0

    def open(self, reactor: Any) -> StoreSnapshot:
        """What was kept."""
        return snapshot_of(self.kept)

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        """Keep them, unless it is full."""
        if self.full:
            raise StoreUnavailable("full")
        self.kept += changes
        return None

    def close(self) -> Deferred[None] | None:
        """What was kept stays."""
        self.closed += 1
        return None


class ListJournalOfGroups(ListJournal):
    """Keeps a group when the test says so."""

    in_groups = True

    def __init__(self, kept: Kept | None = None) -> None:
        super().__init__(kept)
        self.groups: list[Sequence[Change]] = []
        """Those that it was given."""
        self.waiting: Deferred[None] | None = None

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None]:
        """Take a group."""
        assert self.waiting is None, "one after the other"
        self.groups.append(tuple(changes))
        self.waiting = Deferred()
        return self.waiting

    def write(self) -> None:
        """The group that was given last is kept, or not if the journal is full."""
        waiting, self.waiting = self.waiting, None
        assert waiting is not None
        try:
            super().append(self.groups[-1], lambda serial: None)
        except StoreUnavailable as error:
            waiting.errback(error)
        else:
            waiting.callback(None)


class PromptGroups(ListJournalOfGroups):
    """Keeps each group as soon as it is given."""

    def append(self, changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None]:
        """Keep a group."""
        appended = super().append(changes, before)
        self.write()
        return appended
