"""Where calls and events are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ctiex.records import Call, Change, StoredEvent


class ICallStore(Interface):
    """The memory pool [0049]: calls by serial, and the agents' mailboxes.

    What was committed is seen at once. A store that keeps it elsewhere (on a disk)
    answers from memory all the same, and says by a Deferred when it is kept.
    """

    def open(reactor: Any) -> Deferred[None] | None:
        """Take up what was kept before; None, or a Deferred that fires once it is there.

        :param reactor: for threads and time.
        :raise StoreUnavailable: (or the Deferred fails with it) it can't be read.
        """

    def close() -> Deferred[None] | None:
        """Keep what is under way and let go of everything."""

    def commit(change: Change) -> Deferred[None] | None:
        """Keep a change, all of it or nothing.

        None: it is kept. A Deferred: it fires when it is kept, those of several changes in their order; if
        it fails, this change and every one made after it are undone. An empty change waits for all before it.

        :raise StoreUnavailable: (or the Deferred fails with it) it wasn't kept: status 50.
        :raise ValueError: an event isn't numbered one beyond its agent's last; nothing is kept.
        """

    def get(serial: str) -> Call | None:
        """The call with this serial, when it is in memory. Never waits."""

    def fetched(serial: str, owner: str) -> bytes | None:
        """The ``data`` of a call in state ``fetched`` with this owner, when it is in memory; else None.

        It is asked for each DataRequest before anything else, so it is to be as fast as a look-up can be.
        """

    def fetch(serial: str) -> Deferred[Call | None] | None:
        """Look where memory doesn't reach; None where there is no such place."""

    def calls() -> Iterable[Call]:
        """Every call that is kept."""

    def stored() -> int:
        """How many calls are kept. O(1)."""

    def agents() -> Iterable[str]:
        """Every agent number that ever had an event."""

    def last_sequence(agent: str) -> int:
        """The last sequence assigned to this agent's events; 0 before the first."""

    def pending(agent: str) -> int:
        """How many events wait in the agent's mailbox. O(1)."""

    def events(agent: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events that wait with a sequence beyond ``after``, in order."""

    def metadata(name: str) -> str | None:
        """What a change last put under this name in ``labels``; None if none ever did."""


class ICallStorePlugin(Interface):
    """Finds a store by name."""

    name: str = Attribute("What the configuration calls it: ``[store] kind = NAME``.")

    def build(settings: Mapping[str, Any]) -> ICallStore:
        """A store, not opened yet.

        :param settings: the other keys of ``[store]``.
        :raise ConfigurationError: a key is unknown or its value no good.
        """


class IPlacedStorePlugin(ICallStorePlugin):
    """Finds a store that stands somewhere on this machine, and can say beforehand whether it can."""

    def check_place(settings: Mapping[str, Any]) -> None:
        """See that a store can be opened where it is to stand, without opening or changing anything.

        :param settings: as for ``build``, which has taken them.
        :raise ConfigurationError: with a line for each thing that is wrong, its key in front: ``path: ...``.
        """
