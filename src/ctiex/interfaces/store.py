"""Where calls and events are stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ctiex.records import Call, Change, StoredEvent


class ICallStore(Interface):
    """The memory pool [0049]: calls by serial, and the agents' mailboxes.

    Reads see a change at once. A store that writes it elsewhere (to a disk)
    still answers from memory, and says by a Deferred when it is durable.
    """

    def open(reactor: Any) -> Deferred[None] | None:
        """Load what was stored before; None, or a Deferred that fires once it is loaded.

        :param reactor: for threads and time.
        :raise StoreUnavailable: (or the Deferred fails with it) it can't be read.
        """

    def close() -> Deferred[None] | None:
        """Finish the commits under way and release everything."""

    def commit(change: Change) -> Deferred[None] | None:
        """Commit a change, all of it or nothing.

        None: it is durable. A Deferred: it fires when it is durable, those of several changes in their order; if
        it fails, this change and every one made after it are undone. An empty change waits for all before it.

        :raise StoreUnavailable: (or the Deferred fails with it) it wasn't committed: status 50.
        :raise ValueError: an event isn't numbered one beyond its agent's last; nothing is committed.
        """

    def get(serial: str) -> Call | None:
        """The call with this serial, when it is in memory. Never waits."""

    def fetched(serial: str, owner: str) -> bytes | None:
        """The ``data`` of a call in state ``fetched`` with this owner, when it is in memory; else None.

        It is called first for each DataRequest, so it has to be as fast as a look-up can be.
        """

    def fetch(serial: str) -> Deferred[Call | None] | None:
        """Look beyond memory; None if there is no such place."""

    def calls() -> Iterable[Call]:
        """Every stored call."""

    def stored() -> int:
        """How many calls are stored. O(1)."""

    def agents() -> Iterable[str]:
        """Every agent number that ever had an event."""

    def last_sequence(agent: str) -> int:
        """The last sequence assigned to this agent's events; 0 before the first."""

    def pending(agent: str) -> int:
        """How many events wait in the agent's mailbox. O(1)."""

    def events(agent: str, after: int = 0) -> Sequence[StoredEvent]:
        """The events that wait with a sequence beyond ``after``, in order."""

    def metadata(name: str) -> str | None:
        """The value that a change last stored under this name; None if none ever did."""


class ICallStorePlugin(Interface):
    """Finds a store by name."""

    name: str = Attribute("What the configuration calls it: ``[store] kind = NAME``.")
    settings: type[Any] = Attribute("The frozen class that declares its keys, as in `ctiex.settings`.")

    def build(settings: Any) -> ICallStore:
        """A store, not opened yet.

        :param settings: an instance of ``settings``, from the other keys of ``[store]``.
        :raise ConfigurationError: what it needs isn't installed.
        """


class IPlacedStorePlugin(ICallStorePlugin):
    """Finds a store that is on this machine, and can check its place before it is opened."""

    def check_place(settings: Any) -> None:
        """Check that a store can be opened at its place, without opening or changing anything.

        :param settings: as for ``build``, which has taken them.
        :raise ConfigurationError: with a line for each thing that is wrong, its key in front: ``path: ...``.
        """
